/**
 * What every engine checks where data enters it, once: that the inputs of a call, the state bound to a program and the
 * data written to a buffer are what the program says. Inside an engine nothing is checked again.
 */
import { invariant, TalwegError } from '../core/errors.js'
import { formatType, numElements, sameType, tensorType, type TensorData, type TensorType } from '../core/shape.js'
import type { EngineBuffer } from './engine.js'
import type { Program, ProgramInput } from './program.js'

/** The type that the caller gives for an input: a stepped one has a row for each step, and one row without `steps`. */
export function givenType(program: Program, input: ProgramInput, steps: number | undefined): TensorType {
  const { dtype, shape } = program.values[input.value]
  return tensorType(dtype, input.stepped ? [steps ?? 1, ...shape] : shape)
}

/** Throws `SHAPE_MISMATCH` or `DTYPE_MISMATCH`, naming the input, unless there is data of its type for each input. */
export function checkInputs(
  program: Program,
  inputs: Readonly<Record<string, TensorData>>,
  steps: number | undefined,
): void {
  invariant(steps === undefined || (Number.isInteger(steps) && steps >= 1), `steps is ${steps}, not a count`)
  for (const input of program.inputs) {
    const wanted = givenType(program, input, steps)
    const given = inputs[input.name]
    if (given === undefined) {
      throw new TalwegError({
        code: 'SHAPE_MISMATCH',
        operation: program.name,
        problem: `there is no input "${input.name}": it takes ${formatType(wanted)}, given are ${Object.keys(inputs).join(', ') || 'none'}`,
      })
    }
    checkData(`${program.name}, input "${input.name}"`, wanted, given)
  }
}

/** Throws unless `given` is of the type `wanted`, with as many elements as its shape says. */
export function checkData(what: string, wanted: TensorType, given: TensorData): void {
  if (!sameType(wanted, given)) {
    throw new TalwegError({
      code: wanted.dtype === given.dtype ? 'SHAPE_MISMATCH' : 'DTYPE_MISMATCH',
      operation: what,
      problem: `types differ: ${formatType(wanted)} is wanted, ${formatType(given)} given`,
    })
  }
  if (given.data.length !== numElements(given.shape)) {
    throw new TalwegError({
      code: 'SHAPE_MISMATCH',
      operation: what,
      problem: `the data doesn't fit its shape: ${formatType(given)} has ${numElements(given.shape)} elements, the array ${given.data.length}`,
    })
  }
}

/** The buffer bound to each state entry, in their order. A missing or wrong one is a bug of the caller. */
export function boundState(program: Program, state: ReadonlyMap<string, EngineBuffer>): EngineBuffer[] {
  return program.state.map(({ name, value }) => {
    const buffer = state.get(name)
    const wanted = program.values[value]
    invariant(buffer !== undefined, `${program.name}: no buffer is bound to state ${name}`)
    invariant(
      sameType(wanted, buffer.type),
      `${program.name}: state ${name} is ${formatType(wanted)}, its buffer ${formatType(buffer.type)}`,
    )
    return buffer
  })
}
