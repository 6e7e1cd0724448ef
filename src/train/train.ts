/** `train`: one training, in one run's folder, from the start or from its newest whole checkpoint to its end. */
import { relative, resolve } from 'node:path'
import { TalwegError } from '../core/errors.js'
import type { Communicator } from '../engine/communicator.js'
import type { EngineProfiling } from '../engine/engine.js'
import {
  CheckpointWriter,
  loadNewestWhole,
  removeTemporaries,
  type JsonValue,
  type LoadedCheckpoint,
  type Manifest,
} from './checkpoint/index.js'
import { runLoop, type Ending } from './loop.js'
import { readReports, type Report } from './metrics/index.js'
import type { TrainingObserver } from './observer.js'
import { checkProfiling, Profiler, writeProfile, type Profile } from './profile/index.js'
import { RunFolder } from './run/folder.js'
import { RunLock } from './run/lock.js'
import { RunRecorder } from './run/recorder.js'
import { checkFits } from './memoryNeed.js'
import { describeSettings, prepareTraining, TrainingSession, type PreparedTraining } from './session.js'
import { overlaySettings } from './settings.js'
import { StopListener } from './stop.js'
import { alone, assemble, jsonOf, toldByFirst, type Team } from './team.js'
import type { Training } from './training.js'

export interface TrainOptions {
  readonly training: Training
  /** Settings over the training's own. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** The run's folder. */
  readonly folder: string
  readonly resume: boolean
  /** The training file, to be kept with the run. */
  readonly file: string | undefined
  readonly observer: TrainingObserver
  /** Whether to time each instruction, and to write `profile.json` and `trace.json`. */
  readonly profile?: boolean
  /** The other workers, where there are several. Worker 0 alone keeps the run's folder, and tells of it. */
  readonly communicator?: Communicator
}

export interface TrainResult {
  readonly ending: Ending
  readonly folder: RunFolder
  readonly lastReport: Report | undefined
  /** Where it was asked for and a step was done. */
  readonly profile: Profile | undefined
  /** What was trained, still in the engine. Its data is closed. */
  readonly session: TrainingSession
}

/**
 * Trains.
 *
 * @throws what the training file, the settings, the data or the disk are at fault for; DIVERGED; DOES_NOT_FIT
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { training, overrides, folder: path, resume, file, observer, profile = false, communicator } = options
  const folder = new RunFolder(path)
  const isFirst = communicator === undefined || communicator.rank === 0
  const given = await toldByFirst(communicator, () => overridesOfRun(folder, options))
  const notify = (message: string): void => observer.told(message)
  const prepared = await prepareTraining(training, training.settings(given), notify, communicator)
  try {
    const team = communicator === undefined ? alone(prepared) : await assemble(prepared, overrides, communicator)
    checkFits(prepared)
    const profiling = profile && isFirst ? checkProfiling(prepared.engine) : undefined
    const joined = { prepared, team, folder, observer, profiling }
    if (!isFirst) return await trainAlong(joined)
    await folder.prepare(resume)
    const lock = await RunLock.take(folder.path, notify)
    try {
      const relativeFile = file === undefined ? null : relative(resolve(path), resolve(file))
      return await trainLocked(joined, { file: relativeFile, overrides: jsonOf(given) }, resume)
    } finally {
      await lock.release()
    }
  } finally {
    await prepared.source.close()
  }
}

/** What is set over the training file's own settings: as the run was begun, and over that as was said now. */
async function overridesOfRun(
  folder: RunFolder,
  { training, overrides, resume, communicator }: TrainOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const hadRun = await folder.hasRun()
  if (hadRun && !resume) await folder.prepare(false)
  if (hadRun) return overlaySettings((await folder.readDescription()).overrides, overrides)
  if (communicator === undefined || training.settings(overrides).shards !== undefined) return overrides
  return { ...overrides, shards: communicator.size }
}

interface Origin {
  readonly file: string | null
  readonly overrides: { readonly [key: string]: JsonValue }
}

interface Joined {
  readonly prepared: PreparedTraining
  readonly team: Team
  readonly folder: RunFolder
  readonly observer: TrainingObserver
  readonly profiling: EngineProfiling | undefined
}

