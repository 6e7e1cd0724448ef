/**
 * A training made ready: data open, model made, step compiled, memory checked, state in the engine. What is left is to
 * run steps (`loop.ts`); what is common to `train`, `inspect` and tests is here.
 */
import { availableParallelism } from 'node:os'
import { compileGraph, programCost, type CompiledProgram } from '../compile/index.js'
import type { DType, HostArray } from '../core/dtype.js'
import { TalwegError } from '../core/errors.js'
import { rowsOfShards } from '../core/shardTree.js'
import { formatType, numElements, sameType, sizeBytes, tensorData, type TensorData } from '../core/shape.js'
import type { Batch, DataSource } from '../data/index.js'
import type { Communicator } from '../engine/communicator.js'
import type { Engine, EngineBuffer, Executable } from '../engine/engine.js'
import type { OutgoingTensor } from '../exchange/safetensors/index.js'
import { printGraph } from '../graph/index.js'
import type { Module } from '../nn/index.js'
import { shardBatch, type BatchSharding } from '../distribute/sharding.js'
import { withLearningRate, type Optimizer } from '../optim/index.js'
import type { JsonValue, LoadedCheckpoint } from './checkpoint/index.js'
import { piecesOf, shareBuffer } from './bufferPieces.js'
import { openEngine } from './engines.js'
import { batchTypes, Evaluator, planEvaluation, type EvaluationPlan } from './evaluator.js'
import { memoryNeed, type MemoryNeed } from './memoryNeed.js'
import type { Settings } from './settings.js'
import { maxSteps, stepsToPlanFor } from './stepsPerCall.js'
import {
  buildInitialization,
  buildTrainingStep,
  healthFlag,
  isParameterState,
  stepCounter,
  type StepGraph,
} from './step.js'
import { factsOf, type Training } from './training.js'
import { callUser, callUserAsync } from './userCode.js'

/** Everything that is known before the first byte is allocated. */
export interface PreparedTraining {
  readonly settings: Settings
  readonly source: DataSource
  readonly model: Module
  readonly optimizer: Optimizer
  readonly engine: Engine
  /** Over all workers. */
  readonly batchSize: number
  /** Its virtual shards, and which of them are this worker's. */
  readonly sharding: BatchSharding
  readonly totalSteps: number
  readonly step: StepGraph
  readonly compiled: CompiledProgram
  readonly evaluation: EvaluationPlan | undefined
  /** The data, where the engine takes each batch's rows of it by itself. */
  readonly resident: Batch | undefined
  /** Steps that a call of the engine has at most. */
  readonly maxStepsPerCall: number
  readonly memory: MemoryNeed
  /** The step of one shard as text: the same at all workers, whatever their part of a batch. */
  stepText(): string
}

/**
 * Opens the data, makes the model and compiles the step.
 *
 * @param notify is told in one line of what a user should know, such as which engine was chosen
 */
