/**
 * The native engine: C++ over oneDNN and OpenMP. A program is loaded whole and run by one asynchronous call, on a thread
 * of the engine's own, so that Node's event loop stays free.
 *
 * The same bits come out from run to run, at any one number of threads.
 */
import { availableParallelism, cpus } from 'node:os'
import { dtypes, type DType } from '../../core/dtype.js'
import { invariant, TalwegError } from '../../core/errors.js'
import type { CompositeName } from '../../core/operations.js'
import { sizeBytes, tensorData, tensorType, type TensorData, type TensorType } from '../../core/shape.js'
import { boundState, checkData, checkInputs } from '../boundary.js'
import type { Engine, EngineBuffer, EngineOptions, EngineProfiling, Executable, MachinePeaks, NonFiniteFinding, RunOptions, TimedRun } from '../engine.js' // prettier-ignore
import type { Instruction, InstructionOperation, Program, ProgramValue } from '../program.js'
import { marksPerStep } from '../timeline.js'
import { fromAddon, loadAddon, type NativeAddonEngine, type NativeMemory, type NativeProgram } from './addon.js'
import { NativeCommunicator } from './communicator.js'
import { wireOfInstructions, wireOfProgram } from './wire.js'

const composites: ReadonlySet<CompositeName> = new Set([
  'elementwise',
  'dotEpilogue',
  'widenedReduce',
  'erf',
  'gelu',
  'geluGradient',
  'softmax',
  'softmaxGradient',
  'layerNorm',
  'layerNormGradient',
  'rmsNorm',
  'rmsNormGradient',
  'batchNorm',
  'batchNormGradient',
  'batchNormRelu',
  'batchNormReluGradient',
  'softmaxCrossEntropy',
  'softmaxCrossEntropyGradient',
  'attention',
  'attentionGradient',
  'adamUpdate',
  'maxPoolGradient',
  'linearGradient',
  'linearDescent',
])

/** What reads its operands wherever they lie, with no copy of its own. */
const stridedInputs: ReadonlySet<InstructionOperation | CompositeName> = new Set([
  'negate', 'abs', 'sign', 'exponential', 'exponentialMinusOne', 'log', 'logPlusOne', 'sqrt', 'rsqrt', 'cbrt', 'tanh',
  'logistic', 'sine', 'cosine', 'floor', 'ceil', 'roundNearestEven', 'isFinite', 'not', 'convert', 'bitcastConvert',
  'add', 'subtract', 'multiply', 'divide', 'remainder', 'power', 'maximum', 'minimum', 'atan2', 'and', 'or', 'xor',
  'shiftLeft', 'shiftRightLogical', 'shiftRightArithmetic', 'compare', 'select', 'broadcastInDim', 'reshape', 'transpose',
  'slice', 'concatenate', 'pad', 'reverse', 'dotGeneral', 'convolution', 'reduce', 'elementwise', 'dotEpilogue',
  'widenedReduce', 'erf',
  'attention', 'attentionGradient', 'softmaxCrossEntropy', 'softmaxCrossEntropyGradient',
]) // prettier-ignore

const elementwiseComposites: ReadonlySet<CompositeName> = new Set(['erf'])

/** Activations in bf16 in and out; statistics, weights and losses in f32. */
const bfloat16Composites: ReadonlySet<CompositeName> = new Set([
  'gelu',
  'geluGradient',
  'softmax',
  'softmaxGradient',
  'layerNorm',
  'layerNormGradient',
  'rmsNorm',
  'rmsNormGradient',
  'batchNorm',
  'batchNormGradient',
  'batchNormRelu',
  'batchNormReluGradient',
  'softmaxCrossEntropyGradient',
  'attention',
  'attentionGradient',
])

