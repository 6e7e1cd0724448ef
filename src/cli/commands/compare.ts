/** `talweg compare`: whether two runs' checkpoints have the same bits, and if not, where they first part. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { exitCodes, TalwegError } from '../../core/errors.js'
import { formatType, numberAt, sameType, type TensorData } from '../../core/shape.js'
import { listCheckpoints, loadCheckpoint, type LoadedCheckpoint } from '../../train/checkpoint/index.js'
import { defineCommand } from '../command.js'
import { shortPath } from '../output.js'

/** Where two checkpoints first part, and by how much. */
interface Difference {
  readonly step: number
  readonly part: 'model' | 'optimizer'
  readonly tensor: string
  readonly problem?: string
  readonly numDifferent?: number
  readonly numElements?: number
  readonly largestDifference?: number
  /** The first element that differs, and both its values. */
  readonly index?: number
  readonly values?: readonly [number, number]
}

export const compare = defineCommand({
  name: 'compare',
  describe:
    "Tell whether two runs' checkpoints have the same bits, and if not, the first step and parameter that differ",
  args: [
    { name: 'RUN', describe: "A run's folder, its name under runs/, or one checkpoint's folder" },
    { name: 'RUN', describe: 'Another one' },
  ],
  flags: {},
  examples: [['talweg compare runs/one runs/two', 'Exit code 0 if all steps that both have are equal, else 1']],
  run: async ([left, right], _values, output) => {
    const [first, second] = [await findCheckpoints(left), await findCheckpoints(right)]
    const steps = first.steps.filter((step) => second.steps.includes(step))
    if (steps.length === 0) throw nothingInCommon(first, second)
    let difference: Difference | undefined
    for (const step of steps) {
      difference = differenceOf(await loadCheckpoint(first.folderOf(step)), await loadCheckpoint(second.folderOf(step)))
      if (difference !== undefined) break
    }
    output.result({ same: difference === undefined, steps, first: difference ?? null }, () =>
      describe(steps, difference),
    )
    return difference === undefined ? exitCodes.done : exitCodes.failed
  },
})

interface Checkpoints {
  readonly name: string
  readonly steps: readonly number[]
  readonly folderOf: (step: number) => string
}

async function findCheckpoints(given: string): Promise<Checkpoints> {
  const folder = existsSync(given) ? given : path.join('runs', given)
  if (!existsSync(folder)) {
    throw new TalwegError({
      code: 'FILE_NOT_FOUND',
      operation: 'compare',
      problem: `there is no run "${given}"`,
      place: { file: given },
    })
  }
  if (existsSync(path.join(folder, 'manifest.json'))) {
    const { manifest } = await loadCheckpoint(folder)
    return { name: given, steps: [manifest.step], folderOf: () => folder }
  }
  const entries = await listCheckpoints(path.join(folder, 'checkpoints'))
  const folders = new Map(entries.map((entry) => [entry.step, entry.folder]))
  return { name: given, steps: [...folders.keys()], folderOf: (step) => folders.get(step) ?? folder }
}

function nothingInCommon(first: Checkpoints, second: Checkpoints): TalwegError {
  const list = ({ name, steps }: Checkpoints): string =>
    `${shortPath(name)} has ${steps.length === 0 ? 'no checkpoint' : `steps ${steps.join(', ')}`}`
  return new TalwegError({
    code: 'CHECKPOINT_MISMATCH',
    operation: 'compare',
    problem: `no step is in both runs: ${list(first)}; ${list(second)}`,
    hint: 'train both with the same --checkpoint-every and --keep',
  })
}

function differenceOf(left: LoadedCheckpoint, right: LoadedCheckpoint): Difference | undefined {
  for (const part of ['model', 'optimizer'] as const) {
    for (const tensor of new Set([...left[part].keys(), ...right[part].keys()])) {
      const found = compareTensors(left[part].get(tensor), right[part].get(tensor))
      if (found !== undefined) return { step: left.manifest.step, part, tensor, ...found }
    }
  }
  return undefined
}

type TensorDifference = Omit<Difference, 'step' | 'part' | 'tensor'>

function compareTensors(left: TensorData | undefined, right: TensorData | undefined): TensorDifference | undefined {
  if (left === undefined || right === undefined)
    return { problem: `only the ${left === undefined ? 'second' : 'first'} run has it` }
  if (!sameType(left, right))
    return { problem: `it is ${formatType(left)} in the first run and ${formatType(right)} in the second` }
  if (Buffer.compare(asBytes(left), asBytes(right)) === 0) return undefined
  return measure(left, right)
}

function asBytes({ data }: TensorData): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

/** Elements are compared by their bits, so that two NaNs may be equal and 0 is not -0. */
function measure(left: TensorData, right: TensorData): TensorDifference {
  const [leftBytes, rightBytes] = [asBytes(left), asBytes(right)]
  const size = left.data.BYTES_PER_ELEMENT
  let [index, numDifferent, largestDifference] = [-1, 0, 0]
  for (let element = 0; element < left.data.length; element++) {
    const start = element * size
    if (leftBytes.compare(rightBytes, start, start + size, start, start + size) === 0) continue
    if (index < 0) index = element
    numDifferent++
    largestDifference = Math.max(largestDifference, Math.abs(numberAt(left, element) - numberAt(right, element)))
  }
  const values = [numberAt(left, index), numberAt(right, index)] as const
  return { numDifferent, numElements: left.data.length, largestDifference, index, values }
}

function describe(steps: readonly number[], difference: Difference | undefined): string {
  const compared = `${steps.length} checkpoint${steps.length === 1 ? '' : 's'} compared (step ${steps.join(', ')})`
  if (difference === undefined) return `the same bits: ${compared}`
  const { step, part, tensor, problem, numDifferent, numElements, largestDifference, index, values } = difference
  const place = `they first differ at step ${step}, in ${tensor} (${part})`
  if (problem !== undefined) return `${place}: ${problem}`
  return (
    `${place}: ${numDifferent} of ${numElements} numbers, by ${largestDifference} at most; ` +
    `the first is number ${index}: ${values?.[0]} and ${values?.[1]}`
  )
}