export async function prepareTraining(
  training: Training,
  settings: Settings,
  notify: (message: string) => void,
  communicator?: Communicator,
): Promise<PreparedTraining> {
  const { definition } = training
  const engine = await openEngine(settings.engine, { threads: settings.threads, communicator }, notify)
  const source = await callUserAsync('data', definition.data)
  checkSource(source)
  const model = await callUserAsync('model', () => definition.model(factsOf(source)))
  checkModel(model)
  const optimizer =
    settings.learningRate === undefined
      ? definition.optimizer
      : withLearningRate(definition.optimizer, settings.learningRate)
  const batchSize = resolveBatchSize(settings, optimizer, source)
  const totalSteps = resolveSteps(settings, batchSize, source)
  const parts = { model, loss: definition.loss, metrics: definition.metrics }
  const { seed, accumulate } = settings
  const sharding = resolveSharding(settings, communicator)
  const rows = rowsOfShards(sharding.own, sharding.numShards, batchSize)
  const choices = { precision: settings.precision, disabledPasses: new Set(settings.disabledPasses) }
  const batch = batchTypes(source, rows.end - rows.start)
  const traced = { ...parts, optimizer, batch, batchSize, totalSteps, seed, accumulate, sharding }
  const step = callUser('loss', () => buildTrainingStep(traced))
  const steppedInputs = new Set(optimizer.fullBatch ? [] : step.inputs)
  const compiled = compileGraph(step.graph, engine, {
    state: step.state,
    steppedInputs,
    outputs: step.outputs,
    ...choices,
  })
  const { validation } = source
  const validationSize =
    validation && Math.min(validation.numSamples, optimizer.fullBatch ? 1024 : batchSize / sharding.numShards)
  const evaluation =
    validation &&
    validationSize &&
    callUser('metrics', () => planEvaluation(parts, validation, validationSize, engine, choices))
  const resident = optimizer.fullBatch ? undefined : residentRows(source, engine)
  const batchBytes = batch.reduce((sum, { type }) => sum + sizeBytes(type), 0)
  const stackedBytes = resident === undefined ? batchBytes : (rows.end - rows.start) * Int32Array.BYTES_PER_ELEMENT
  const maxStepsPerCall = optimizer.fullBatch
    ? maxSteps
    : stepsToPlanFor(programCost(compiled.program).total, stackedBytes, settings.threads ?? availableParallelism())
  const stackBytes = optimizer.fullBatch ? batchBytes : 2 * maxStepsPerCall * stackedBytes
  const memory = memoryNeed(compiled, stackBytes, evaluation || undefined)
  return {
    settings,
    source,
    model,
    optimizer,
    engine,
    batchSize,
    sharding,
    totalSteps,
    step,
    compiled,
    evaluation: evaluation || undefined,
    resident,
    maxStepsPerCall,
    memory,
    stepText: () => {
      const ofOneShard = { ...sharding, own: { first: 0, count: 1 } }
      const oneShard = batchTypes(source, batchSize / sharding.numShards)
      return printGraph(buildTrainingStep({ ...traced, batch: oneShard, sharding: ofOneShard }).graph)
    },
  }
}

/** A sample of data in memory is a row that the engine can be told the number of. */
function residentRows({ resident, numSamples }: DataSource, { takesRows }: Engine): Batch | undefined {
  return takesRows && resident?.layout === 'rows' && numSamples < 2 ** 31 ? resident.tensors : undefined
}

function checkSource(source: unknown): asserts source is DataSource {
  const { element, numSamples } = Object(source) as Partial<DataSource>
  if (typeof element === 'object' && typeof numSamples === 'number') return
  throw new TalwegError({
    code: 'INVALID_TRAINING',
    operation: 'data',
    problem: 'the function gives no data source',
    hint: "return one, such as data.characters('book.txt', { context: 64 })",
  })
}

function checkModel(model: unknown): asserts model is Module {
  const isModule = typeof Object(model).namedParameters === 'function'
  if (isModule) checkParameters(model as Module)
  if (isModule && (model as Module).numParameters > 0) return
  throw new TalwegError({
    code: 'INVALID_TRAINING',
    operation: 'model',
    problem: isModule ? 'the model has no parameter to train' : 'the function gives no model',
    hint: 'return a module of nn, or a class that extends nn.Module and has its parameters as fields',
  })
}

function checkParameters(model: Module): void {
  for (const [path, { type }] of model.namedParameters()) {
    if (type.shape.every((size) => Number.isInteger(size) && size >= 1)) continue
    throw new TalwegError({
      code: 'INVALID_TRAINING',
      operation: 'model',
      problem: `the parameter ${path} is ${formatType(type)}`,
      hint: 'give layers whole numbers of features, at least 1',
    })
  }
}

