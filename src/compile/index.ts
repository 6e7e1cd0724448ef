/** The compile room: passes from graph to graph, the memory plan, and lowering to a `Program`. */
export { compileGraph, type CompiledProgram } from './compile.js'
export { eliminateDeadCode } from './passes/deadCode.js'
export { inlineComposites } from './passes/inlineComposites.js'
export { instructionCost, programCost, type Cost } from './cost.js'
export { passNames, type CompileOptions, type CompileTarget, type PassName, type Precision } from './options.js'
export type { MemoryFigures } from './memory/index.js'
