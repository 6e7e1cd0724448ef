/**
 * The loop: calls of the engine, many small steps to each, the next call's batches read meanwhile; between calls, at steps
 * that the settings fix, reports, validations and checkpoints. What the clock decides (how many steps a call has) never
 * shows in the numbers.
 */
import { TalwegError } from '../core/errors.js'
import { formatType, type TensorData } from '../core/shape.js'
import { CheckpointRhythm } from './checkpointRhythm.js'
import { emptyHeap } from './emptyHeap.js'
import type { CheckpointWriter, JsonValue, Manifest } from './checkpoint/index.js'
import type { Report } from './metrics/index.js'
import type { TrainingObserver } from './observer.js'
import type { Profiler } from './profile/index.js'
import { newProgress, restoreProgress, saveProgress, type LoopProgress } from './progressState.js'
import type { RunRecorder } from './run/recorder.js'
import { describeSettings, tokensPerSample, type PreparedTraining, type TrainingSession } from './session.js'
import { batchOf, ResidentBatches, StackedBatches, WholeData, type BatchSupply, type Stack } from './stackedBatches.js'
import { StepsPerCall } from './stepsPerCall.js'
import type { StopListener, StopRequest } from './stop.js'
import type { Decisions, Team } from './team.js'

export interface LoopOptions {
  readonly session: TrainingSession
  /** The workers that train together, and what they agree by. */
  readonly team: Team
  /** The run's folder is worker 0's: the others write nothing. */
  readonly writer: CheckpointWriter | undefined
  readonly recorder: RunRecorder | undefined
  readonly observer: TrainingObserver
  readonly stop: StopListener
  /** Of the checkpoint to go on from. */
  readonly manifest: Manifest | undefined
  /** Makes the calls, where the training is profiled. */
  readonly profiler: Profiler | undefined
}

/** Why the loop ended. */
export type Ending =
  | { readonly kind: 'done' | 'converged' | 'stoppedEarly' | 'budget' | 'paused' }
  | { readonly kind: 'stopped'; readonly request: StopRequest }

type Outputs = Readonly<Record<string, TensorData>>

/** Runs a training from where it is to its end. Everything it wrote is on the disk when this returns. */
export async function runLoop(options: LoopOptions): Promise<Ending> {
  const loop = new Loop(options)
  try {
    return await loop.run()
  } finally {
    await options.writer?.finish()
  }
}

const minBytesToEmptyHeap = 100e6

/** Steps at which something happens. */
interface Rhythm {
  readonly report: number
  readonly validate: number
  readonly checkpoint: number
}

class Loop {
  readonly #session: TrainingSession
  readonly #options: LoopOptions
  readonly #totalSteps: number
  /** Where it stops this time, if not before. */
  readonly #lastStep: number
  readonly #rhythm: Rhythm
  readonly #checkpoints: CheckpointRhythm
  readonly #progress: LoopProgress
  readonly #supply: BatchSupply
  readonly #perCall: StepsPerCall
  readonly #clock: Clock
  #step: number
  #isHeapEmptied = false
  /** The next call's batches, being read. */
  #pending: Promise<Stack> | undefined