function resolveBatchSize(
  { batchSize, accumulate, shards = 1 }: Settings,
  optimizer: Optimizer,
  { numSamples }: DataSource,
): number {
  const fail = (problem: string, hint: string): never => {
    throw new TalwegError({ code: 'INVALID_SETTING', operation: 'train', problem, hint })
  }
  if (optimizer.fullBatch && batchSize !== undefined && batchSize !== numSamples) {
    fail(
      `batchSize is ${batchSize}, and ${optimizer.kind} takes all ${numSamples} samples a step`,
      'leave batchSize out, or use optim.sgd',
    )
  }
  const size = batchSize ?? (optimizer.fullBatch ? numSamples : undefined)
  if (size === undefined) return fail('batchSize is missing', 'give it in the training file, or with --batch-size')
  if (size % shards !== 0)
    fail(`a batch of ${size} can't be cut into ${shards} equal shards`, 'choose a divisor for shards')
  if ((size / shards) % accumulate !== 0) {
    const what = shards === 1 ? 'a batch' : 'a shard'
    fail(`${what} of ${size / shards} can't be cut into ${accumulate} equal parts`, 'choose a divisor for accumulate')
  }
  return size
}

function resolveSharding({ shards = 1 }: Settings, communicator: Communicator | undefined): BatchSharding {
  const { size, rank } = communicator ?? { size: 1, rank: 0 }
  if (size <= shards) return shardBatch(shards, size, rank)
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'train',
    problem: `${shards === 1 ? '1 shard' : `${shards} shards`} can't be shared by ${size} workers`,
    hint: 'train with as many workers as shards, or fewer; shards are fixed when a run is begun',
  })
}

function resolveSteps({ steps, epochs }: Settings, batchSize: number, { numSamples }: DataSource): number {
  if (steps !== undefined) return steps
  if (epochs !== undefined) return Math.max(1, Math.ceil((epochs * numSamples) / batchSize))
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'train',
    problem: 'neither steps nor epochs is given',
    hint: 'say how long to train, in the training file or with --steps',
  })
}

/** A training with its state in the engine. */
export class TrainingSession {
  readonly prepared: PreparedTraining
  readonly executable: Executable
  readonly evaluator: Evaluator | undefined
  readonly #state: ReadonlyMap<string, EngineBuffer>

  private constructor(
    prepared: PreparedTraining,
    executable: Executable,
    evaluator: Evaluator | undefined,
    state: ReadonlyMap<string, EngineBuffer>,
  ) {
    this.prepared = prepared
    this.executable = executable
    this.evaluator = evaluator
    this.#state = state
  }

  /**
   * Allocates and fills the state, from a checkpoint or anew, and loads the programs.
   *
   * @param checkpoint its arrays are read, and not kept
   */
  static async open(prepared: PreparedTraining, checkpoint?: LoadedCheckpoint): Promise<TrainingSession> {
    const { engine, step, compiled, evaluation } = prepared
    const restored = checkpoint === undefined ? new Map<string, TensorData>() : restoredState(step, checkpoint)
    const state = new Map<string, EngineBuffer>()
    for (const [name, type] of step.stateTypes) state.set(name, engine.allocate(type, restored.get(name)))
    if (checkpoint === undefined) await initialize(prepared, state)
    const executable = await engine.load(compiled.program, state)
    const evaluator = evaluation && (await Evaluator.load(evaluation, engine, state))
    return new TrainingSession(prepared, executable, evaluator, state)
  }

