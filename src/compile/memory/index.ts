export { checkMemory } from './check.js'
export type { Draft, DraftInstruction, DraftState, DraftStorage, DraftValue } from './draft.js'
export { planMemory, type MemoryFigures, type PlannedMemory } from './plan.js'
export { worksInPlace } from './sharing.js'
