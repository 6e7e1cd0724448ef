/** `train`: one training, in one run's folder, from the start or from its newest whole checkpoint to its end. */
import { relative, resolve } from 'node:path'
import { TalwegError } from '../core/errors.js'
import type { EngineProfiling } from '../engine/engine.js'
import {
  CheckpointWriter,
  loadNewestWhole,
  removeTemporaries,
  type JsonValue,
  type LoadedCheckpoint,
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
export async function train({
  training,
  overrides,
  folder: path,
  resume,
  file,
  observer,
  profile = false,
}: TrainOptions): Promise<TrainResult> {
  const folder = new RunFolder(path)
  const hadRun = await folder.hasRun()
  if (hadRun && !resume) await folder.prepare(false)
  const given = hadRun ? overlaySettings((await folder.readDescription()).overrides, overrides) : overrides
  const settings = training.settings(given)
  const notify = (message: string): void => observer.told(message)
  const prepared = await prepareTraining(training, settings, notify)
  try {
    checkFits(prepared)
    const profiling = profile ? checkProfiling(prepared.engine) : undefined
    await folder.prepare(resume)
    const lock = await RunLock.take(folder.path, notify)
    try {
      return await trainLocked(
        prepared,
        folder,
        { file: file === undefined ? null : relative(resolve(path), resolve(file)), overrides: jsonOf(given) },
        resume,
        observer,
        profiling,
      )
    } finally {
      await lock.release()
    }
  } finally {
    await prepared.source.close()
  }
}

interface Origin {
  readonly file: string | null
  readonly overrides: { readonly [key: string]: JsonValue }
}

async function trainLocked(
  prepared: PreparedTraining,
  folder: RunFolder,
  origin: Origin,
  resume: boolean,
  observer: TrainingObserver,
  profiling: EngineProfiling | undefined,
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
  const session = await TrainingSession.open(prepared, checkpoint)
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
const fixedSettings = ['seed', 'batchSize'] as const

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
      `${name} is ${JSON.stringify(now[name])}, and the run was begun with ${JSON.stringify(manifest.settings[name])}`,
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

function jsonOf(settings: Readonly<Record<string, unknown>>): Record<string, JsonValue> {
  return JSON.parse(JSON.stringify(settings)) as Record<string, JsonValue>
}
