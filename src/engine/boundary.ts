/**
 * What every engine checks where data enters it, once: that the inputs of a call, the state bound to a program and the
 * data written to a buffer are what the program says. Inside an engine nothing is checked again.
 */
import { invariant, TalwegError } from '../core/errors.js'
import {
  formatType,
  numElements,
  sameType,
  tensorData,
  tensorType,
  type TensorData,
  type TensorType,
} from '../core/shape.js'
import type { EngineBuffer, RunOptions } from './engine.js'
import type { Program, ProgramInput } from './program.js'

/** The type that the caller gives for an input: a stepped one has a row for each step, and one row without `steps`. */
export function givenType(program: Program, input: ProgramInput, steps: number | undefined): TensorType {
  const { dtype, shape } = program.values[input.value]
  return tensorType(dtype, input.stepped ? [steps ?? 1, ...shape] : shape)
}

/** The same where rows of the data are given: the whole data. */
function wholeType(program: Program, { value }: ProgramInput, numRows: number): TensorType {
  const { dtype, shape } = program.values[value]
  return tensorType(dtype, [numRows, ...shape.slice(1)])
}

/** Throws `SHAPE_MISMATCH` or `DTYPE_MISMATCH`, naming the input, unless there is data of its type for each input. */
export function checkInputs(
  program: Program,
  inputs: Readonly<Record<string, TensorData>>,
  { steps, rows }: RunOptions = {},
): void {
  invariant(steps === undefined || (Number.isInteger(steps) && steps >= 1), `steps is ${steps}, not a count`)
  const numRows = rows === undefined ? 0 : checkRows(program, inputs, rows, steps ?? 1)
  for (const input of program.inputs) {
    const isWhole = rows !== undefined && input.stepped
    const wanted = isWhole ? wholeType(program, input, numRows) : givenType(program, input, steps)
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

/** @returns how many rows the data has; rows outside it are a bug of the caller */
function checkRows(
  program: Program,
  inputs: Readonly<Record<string, TensorData>>,
  rows: Int32Array,
  steps: number,
): number {
  const stepped = program.inputs.filter((input) => input.stepped)
  const numRows = inputs[stepped[0]?.name ?? '']?.shape[0] ?? 0
  for (const { name, value } of stepped) {
    const [size] = program.values[value].shape
    invariant(rows.length === steps * size, `${rows.length} rows for ${steps} batches of ${size} of input ${name}`)
  }
  invariant(
    rows.every((row) => row >= 0 && row < numRows),
    `all rows are among the data's ${numRows}`,
  )
  return numRows
}

/** What a call without `rows` would be given: the batches behind each other. */
export function stackRows(
  program: Program,
  inputs: Readonly<Record<string, TensorData>>,
  { steps, rows }: RunOptions,
): Readonly<Record<string, TensorData>> {
  if (rows === undefined) return inputs
  const stacked = program.inputs.map((input): [string, TensorData] => {
    const whole = inputs[input.name]
    if (!input.stepped) return [input.name, whole]
    const { dtype, shape } = givenType(program, input, steps)
    const stack = tensorData(dtype, shape)
    const size = numElements(whole.shape.slice(1))
    rows.forEach((row, place) =>
      stack.data.set(whole.data.subarray(row * size, (row + 1) * size) as never, place * size),
    )
    return [input.name, stack]
  })
  return Object.fromEntries(stacked)
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