  constructor(options: LoopOptions) {
    const { session, manifest, recorder } = options
    const { settings, batchSize, totalSteps } = session.prepared
    this.#session = session
    this.#options = options
    this.#totalSteps = totalSteps
    this.#lastStep = Math.min(totalSteps, settings.stopAtStep ?? totalSteps)
    this.#checkpoints = new CheckpointRhythm(settings.checkpointEvery, totalSteps)
    this.#rhythm = {
      report: settings.reportEvery ?? Math.ceil(totalSteps / 100),
      validate: session.evaluator === undefined ? Infinity : (settings.validateEvery ?? Math.ceil(totalSteps / 10)),
      checkpoint: this.#checkpoints.steps,
    }
    this.#step = manifest?.step ?? 0
    this.#progress = manifest === undefined ? newProgress() : restoreProgress(manifest)
    this.#supply = openSupply(session.prepared, options.team, this.#step * batchSize)
    this.#perCall = new StepsPerCall(this.#supply.capacity)
    this.#clock = new Clock(recorder?.previous?.secondsElapsed ?? 0)
  }

  async run(): Promise<Ending> {
    try {
      return await this.#runCalls()
    } finally {
      // The data is closed by whoever opened it; nothing must still be reading then.
      await this.#pending?.catch(() => undefined)
    }
  }

  async #runCalls(): Promise<Ending> {
    if (this.#step < this.#lastStep) this.#pending = this.#read(this.#step)
    while (this.#step < this.#lastStep && this.#pending !== undefined) {
      const stack: Stack = await this.#pending
      const call = this.#call(stack)
      const next = this.#step + stack.steps
      if (next < this.#lastStep) this.#pending = this.#read(next)
      const [outputs] = await Promise.all([call, this.#emptyHeapOnce()])
      await this.#take(stack, outputs)
      const agreed = await this.#agree()
      const ending = await this.#atBoundary(outputs, agreed.isCheckpointDue)
      if (ending !== undefined) return ending
      if (agreed.stop !== undefined) return this.#end({ kind: 'stopped', request: agreed.stop })
      if (agreed.isBudgetReached) return this.#end({ kind: 'budget' })
    }
    return this.#end({ kind: this.#step < this.#totalSteps ? 'paused' : 'done' })
  }

  /** What the clock and signals decide, for all workers alike. */
  #agree(): Promise<Decisions> {
    const { team, stop } = this.#options
    const { budgetSeconds } = this.#session.prepared.settings
    return team.agree({
      stop: stop.request,
      isBudgetReached: budgetSeconds !== undefined && this.#clock.elapsed() >= budgetSeconds,
      isCheckpointDue: this.#checkpoints.isDue(this.#step),
    })
  }

  /** Begins to read the batches of the call that starts at `step`. */
  #read(step: number): Promise<Stack> {
    const until = Math.min(...Object.values(this.#rhythm).map((every) => every - (step % every)), this.#lastStep - step)
    const wanted = this.#perCall.next(Math.max(1, until))
    const reading = this.#options.team.stepsOfCall(wanted).then((steps) => this.#supply.next(steps))
    // A failure belongs to the call that needs these batches.
    reading.catch(() => undefined)
    return reading
  }

  #call({ inputs, ...options }: Stack): Promise<Outputs> {
    this.#clock.startCall()
    const { profiler } = this.#options
    return profiler === undefined ? this.#session.executable.run(inputs, options) : profiler.run(inputs, options)
  }

  /** While the engine works through its first call. A small training has its first step sooner without. */
  async #emptyHeapOnce(): Promise<void> {
    if (this.#isHeapEmptied || this.#session.prepared.memory.totalBytes < minBytesToEmptyHeap) return
    this.#isHeapEmptied = true
    await emptyHeap()
  }

  /** Takes in what a call gave. @throws DIVERGED */
  async #take(stack: Stack, outputs: Outputs): Promise<void> {
    const { loss, gradientNorm } = outputs
    for (let index = 0; index < stack.steps; index++) {
      const value = loss.data[index]
      if (!Number.isFinite(value) || (gradientNorm !== undefined && !Number.isFinite(gradientNorm.data[index]))) {
        throw await this.#divergence(stack, index, value)
      }
      this.#progress.lossSum += value
      this.#progress.numLosses++
    }
    const seconds = this.#clock.endCall(stack.steps)
    this.#perCall.observe(stack.steps, seconds)
    this.#step += stack.steps
    this.#options.observer.progressed({
      step: this.#step,
      loss: loss.data[stack.steps - 1],
      ...this.#rates(stack.steps / seconds),
      stepsPerSecond: stack.steps / seconds,
      secondsLeft: (this.#totalSteps - this.#step) / this.#clock.stepsPerSecond(),
    })
  }

  #rates(stepsPerSecond: number): { samplesPerSecond: number; tokensPerSecond: number | undefined } {
    const { batchSize, source } = this.#session.prepared
    const samplesPerSecond = stepsPerSecond * batchSize
    const tokens = tokensPerSample(source)
    return { samplesPerSecond, tokensPerSecond: tokens === undefined ? undefined : tokens * samplesPerSecond }
  }

  /** Reports, validates and saves where this step asks for it. */
  async #atBoundary(outputs: Outputs, isCheckpointDue: boolean): Promise<Ending | undefined> {
    const isLast = this.#step === this.#totalSteps
    const isDue = (every: number): boolean => isLast || this.#step % every === 0
    const validates = this.#session.evaluator !== undefined && isDue(this.#rhythm.validate)
    let ending: Ending | undefined
    if (validates || isDue(this.#rhythm.report)) ending = await this.#report(outputs, validates)
    if (ending !== undefined && !isLast) return this.#end(ending)
    if (isLast || isCheckpointDue) await this.#save()
    return undefined
  }

  async #report(outputs: Outputs, validates: boolean): Promise<Ending | undefined> {
    const { recorder, observer, writer } = this.#options
    writer?.check()
    const loss = this.#progress.lossSum / this.#progress.numLosses
    const measured = validates ? await this.#validate() : {}
    const exchanged = await this.#options.team.exchanged()
    const { tokensPerSecond, samplesPerSecond } = this.#rates(this.#clock.takeRate())
    const report: Report = {
      step: this.#step,
      samples: this.#step * this.#session.prepared.batchSize,
      loss,
      learningRate: lastOf(outputs.learningRate),
      secondsElapsed: round(this.#clock.elapsed(), 3),
      ...(tokensPerSecond === undefined
        ? { samplesPerSecond: round(samplesPerSecond, 1) }
        : { tokensPerSecond: round(tokensPerSecond, 1) }),
      ...(outputs.gradientNorm === undefined ? {} : { gradientNorm: lastOf(outputs.gradientNorm) }),
      ...measured,
      ...exchanged,
    }
    recorder?.record(report)
    observer.reported(report)
    return this.#judge(loss, report.validationLoss)
  }

  /** What validation measured, by the names that reports have for it. */
  async #validate(): Promise<Record<string, number>> {
    const measured = await this.#session.evaluator?.run(this.#options.team.communicator)
    this.#clock.skip()
    return Object.fromEntries(
      Object.entries(measured ?? {}).map(([name, value]) => [
        `validation${name[0].toUpperCase()}${name.slice(1)}`,
        value,
      ]),
    )
  }

  /** Whether the training is over early, by the report's own numbers; begins the next report. */
  #judge(loss: number, validationLoss: number | undefined): Ending | undefined {
    const progress = this.#progress
    const { tolerance, patience, minImprovement } = this.#session.prepared.settings
    const { previousLoss } = progress
    Object.assign(progress, { lossSum: 0, numLosses: 0, previousLoss: loss } satisfies Partial<LoopProgress>)
    if (validationLoss !== undefined) {
      const isBetter =
        progress.bestValidationLoss === undefined || validationLoss < progress.bestValidationLoss - minImprovement
      if (isBetter) progress.bestValidationLoss = validationLoss
      progress.numWithoutImprovement = isBetter ? 0 : progress.numWithoutImprovement + 1
      if (patience !== undefined && progress.numWithoutImprovement >= patience) return { kind: 'stoppedEarly' }
    }
    const isFlat = tolerance !== undefined && previousLoss !== undefined && Math.abs(previousLoss - loss) < tolerance
    return isFlat ? { kind: 'converged' } : undefined
  }

  /** Writes the state; bringing it to the disk goes on behind the training. */
  async #save(): Promise<void> {
    const { writer } = this.#options
    if (writer === undefined || writer.newestStep === this.#step) return
    const { prepared } = this.#session
    await writer.start({
      step: this.#step,
      samples: this.#step * prepared.batchSize,
      seed: prepared.settings.seed,
      dataFingerprint: prepared.source.fingerprint,
      settings: bitSettings(describeSettings(prepared)),
      progress: saveProgress(this.#progress),
      ...this.#session.outgoingState(),
    })
    this.#checkpoints.written()
    this.#clock.skip()
  }

  async #end(ending: Ending): Promise<Ending> {
    await this.#save()
    return ending
  }

  /** The error that ends a run whose loss is no number, naming the first value that was none. */
  async #divergence(stack: Stack, index: number, loss: number): Promise<TalwegError> {
    const { optimizer } = this.#session.prepared
    // Each worker would stop at another instruction, and wait for one that doesn't come: with several it is not looked for.
    const finding =
      this.#options.team.communicator === undefined
        ? await this.#session.executable.findNonFinite(optimizer.fullBatch ? stack.inputs : batchOf(stack, index))
        : undefined
    const first =
      finding === undefined
        ? ''
        : `; the first value that is not finite is ${finding.label} ${formatType(finding.type)}`
    const newestStep = this.#options.writer?.newestStep
    const kept = newestStep === undefined ? '' : `; the checkpoint of step ${newestStep} is whole`
    return new TalwegError({
      code: 'DIVERGED',
      operation: 'train',
      problem: `at step ${this.#step + index + 1} the loss is ${loss}${Number.isFinite(loss) ? ' and the gradients are not finite' : ''}${first}`,
      hint: `take a smaller learning rate, warm it up, or clip gradients (clipNorm)${kept}`,
    })
  }
}