function bytesOf({ data }: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

class NativeBuffer implements EngineBuffer {
  readonly memory: NativeMemory

  constructor(
    private readonly addon: NativeAddonEngine,
    readonly type: TensorType,
    data: TensorData | undefined,
  ) {
    if (data !== undefined) checkData('allocate', type, data)
    this.memory = addon.allocate(sizeBytes(type), data && bytesOf(data))
  }

  async read(into = tensorData(this.type.dtype, this.type.shape)): Promise<TensorData> {
    checkData('read', this.type, into)
    await this.addon.read(this.memory, bytesOf(into), 0)
    return into
  }

  async write(data: TensorData): Promise<void> {
    checkData('write', this.type, data)
    await this.addon.write(this.memory, bytesOf(data), 0)
  }

  async readRows(firstRow: number, into: TensorData): Promise<void> {
    await this.addon.read(this.memory, bytesOf(into), this.offsetOf('readRows', firstRow, into))
  }

  async writeRows(firstRow: number, rows: TensorData): Promise<void> {
    await this.addon.write(this.memory, bytesOf(rows), this.offsetOf('writeRows', firstRow, rows))
  }

  /** Where some rows lie, in bytes; dimension 0 counts them. */
  private offsetOf(operation: string, firstRow: number, rows: TensorData): number {
    const { dtype, shape } = this.type
    const [numRows, ...row] = shape
    const [count] = rows.shape
    invariant(firstRow + count <= numRows, `rows ${firstRow} to ${firstRow + count} are among ${numRows}`)
    checkData(operation, tensorType(dtype, [count, ...row]), rows)
    return firstRow * sizeBytes(tensorType(dtype, row))
  }
}

type Inputs = Readonly<Record<string, TensorData>>

class NativeExecutable implements Executable {
  constructor(
    readonly program: Program,
    private readonly addon: NativeAddonEngine,
    private readonly loaded: NativeProgram,
  ) {}

  run(inputs: Inputs, options: RunOptions = {}): Promise<Record<string, TensorData>> {
    return this.call(inputs, options, undefined)
  }

  async runTimed(inputs: Inputs, options: RunOptions = {}): Promise<TimedRun> {
    const { steps = 1 } = options
    const marks = new Float64Array(steps * marksPerStep(this.program))
    const outputs = await this.call(inputs, options, marks)
    return { outputs, times: { steps, marks } }
  }

  private async call(
    inputs: Inputs,
    options: RunOptions,
    marks: Float64Array | undefined,
  ): Promise<Record<string, TensorData>> {
    checkInputs(this.program, inputs, options)
    const { steps, rows } = options
    const outputs = this.program.outputs.map(({ name, value }): [string, TensorData] => {
      const { dtype, shape } = this.program.values[value]
      return [name, tensorData(dtype, steps === undefined ? shape : [steps, ...shape])]
    })
    const into = outputs.map(([, data]) => bytesOf(data))
    await this.guard(this.addon.run(this.loaded, this.inputBytes(inputs), into, steps ?? 1, rows, marks))
    return Object.fromEntries(outputs)
  }

  release(): void {
    this.addon.release(this.loaded)
  }

  async findNonFinite(inputs: Inputs): Promise<NonFiniteFinding | undefined> {
    checkInputs(this.program, inputs)
    const finding = await this.guard(this.addon.findNonFinite(this.loaded, this.inputBytes(inputs)))
    if (finding === undefined) return undefined
    const { operation, dtype, shape } = finding
    return { label: withLabels(finding.label, this.program), operation, type: tensorType(dtype, shape) }
  }

  private inputBytes(inputs: Inputs): Uint8Array[] {
    return this.program.inputs.map(({ name }) => bytesOf(inputs[name]))
  }

  private async guard<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise
    } catch (error) {
      throw fromAddon(error, this.program.name)
    }
  }
}

class NativeEngine implements Engine {
  readonly name = 'native'
  readonly composites = composites
  readonly dtypes: ReadonlySet<DType> = new Set(Object.keys(dtypes) as DType[])
  readonly stridedInputs = stridedInputs
  readonly elementwiseComposites = elementwiseComposites
  readonly bfloat16Composites = bfloat16Composites
  readonly takesRows = true
  readonly description: string
  readonly profiling: EngineProfiling

