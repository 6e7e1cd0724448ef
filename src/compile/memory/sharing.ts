/**
 * Which storages share a buffer on purpose: new state with the state's own buffer, and results of elementwise
 * instructions with an operand that nobody reads afterwards.
 */
import { dtypes } from '../../core/dtype.js'
import { isElementwise } from '../../core/operations.js'
import { sameShape } from '../../core/shape.js'
import type { CompositeCall, CompositeName, OperationName } from '../../core/operations.js'
import type { Draft, DraftInstruction, DraftValue } from './draft.js'
import type { Lifetimes } from './liveness.js'

export interface Sharing {
  /** For each storage, the one whose buffer it uses; itself if it has its own. */
  readonly owner: Int32Array
  /** For each owner, the first and the last instruction at which its buffer is in use. */
  readonly start: Int32Array
  readonly end: Int32Array
  /** For each state entry, whether its new value is written straight into its buffer. */
  readonly isAliased: readonly boolean[]
}

export function planSharing(draft: Draft, lifetimes: Lifetimes, allowInPlace: boolean): Sharing {
  const owner = Int32Array.from(draft.storages.keys())
  const start = lifetimes.firstWrite.slice()
  const end = lifetimes.lastRead.slice()
  const writers = findWriters(draft)
  const isAliased = draft.state.map(({ value, output }) => {
    if (output === undefined) return false
    const old = draft.values[value].storage
    const fresh = draft.values[output].storage
    if (!allowInPlace || !mayReplaceState(draft, lifetimes, writers, old, fresh)) {
      end[fresh] = draft.instructions.length // read by the engine's copy after the last instruction
      return false
    }
    owner[fresh] = old
    return true
  })
  if (allowInPlace) {
    draft.instructions.forEach((instruction, position) =>
      shareInPlace(draft, instruction, position, { owner, start, end, isAliased }),
    )
  }
  return { owner, start, end, isAliased }
}

function findWriters(draft: Draft): Map<number, DraftInstruction> {
  const writers = new Map<number, DraftInstruction>()
  for (const instruction of draft.instructions) {
    for (const output of instruction.outputs) writers.set(draft.values[output].storage, instruction)
  }
  return writers
}

/** Whether all readers of the old value are done when the new one is written, or read and write element by element. */
function mayReplaceState(
  draft: Draft,
  { firstWrite, lastRead }: Lifetimes,
  writers: ReadonlyMap<number, DraftInstruction>,
  old: number,
  fresh: number,
): boolean {
  // prettier-ignore
  const writer = writers.get(fresh)
  if (writer === undefined || draft.storages[fresh].kind !== 'arena') return false
  if (lastRead[old] < firstWrite[fresh]) return true
  return lastRead[old] === firstWrite[fresh] && mayWriteInto(draft, writer, old, fresh)
}

/** Lets each result lie where an operand dies at this instruction, at most one result for each operand. */
function shareInPlace(draft: Draft, instruction: DraftInstruction, position: number, { owner, end }: Sharing): void {
  if (!worksInPlace(instruction)) return
  const taken = new Set<number>()
  for (const output of instruction.outputs) {
    const fresh = draft.values[output].storage
    if (draft.storages[fresh].kind !== 'arena' || owner[fresh] !== fresh) continue
    const input = instruction.inputs.find((candidate) => {
      const old = owner[draft.values[candidate].storage]
      const dies = draft.storages[old].kind === 'arena' && end[old] === position && !taken.has(old)
      return dies && mayWriteInto(draft, instruction, draft.values[candidate].storage, fresh, owner)
    })
    if (input === undefined) continue
    const old = owner[draft.values[input].storage]
    taken.add(old)
    owner[fresh] = old
    end[old] = end[fresh]
  }
}

/** Composites that work element by element, or read all of a row before they write the first of it. */
const inPlaceComposites: ReadonlySet<CompositeName> = new Set([
  'elementwise',
  'adamUpdate',
  'gelu',
  'geluGradient',
  'softmaxCrossEntropyGradient',
])

/** A node or an instruction. */
interface SomeOperation {
  readonly operation: OperationName
  readonly attributes: unknown
}

/** Whether a result may be written over an operand that dies there. */
export function worksInPlace({ operation, attributes }: SomeOperation): boolean {
  return (
    isElementwise(operation) ||
    operation === 'scatter' ||
    (operation === 'composite' && inPlaceComposites.has((attributes as CompositeCall).name))
  )
}

/**
 * Whether `fresh`, a result of the instruction, may be written into the memory of `old`: each operand that lies there
 * must be all of it, row-major, of the result's shape and element size, so that an element (or its row) is read before it is
 * written. `scatter` may write into its first operand only.
 */
function mayWriteInto(
  draft: Draft,
  instruction: DraftInstruction,
  old: number,
  fresh: number,
  owner?: Int32Array,
): boolean {
  if (!worksInPlace(instruction)) return false
  const result = draft.values[instruction.outputs.find((output) => draft.values[output].storage === fresh)!]
  const lies = (value: DraftValue): boolean =>
    owner === undefined ? value.storage === old : owner[value.storage] === owner[old]
  return instruction.inputs.every((input, index) => {
    const value = draft.values[input]
    if (!lies(value)) return true
    if (instruction.operation === 'scatter' && index !== 0) return false
    return (
      isWhole(draft, value) &&
      sameShape(value.shape, result.shape) &&
      dtypes[value.dtype].sizeBytes === dtypes[result.dtype].sizeBytes
    )
  })
}

function isWhole(draft: Draft, value: DraftValue): boolean {
  return (
    value.strides === undefined &&
    value.offsetElements === 0 &&
    draft.storages[value.storage].sizeBytes === bytes(value)
  )
}

function bytes({ dtype, shape }: DraftValue): number {
  return shape.reduce((product, size) => product * size, dtypes[dtype].sizeBytes)
}