/** Where the batches come from, beginning at a global sample position. */
function openSupply(
  prepared: PreparedTraining,
  { communicator, maxStepsPerCall }: Team,
  position: number,
): BatchSupply {
  const { settings, source, batchSize, sharding, optimizer, resident } = prepared
  const share = { ...sharding, worker: communicator?.rank ?? 0 }
  if (optimizer.fullBatch) return new WholeData(source, share)
  const options = { seed: settings.seed, batchSize, position, capacity: maxStepsPerCall, share }
  return resident === undefined ? new StackedBatches(source, options) : new ResidentBatches(source, resident, options)
}

/** The settings on which bits depend: where a run stopped, and by what machine it was made, is not in its checkpoints. */
function bitSettings(settings: Readonly<Record<string, JsonValue>>): Record<string, JsonValue> {
  const { threads: _threads, keep: _keep, budgetSeconds: _budget, ...others } = settings
  const { checkpointEvery: _every, stopAtStep: _stop, ...rest } = others
  return rest
}

function lastOf({ data }: TensorData): number {
  return data[data.length - 1]
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** Time spent, and steps by it. */
class Clock {
  readonly #start = performance.now()
  readonly #before: number
  #callStart = 0
  /** When the last call ended, if nothing but reading batches came since. */
  #lastEnd: number | undefined
  #steps = 0
  #seconds = 0
  #recent: number | undefined

  /** @param secondsBefore spent before the run was resumed */
  constructor(secondsBefore: number) {
    this.#before = secondsBefore
  }

  elapsed(): number {
    return this.#before + (performance.now() - this.#start) / 1000
  }

  startCall(): void {
    this.#callStart = this.#lastEnd ?? performance.now()
  }

  /** @returns seconds that the call took, with what the loop did around it */
  endCall(steps: number): number {
    const now = performance.now()
    const seconds = Math.max((now - this.#callStart) / 1000, 1e-9)
    this.#lastEnd = now
    this.#steps += steps
    this.#seconds += seconds
    const rate = steps / seconds
    this.#recent = this.#recent === undefined ? rate : 0.9 * this.#recent + 0.1 * rate
    return seconds
  }

  /** Validation and checkpoints are not the steps' time. */
  skip(): void {
    this.#lastEnd = undefined
  }

  stepsPerSecond(): number {
    return this.#recent ?? 1
  }

  /** Steps a second since it was last asked. */
  takeRate(): number {
    const rate = this.#steps / Math.max(this.#seconds, 1e-9)
    this.#steps = 0
    this.#seconds = 0
    return rate
  }
}