/** A worker that is not the first: it computes, and writes nothing. */
async function trainAlong({ prepared, team, folder, observer }: Joined): Promise<TrainResult> {
  const manifest = await toldByFirst<Manifest | null>(team.communicator, () => Promise.resolve(null))
  const session = await TrainingSession.open(prepared)
  if (team.communicator !== undefined) await session.shareState(team.communicator)
  const stop = new StopListener(() => undefined)
  const none = { writer: undefined, recorder: undefined, profiler: undefined }
  try {
    const ending = await runLoop({ session, team, observer, stop, manifest: manifest ?? undefined, ...none })
    return { ending, folder, lastReport: undefined, profile: undefined, session }
  } finally {
    stop.close()
  }
}

async function trainLocked(
  { prepared, team, folder, observer, profiling }: Joined,
  origin: Origin,
  resume: boolean,
): Promise<TrainResult> {
  await removeTemporaries(folder.checkpoints)
  const checkpoint = resume
    ? await loadNewestWhole(folder.checkpoints, (message) => observer.told(`warning: ${message}`))
    : undefined
  if (checkpoint !== undefined) checkResumable(checkpoint, prepared, observer)
  const { source, model, settings, engine, totalSteps, memory } = prepared
  await folder.writeDescription({
    ...origin,
    settings: describeSettings(prepared),
    data: source.describe(),
    numParameters: model.numParameters,
  })
  const step = checkpoint?.manifest.step ?? 0
  const writer = new CheckpointWriter(folder.checkpoints, settings.keep, checkpoint?.manifest.step)
  const peaks = await profiling?.measurePeaks?.()
  await toldByFirst(team.communicator, () => Promise.resolve(checkpoint?.manifest))
  const session = await TrainingSession.open(prepared, checkpoint)
  if (team.communicator !== undefined) await session.shareState(team.communicator)
  const profiler = profiling && new Profiler(profiling, session.executable, peaks)
  const recorder = await RunRecorder.open(folder, step)
  const stop = new StopListener(({ reason }) =>
    observer.told(`${reason}: saving a checkpoint and stopping; again to stop at once`),
  )
  observer.started({
    totalSteps,
    step,
    numParameters: model.numParameters,
    engine: engine.description,
    plannedBytes: memory.totalBytes,
    runFolder: folder.path,
  })
  try {
    const ending = await runLoop({
      session,
      team,
      writer,
      recorder,
      observer,
      stop,
      manifest: checkpoint?.manifest,
      profiler,
    })
    await recorder.flush()
    if (ending.kind !== 'stopped') await recorder.draw()
    const hasSteps = profiler !== undefined && profiler.tally.steps > 0
    const profile = hasSteps ? await writeProfile(profiler, session, folder.path, step) : undefined
    return { ending, folder, lastReport: (await readReports(folder.metrics)).at(-1), profile, session }
  } finally {
    stop.close()
    await recorder.close()
  }
}

/** Settings without which going on would not be going on. */
const fixedSettings = ['seed', 'batchSize', 'shards'] as const

/** @throws CHECKPOINT_MISMATCH where data or settings are others; other differences are told */
function checkResumable(
  { manifest, folder }: LoadedCheckpoint,
  prepared: PreparedTraining,
  observer: TrainingObserver,
): void {
  const mismatch = (problem: string, hint: string): TalwegError =>
    new TalwegError({ code: 'CHECKPOINT_MISMATCH', operation: 'resume', problem, hint, place: { file: folder } })
  if (manifest.dataFingerprint !== prepared.source.fingerprint) {
    throw mismatch(
      'the data is not the data that the run was begun with',
      'give the same data, or train under another name with --run',
    )
  }
  const now = describeSettings(prepared)
  for (const name of fixedSettings) {
    if (now[name] === manifest.settings[name]) continue
    throw mismatch(
      `${name} is ${JSON.stringify(now[name] ?? 1)}, and the run was begun with ${JSON.stringify(manifest.settings[name] ?? 1)}`,
      `give ${name} as it was, or train under another name with --run`,
    )
  }
  for (const [name, before] of Object.entries(manifest.settings)) {
    if (now[name] === undefined || JSON.stringify(now[name]) === JSON.stringify(before)) continue
    observer.told(
      `warning: ${name} is ${JSON.stringify(now[name])} from here on; until step ${manifest.step} it was ${JSON.stringify(before)}`,
    )
  }
}