  constructor(
    private readonly addon: NativeAddonEngine,
    readonly asynchronousExchange: boolean,
  ) {
    const { target, threads, onednn } = addon.describe()
    const processor = cpus()[0]?.model.trim() ?? 'unknown processor'
    this.description = `native: ${processor}, ${target}, ${threads} thread${threads === 1 ? '' : 's'}, oneDNN ${onednn}`
    this.profiling = { run: runTimed, measurePeaks: () => this.measurePeaks() }
  }

  scratchBytes(instructions: readonly Instruction[], values: readonly ProgramValue[]): readonly number[] {
    const { bytes, arrays } = wireOfInstructions(instructions, values)
    try {
      return this.addon.scratchBytes(bytes, arrays)
    } catch (error) {
      throw fromAddon(error, 'native engine')
    }
  }

  allocate(type: TensorType, data?: TensorData): EngineBuffer {
    try {
      return new NativeBuffer(this.addon, type, data)
    } catch (error) {
      throw fromAddon(error, 'allocate')
    }
  }

  async load(program: Program, state: ReadonlyMap<string, EngineBuffer>): Promise<Executable> {
    const memories = boundState(program, state).map((buffer) => {
      invariant(buffer instanceof NativeBuffer, 'state of the native engine is in buffers of its own')
      return buffer.memory
    })
    const { bytes, arrays } = wireOfProgram(program)
    try {
      return new NativeExecutable(program, this.addon, await this.addon.load(bytes, arrays, memories))
    } catch (error) {
      throw labelled(fromAddon(error, program.name), program)
    }
  }

  private async measurePeaks(): Promise<MachinePeaks> {
    try {
      const { bytes, ...productFlopsPerSecond } = await this.addon.measurePeaks()
      return { productFlopsPerSecond, bytesPerSecond: bytes }
    } catch (error) {
      throw fromAddon(error, 'native engine')
    }
  }
}

/** The addon calls a program's instructions by their numbers. */
function withLabels(text: string, { instructions }: Program): string {
  return text.replaceAll(/#(\d+)/g, (number, index: string) => instructions[Number(index)]?.label ?? number)
}

function labelled(error: TalwegError, program: Program): TalwegError {
  const { code, operation, problem, cause } = error
  return new TalwegError({ code, operation, problem: withLabels(problem, program), cause })
}

async function runTimed(executable: Executable, inputs: Inputs, options?: RunOptions): Promise<TimedRun> {
  invariant(executable instanceof NativeExecutable, 'the native engine times executables of its own')
  return executable.runTimed(inputs, options)
}

/**
 * @param options `threads`: `OMP_NUM_THREADS`, or all cores by default. The environment's `TALWEG_CPU` (`avx512bf16`, `avx512`, `avx2`,
 *   `portable`) holds the engine to a plainer instruction set than the processor has, for tests
 * @throws TalwegError `ENGINE_UNAVAILABLE` where the engine was not built; `INVALID_SETTING` for a bad number of threads
 */
export function createNativeEngine({ threads = defaultThreads(), communicator }: EngineOptions = {}): Engine {
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation: 'native engine',
      problem: `threads is ${threads}, not a whole number from 1 to 1024`,
    })
  }
  invariant(
    communicator === undefined || communicator instanceof NativeCommunicator,
    'the native engine exchanges through a communicator of its own',
  )
  const { Engine: AddonEngine } = loadAddon()
  try {
    const addon = new AddonEngine(threads, process.env['TALWEG_CPU'] ?? '', communicator?.addon)
    return new NativeEngine(addon, communicator !== undefined)
  } catch (error) {
    throw fromAddon(error, 'native engine')
  }
}

/** What every OpenMP program goes by, where somebody has set it: several workers on a machine are each given a part of it. */
function defaultThreads(): number {
  const given = Number(process.env['OMP_NUM_THREADS'])
  return Number.isInteger(given) && given >= 1 ? Math.min(given, 1024) : availableParallelism()
}
