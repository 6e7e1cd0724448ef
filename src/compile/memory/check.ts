/**
 * Checks a memory plan by going through the program as an engine would and noting which storage's bytes each piece of
 * memory holds: whoever reads must find its own. Runs in tests, after every compilation; it knows nothing of how the
 * plan was made.
 */
import { invariant } from '../../core/errors.js'
import type { Program, ProgramBuffer } from '../../engine/program.js'
import type { Draft } from './draft.js'
import { alignmentBytes } from './offsets.js'

/** Throws `INTERNAL` at the first read of memory that has been written over, or not yet written. */
export function checkMemory(program: Program, draft: Draft): void {
  program.buffers.forEach((buffer, index) => checkPlace(program, buffer, index))
  const holding = new Holding(program, draft)
  const released = new Set<number>()
  program.instructions.forEach(({ inputs, outputs, lastUses, scratch, operation }, position) => {
    const what = `instruction ${position} ${operation}`
    for (const input of inputs) {
      holding.read(input, what)
      invariant(!released.has(input), `${what} reads value ${input} after its last use`)
    }
    if (scratch !== undefined) holding.write(scratch, -1)
    for (const output of outputs) holding.write(program.values[output].buffer, draft.values[output].storage)
    for (const output of outputs) holding.read(output, `${what}, its own results apart,`)
    lastUses.forEach((value) => released.add(value))
  })
  for (const { name, value } of program.outputs) holding.read(value, `output ${name}`)
  for (const { name, value, output, isAliased } of program.state) {
    if (output === undefined) holding.read(value, `state ${name}`)
    else {
      holding.read(output, `new state ${name}`)
      invariant(
        isAliased === (program.values[output].buffer === program.values[value].buffer),
        `state ${name} is aliased or not`,
      )
    }
  }
}

function checkPlace(program: Program, { storage, offsetBytes, sizeBytes }: ProgramBuffer, index: number): void {
  if (storage !== 'arena') return
  invariant(offsetBytes % alignmentBytes === 0, `buffer ${index} is not aligned`)
  invariant(offsetBytes + sizeBytes <= program.arenaSizeBytes, `buffer ${index} lies outside the arena`)
}

/** Which storages are whole in memory at the moment, and in which buffer. */
class Holding {
  private readonly bufferOf = new Map<number, number>()

  constructor(
    private readonly program: Program,
    private readonly draft: Draft,
  ) {
    program.values.forEach(({ buffer }, value) => {
      const { storage } = draft.values[value]
      const { kind } = draft.storages[storage]
      if (kind === 'state' || kind === 'input' || kind === 'constant') this.bufferOf.set(storage, buffer)
    })
  }

  write(buffer: number, storage: number): void {
    for (const [other, held] of this.bufferOf) {
      if (overlap(this.program.buffers[buffer], this.program.buffers[held], buffer === held))
        this.bufferOf.delete(other)
    }
    if (storage >= 0) this.bufferOf.set(storage, buffer)
  }

  read(value: number, what: string): void {
    const { storage } = this.draft.values[value]
    const held = this.bufferOf.get(storage)
    invariant(held === this.program.values[value].buffer, `${what} reads value ${value}, whose memory doesn't hold it`)
  }
}

function overlap(left: ProgramBuffer, right: ProgramBuffer, isSame: boolean): boolean {
  if (isSame) return true
  if (left.storage !== 'arena' || right.storage !== 'arena' || left.sizeBytes === 0 || right.sizeBytes === 0)
    return false
  return left.offsetBytes < right.offsetBytes + right.sizeBytes && right.offsetBytes < left.offsetBytes + left.sizeBytes
}