  /** Gives every worker the state of worker 0, to begin with. */
  async shareState(communicator: Communicator): Promise<void> {
    const staging = new Map<DType, HostArray>()
    for (const buffer of this.#state.values()) await shareBuffer(buffer, communicator, staging)
  }

  /** The state, as a checkpoint keeps it, to be taken piece by piece between calls of the engine. */
  outgoingState(): { model: OutgoingTensor[]; optimizer: OutgoingTensor[] } {
    const staging = new Map<DType, HostArray>()
    const model: OutgoingTensor[] = []
    const optimizer: OutgoingTensor[] = []
    for (const [name, buffer] of this.#state) {
      const tensor = { name, type: buffer.type, take: () => piecesOf(buffer, staging) }
      ;(isParameterState(name) ? model : optimizer).push(tensor)
    }
    return { model, optimizer }
  }

  /** A copy of the parameters and what else belongs to the model. To be called between steps. */
  async copyModel(): Promise<Map<string, TensorData>> {
    const model = new Map<string, TensorData>()
    for (const [name, buffer] of this.#state) if (isParameterState(name)) model.set(name, await buffer.read())
    return model
  }
}

/**
 * Parameters by their initialisers, drawn on the engine itself, or as they were loaded; everything else stays zero, and all is
 * well. What was loaded is in the engine then, and the model gives it up.
 */
async function initialize(
  { model, settings, engine }: PreparedTraining,
  buffers: ReadonlyMap<string, EngineBuffer>,
): Promise<void> {
  const { graph, state } = buildInitialization(model, settings.seed)
  if (Object.keys(state).length > 0) {
    const { program } = compileGraph(graph, engine, { state, outputs: [] })
    const executable = await engine.load(program, buffers)
    await executable.run({})
    executable.release?.()
  }
  for (const [path, parameter] of model.namedParameters()) {
    if (parameter.loaded === undefined) continue
    await buffers.get(path)?.write(parameter.loaded)
    parameter.loaded = undefined
  }
  await buffers.get(healthFlag)?.write(tensorData('bool', [], [1]))
}

function restoredState(
  { stateTypes }: StepGraph,
  { model, optimizer, folder, manifest }: LoadedCheckpoint,
): Map<string, TensorData> {
  const given = new Map([...model, ...optimizer])
  const mismatch = (problem: string): TalwegError =>
    new TalwegError({
      code: 'CHECKPOINT_MISMATCH',
      operation: 'resume',
      problem,
      hint: 'resume with the model and optimiser that the run was begun with, or train under another name with --run',
      place: { file: folder },
    })
  for (const [name, type] of stateTypes) {
    const found = given.get(name)
    if (found === undefined)
      throw mismatch(`the checkpoint has no ${name}, which is ${formatType(type)} in this training`)
    if (!sameType(found, type))
      throw mismatch(`${name} is ${formatType(found)} in the checkpoint and ${formatType(type)} in this training`)
  }
  const extra = [...given.keys()].find((name) => !stateTypes.has(name))
  if (extra !== undefined) throw mismatch(`the checkpoint has ${extra}, which this training has not`)
  if (given.get(stepCounter)?.data[0] !== manifest.step)
    throw mismatch(`its manifest says step ${manifest.step}, its state step ${given.get(stepCounter)?.data[0]}`)
  return given
}

/** The settings as they are kept with a run: what was asked for, and what it was resolved to. */
export function describeSettings({
  settings,
  batchSize,
  totalSteps,
  optimizer,
  engine,
}: PreparedTraining): Record<string, JsonValue> {
  const { epochs: _epochs, shards, ...rest } = settings
  const defined = Object.entries(rest).flatMap(([name, value]): [string, JsonValue][] =>
    value === undefined ? [] : [[name, value]],
  )
  return {
    ...Object.fromEntries(defined),
    ...(shards === undefined || shards === 1 ? {} : { shards }),
    batchSize,
    steps: totalSteps,
    learningRate: optimizer.learningRate.peak,
    schedule: optimizer.learningRate.kind,
    engine: engine.name,
    optimizer: {
      kind: optimizer.kind,
      ...optimizer.settings,
      ...(optimizer.clipNorm === undefined ? {} : { clipNorm: optimizer.clipNorm }),
    },
  }
}

/** Tokens in a sample, for data of tokens. */
export function tokensPerSample({ element }: DataSource): number | undefined {
  const { tokens } = element
  return tokens === undefined || tokens.dtype !== 'i32' ? undefined : numElements(tokens.shape)
}
