/**
 * Validation: means over all held-out samples, each once, neither padded nor repeated. The last batch may be a smaller
 * one, for which there is a program of its own.
 */
import { compileGraph, type CompiledProgram, type CompileOptions } from '../compile/index.js'
import { invariant } from '../core/errors.js'
import { numElements, tensorType, type TensorData } from '../core/shape.js'
import type { DataSource, Batch } from '../data/index.js'
import { allocateBatch } from '../data/index.js'
import type { Communicator } from '../engine/communicator.js'
import type { Engine, EngineBuffer, Executable } from '../engine/engine.js'
import type { NamedType } from '../graph/index.js'
import type { Module } from '../nn/index.js'
import { buildEvaluation, type TracedTraining } from './step.js'

/** What of the compiler a user chooses, for the step and for validation alike. */
type CompilerChoices = Pick<CompileOptions, 'precision' | 'disabledPasses'>

type Evaluated<M extends Module> = Pick<TracedTraining<M>, 'model' | 'loss' | 'metrics'>

/** A program for batches of one size, and how many of them there are. */
interface Part {
  readonly batchSize: number
  readonly numBatches: number
  readonly compiled: CompiledProgram
}

/** Batches a call: enough that calling costs nothing. */
const maxBatchesPerCall = 64
const maxStackBytes = 8 * 2 ** 20

/** What validation will take, known before anything is allocated. */
export interface EvaluationPlan {
  readonly source: DataSource
  readonly parts: readonly Part[]
  /** Bytes beyond the state, which training has already. */
  readonly extraBytes: number
}

export function planEvaluation<M extends Module>(
  training: Evaluated<M>,
  source: DataSource,
  batchSize: number,
  engine: Engine,
  choices: CompilerChoices,
): EvaluationPlan {
  const whole = Math.floor(source.numSamples / batchSize)
  const rest = source.numSamples - whole * batchSize
  const sizes = [
    { batchSize, numBatches: whole },
    { batchSize: rest, numBatches: 1 },
  ].filter((part) => part.batchSize > 0 && part.numBatches > 0)
  const parts = sizes.map((part) => ({
    ...part,
    compiled: compileFor(training, source, part.batchSize, engine, choices),
  }))
  const extraBytes = parts.reduce((sum, part) => {
    const { peakBytes, stateBytes, inputBytes } = part.compiled.plan
    return sum + peakBytes - stateBytes + inputBytes * batchesPerCall(part)
  }, 0)
  return { source, parts, extraBytes }
}

function compileFor<M extends Module>(
  training: Evaluated<M>,
  source: DataSource,
  batchSize: number,
  engine: Engine,
  choices: CompilerChoices,
): CompiledProgram {
  const batch = batchTypes(source, batchSize)
  const { graph, state, inputs, outputs } = buildEvaluation({ ...training, batch })
  return compileGraph(graph, engine, { state, steppedInputs: new Set(inputs), outputs, ...choices })
}

/** The types of a source's batches. */
export function batchTypes(source: DataSource, batchSize: number): NamedType[] {
  return Object.entries(source.element).map(([name, { dtype, shape }]) => ({
    name,
    type: tensorType(dtype, [batchSize, ...shape]),
  }))
}

function batchesPerCall({ numBatches, compiled }: Part): number {
  const room = Math.floor(maxStackBytes / Math.max(1, compiled.plan.inputBytes))
  return Math.max(1, Math.min(numBatches, maxBatchesPerCall, room))
}

interface LoadedPart extends Part {
  readonly executable: Executable
  readonly stack: Batch
}

export class Evaluator {
  readonly #source: DataSource
  readonly #parts: readonly LoadedPart[]

  private constructor(source: DataSource, parts: readonly LoadedPart[]) {
    this.#source = source
    this.#parts = parts
  }

  /** @param state the training's own buffers, by name */
  static async load(
    { source, parts }: EvaluationPlan,
    engine: Engine,
    state: ReadonlyMap<string, EngineBuffer>,
  ): Promise<Evaluator> {
    const loaded: LoadedPart[] = []
    for (const part of parts) {
      const executable = await engine.load(part.compiled.program, state)
      loaded.push({ ...part, executable, stack: allocateBatch(source.element, part.batchSize * batchesPerCall(part)) })
    }
    return new Evaluator(source, loaded)
  }

  /**
   * The mean of the loss and of each metric, by name.
   *
   * @param communicator the workers that share the batches; sums are taken over all of them batch by batch, as one worker does
   */
  async run(communicator?: Communicator): Promise<Record<string, number>> {
    const { rank, size } = communicator ?? { rank: 0, size: 1 }
    const numBatches = this.#parts.reduce((sum, part) => sum + part.numBatches, 0)
    const own = {
      start: Math.floor((rank * numBatches) / size),
      end: Math.floor(((rank + 1) * numBatches) / size),
    }
    const values: Record<string, number[]> = Object.fromEntries(
      this.#parts[0].executable.program.outputs.map(({ name }) => [name, []]),
    )
    let batch = 0
    let sample = 0
    for (const part of this.#parts) {
      const end = batch + part.numBatches
      for (let next = Math.max(batch, own.start); next < Math.min(end, own.end);) {
        const count = Math.min(batchesPerCall(part), Math.min(end, own.end) - next)
        await this.#runCall(part, sample + (next - batch) * part.batchSize, count, values)
        next += count
      }
      batch = end
      sample += part.numBatches * part.batchSize
    }
    invariant(sample === this.#source.numSamples, 'every held-out sample is evaluated once')
    const sums = await sumsOfBatches(values, communicator)
    const names = Object.keys(sums).flatMap((name) =>
      name.endsWith('.total') ? [name.slice(0, -'.total'.length)] : [],
    )
    return Object.fromEntries(names.map((name) => [name, sums[`${name}.total`] / Math.max(sums[`${name}.weight`], 1)]))
  }

  async #runCall(
    { executable, stack, batchSize }: LoadedPart,
    first: number,
    count: number,
    values: Record<string, number[]>,
  ): Promise<void> {
    const indices = Float64Array.from({ length: count * batchSize }, (_, row) => first + row)
    if (this.#source.gatherSync !== undefined) this.#source.gatherSync(indices, stack)
    else await this.#source.gather(indices, stack)
    const outputs = await executable.run(stacked(stack, count, batchSize), { steps: count })
    for (const [name, { data }] of Object.entries(outputs)) for (const value of data) values[name].push(value)
  }
}

/** Of all workers' batches, in the batches' order: the same sums by however many workers. */
async function sumsOfBatches(
  values: Readonly<Record<string, readonly number[]>>,
  communicator: Communicator | undefined,
): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const [name, own] of Object.entries(values)) {
    const all = communicator === undefined ? [own] : await gatherNumbers(own, communicator)
    sums[name] = 0
    for (const part of all) for (const value of part) sums[name] += value
  }
  return sums
}

async function gatherNumbers(own: readonly number[], communicator: Communicator): Promise<Float64Array[]> {
  const parts = await communicator.allGather(new Uint8Array(Float64Array.from(own).buffer))
  return parts.map((bytes) => new Float64Array(bytes.slice().buffer))
}

function stacked(stack: Batch, count: number, batchSize: number): Batch {
  return Object.fromEntries(
    Object.entries(stack).map(([name, { dtype, shape, data }]): [string, TensorData] => {
      const whole = [count, batchSize, ...shape.slice(1)]
      return [name, { dtype, shape: whole, data: data.subarray(0, numElements(whole)) as TensorData['data'] }]
    }),
  )
}
