/** `talweg train`: trains what a file exports. */
import { exitCodes, TalwegError } from '../../core/errors.js'
import { readWorld, type World } from '../../distribute/index.js'
import { openCommunicator } from '../../engine/native/index.js'
import { GPT } from '../../nn/index.js'
import { generateTokens } from '../../train/sample/index.js'
import {
  defaultRunFolder,
  RunFolder,
  supervisedVariable,
  train as runTraining,
  type Ending,
  type TrainResult,
} from '../../train/index.js'
import { defineCommand } from '../command.js'
import { gatherSettings, settingFlags, settingSources } from '../flagGroups.js'
import { defineFlags, type FlagValues } from '../flags.js'
import { formatDuration, shortPath, type Output } from '../output.js'
import { describeProfile } from '../profileTable.js'
import type { ProgressView } from '../progress.js'
import { loadTraining } from '../trainingFile.js'
import { textCodecOf } from '../text.js'
import { exchangeTimeoutMs, isSupervisorAsked, runAsWorker, supervise, workerFlags } from '../workers.js'

const run = 'Run:'

export const trainFlags = defineFlags({
  ...settingFlags,
  ...settingSources,
  run: {
    kind: 'text',
    value: 'DIR',
    describe: "the run's folder",
    defaultText: "runs/ and the file's name",
    group: run,
  },
  resume: {
    kind: 'boolean',
    describe: 'go on from the newest whole checkpoint, to the same bits as never having stopped',
    group: run,
  },
  checkpointEvery: {
    kind: 'integer',
    least: 1,
    describe: 'steps between checkpoints',
    defaultText: 'a hundredth of the training, or 30 s',
    group: run,
  },
  profile: {
    kind: 'boolean',
    describe: 'time each operation; a table at the end, profile.json and trace.json in the run’s folder',
    group: run,
  },
  keep: { kind: 'integer', least: 1, describe: 'checkpoints to keep', defaultText: '3', group: run },
  ...workerFlags,
})

const settingFlagNames = [...Object.keys(settingFlags), 'checkpointEvery', 'keep']

export const train = defineCommand({
  name: 'train',
  describe: 'Train what a training file exports',
  args: [{ name: 'FILE', describe: 'A TypeScript file whose default export is a training (defineTraining)' }],
  flags: trainFlags,
  examples: [
    ['talweg train examples/characters.ts', 'A GPT on a book'],
    ['talweg train examples/digits.ts --lr 3e-3 --epochs 5 --json', 'A line of JSON a report'],
    ['talweg train examples/digits.ts --run runs/digits --resume', 'Goes on where it was stopped'],
  ],
  run: async ([file], values, output) => {
    const world = readWorld(process.env, { size: values.workers })
    const resume = values.resume === true
    if (process.env[supervisedVariable] !== undefined) stopWithStandardInput()
    const folder = values.run ?? (await defaultRunFolder(file, resume))
    if (isSupervisorAsked(values, world)) return supervise({ file, folder, resume, flags: trainFlags, values }, output)
    return runAsWorker(world, folder, output, (view) => trainHere(world, file, folder, values, view, output))
  },
})

/** Trains in this process, alone or as a worker. @returns the exit code */
async function trainHere(
  world: World,
  file: string,
  folder: string,
  values: FlagValues<typeof trainFlags>,
  view: ProgressView,
  output: Output,
): Promise<number> {
  const overrides = await gatherSettings(values, settingFlagNames, 'train')
  const resume = values.resume === true
  const training = await loadTraining(file, 'train', { ...(await overridesOf(folder, resume)), ...overrides })
  const communicator =
    world.size === 1 ? undefined : await openCommunicator({ ...world, timeoutMs: exchangeTimeoutMs(values) })
  let result: TrainResult
  try {
    const { profile } = values
    result = await runTraining({ training, overrides, folder, resume, file, observer: view, profile, communicator })
  } finally {
    view.close()
  }
  await communicator?.close()
  // mpirun ends all workers when one has another code; worker 0 may still have something to show.
  if (world.rank !== 0) return exitCodes.done
  view.told(describeEnding(result))
  if (result.profile !== undefined) view.told(describeProfile(result.profile, result.folder.path))
  if (!output.isJson && result.ending.kind !== 'stopped') await showText(result, output)
  return exitCodeOf(result.ending)
}

function exitCodeOf(ending: Ending): number {
  if (ending.kind === 'stopped') return ending.request.exitCode
  return isUnfinished(ending) ? exitCodes.budgetReached : exitCodes.done
}

function isUnfinished({ kind }: Ending): boolean {
  return kind === 'budget' || kind === 'paused'
}

/** What a run that is to be gone on with was begun with: the training file may declare some of it. */
async function overridesOf(folder: string, resume: boolean): Promise<Readonly<Record<string, unknown>>> {
  const run = new RunFolder(folder)
  return resume && (await run.hasRun()) ? (await run.readDescription()).overrides : {}
}

/** A search that is killed can't tell its trials; what it held open at their standard input is closed all the same. */
function stopWithStandardInput(): void {
  process.stdin.once('end', () => process.kill(process.pid, 'SIGTERM')).resume()
  process.stdin.unref()
}

const endings: { readonly [K in Exclude<Ending['kind'], 'stopped'>]: string } = {
  done: 'done',
  converged: 'converged: the loss no longer changes',
  stoppedEarly: 'stopped early: the validation loss no longer falls',
  budget: 'the time budget is used up',
  paused: 'stopped at the step that was asked for',
}

function describeEnding({ ending, folder, lastReport }: TrainResult): string {
  const what = ending.kind === 'stopped' ? `stopped (${ending.request.reason})` : endings[ending.kind]
  const figures =
    lastReport === undefined ? '' : `, step ${lastReport.step}, ${formatDuration(lastReport.secondsElapsed)}`
  const resume =
    ending.kind === 'stopped' || isUnfinished(ending) ? `; go on with --run ${shortPath(folder.path)} --resume` : ''
  return `${what}${figures}, saved in ${shortPath(folder.path)}${resume}`
}

const sampleLength = 400

/** A trained language model shows what it can say. */
async function showText({ session, folder }: TrainResult, output: Output): Promise<void> {
  const { model, engine, settings } = session.prepared
  if (!(model instanceof GPT)) return
  const codec = await textCodecOf(folder)
  const parameters = await session.copyModel()
  const tokens: number[] = []
  const prompt = Array.from(codec.encode('\n'))
  try {
    const options = { temperature: 0.8, seed: settings.seed }
    for await (const token of generateTokens(model, parameters, engine, prompt, sampleLength, options))
      tokens.push(token)
  } catch (error) {
    if (error instanceof TalwegError && error.code === 'UNSUPPORTED_BY_ENGINE') return output.message(error.message)
    throw error
  }
  output.line(`\n${codec.decode(tokens)}`)
}
