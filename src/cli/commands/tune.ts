/** `talweg tune`: searches for the best settings of a training. */
import path from 'node:path'
import { exitCodes } from '../../core/errors.js'
import { defaultRunFolder } from '../../train/index.js'
import { fit } from '../../train/fit/index.js'
import { StopListener } from '../../train/stop.js'
import { checkFolder, gridValues, rangeTest, type RangeTestResult, readSpace, tune as runTune, type Outcome, type Sampler, type TuneObserver, type TuneResult } from '../../tune/index.js' // prettier-ignore
import { defineCommand } from '../command.js'
import { gatherSettings, settingFlags, settingSources } from '../flagGroups.js'
import { badFlag, defineFlags, spell, type FlagValues } from '../flags.js'
import { fitOptionsOf, foldFlags, foldsOf, tableFlags } from '../fitFlags.js'
import { FitView, reportFit } from '../fitReport.js'
import { ownCommand } from '../ownCommand.js'
import { loadTraining } from '../trainingFile.js'
import { formatDuration, formatTable, shortPath, type Output } from '../output.js'

const search = 'Search:'
const budget = 'Budget:'
const run = 'Run:'

const flags = defineFlags({
  grid: {
    kind: 'list',
    value: 'NAME=LOW:HIGH:log:COUNT',
    describe: 'try all of these values, or of NAME=A,B,C; may be repeated, for all combinations',
    defaultText: 'what the file declares by tunable',
    group: search,
  },
  range: {
    kind: 'list',
    value: 'NAME=LOW:HIGH:log',
    describe: 'for --random and --sobol: what to draw from; may be repeated',
    defaultText: 'what the file declares by tunable',
    group: search,
  },
  random: { kind: 'boolean', describe: 'draw settings at random', group: search },
  sobol: { kind: 'boolean', describe: 'draw settings that fill the ranges evenly', group: search },
  asha: {
    kind: 'boolean',
    describe: 'train all a little, the better ones further (asynchronous successive halving)',
    group: search,
  },
  reduction: {
    kind: 'integer',
    least: 2,
    describe: 'for --asha: one in so many goes on',
    defaultText: '4',
    group: search,
  },
  rangeTest: {
    kind: 'boolean',
    describe: 'instead, raise the learning rate step by step and tell from the losses which rate to take',
    group: search,
  },
  metric: {
    kind: 'text',
    value: 'NAME',
    describe: 'what reports have, to go by',
    defaultText: 'validationLoss, or loss',
    group: search,
  },
  maximize: {
    kind: 'boolean',
    describe: 'the more of the metric the better; --no-maximize: the less',
    defaultText: 'for accuracies alone',
    group: search,
  },
  searchSeed: {
    kind: 'integer',
    least: 0,
    describe: 'what is drawn follows from it',
    defaultText: '0',
    group: search,
  },
  trials: {
    kind: 'integer',
    least: 1,
    describe: 'trials at most',
    defaultText: 'the whole grid, or 16',
    group: budget,
  },
  samples: { kind: 'number', least: 1, describe: 'samples that all trials see together, at most', group: budget },
  seconds: { kind: 'number', least: 0, describe: 'seconds of the search, over all resumptions', group: budget },
  run: {
    kind: 'text',
    value: 'DIR',
    describe: "the search's folder",
    defaultText: "runs/ and the file's name with -tune",
    group: run,
  },
  resume: {
    kind: 'boolean',
    describe: 'go on with a search that was stopped or killed, repeating nothing',
    group: run,
  },
  parallel: {
    kind: 'integer',
    least: 1,
    describe: 'trials at once',
    defaultText: 'as many as cores and memory have room for',
    group: 'Machine:',
  },
  ...settingFlags,
  ...settingSources,
  ...tableFlags,
  ...foldFlags,
})

type Values = FlagValues<typeof flags>

export const tune = defineCommand({
  name: 'tune',
  describe: 'Search for the settings of a training that are best, its learning rate first of all',
  args: [{ name: 'FILE', describe: 'A training file, or a table as talweg fit takes it' }],
  flags,
  examples: [
    ['talweg tune examples/digits.ts --grid learningRate=1e-4:1e-1:log:8', 'Eight learning rates'],
    ['talweg tune examples/characters.ts --sobol --range learningRate=1e-4:1e-2:log --asha --trials 27', ''],
    ['talweg tune houses.csv --target price --grid learningRate=1e-3:1:log:32', 'By 5-fold cross-validation'],
    ['talweg tune model.ts --random --trials 50 --seconds 3600 --json', 'What model.ts declares by tunable'],
  ],
  run: async ([file], values, output) => {
    if (isTable(file)) return tuneTable(file, values, output)
    const tableFlag = Object.keys({ ...tableFlags, ...foldFlags }).find(
      (name) => values[name as keyof Values] !== undefined,
    )
    if (tableFlag !== undefined)
      throw badFlag('tune', `${spell(tableFlag)} is of tables, and ${file} is a training file`)
    if (values.rangeTest === true) return testRange(file, values, output)
    const { sampler, specs } = readSearch(values)
    const overrides = await gatherSettings(values, Object.keys(settingFlags), 'tune')
    const resume = values.resume === true
    const folder = values.run ?? (await defaultRunFolder(`${withoutExtension(file)}-tune`, resume))
    checkFolder(folder, resume)
    const stop = new AbortController()
    const listener = new StopListener(({ reason }) => {
      output.message(`${reason}: the trials save their checkpoints; again to stop at once`)
      stop.abort()
    })
    try {
      const result = await runTune({
        file,
        overrides,
        specs,
        sampler,
        reduction: values.asha === true ? (values.reduction ?? 4) : undefined,
        numTrials: values.trials,
        budget: { samples: values.samples, seconds: values.seconds },
        metric: values.metric,
        direction: values.maximize === undefined ? undefined : values.maximize ? 'maximize' : 'minimize',
        seed: values.searchSeed ?? 0,
        parallel: values.parallel,
        folder,
        command: ownCommand(),
        stop,
        observer: observerOf(output),
      })
      output.result(toJson(result, folder), () => describe(result, folder))
      if (result.ending === 'stopped') return listener.request?.exitCode ?? exitCodes.failed
      return result.ending === 'budget' ? exitCodes.budgetReached : exitCodes.done
    } finally {
      listener.close()
    }
  },
})

const defaultRange = { low: 1e-7, high: 10 } as const

/** The learning-rate range test of a training file. */
async function testRange(file: string, values: Values, output: Output): Promise<number> {
  const other = (['grid', 'random', 'sobol', 'asha', 'trials', 'samples', 'seconds', 'metric', 'resume', 'learningRate'] as const).find((name) => values[name] !== undefined) // prettier-ignore
  if (other !== undefined) throw badFlag('tune', `${spell(other)} and --range-test are given`, 'give one of them')
  const [range = defaultRange, another] = values.range === undefined ? [] : readSpace(values.range, new Map())
  if (
    another !== undefined ||
    !('low' in range) ||
    ('name' in range && range.name !== 'learningRate') ||
    range.low <= 0
  )
    throw badFlag('tune', '--range-test goes through one range', 'use --range learningRate=1e-7:10:log')
  const overrides = await gatherSettings(values, Object.keys(settingFlags), 'tune')
  const training = await loadTraining(file, 'tune', overrides)
  const folder = values.run ?? (await defaultRunFolder(`${withoutExtension(file)}-range-test`, false))
  const told = (message: string): void => output.message(message)
  const result = await rangeTest({ training, overrides, file, folder, from: range.low, to: range.high, told })
  output.result({ ...result, run: folder }, () => describeRangeTest(result))
  return result.exitCode ?? exitCodes.done
}

function describeRangeTest({ points, suggestion, lowest, picture }: RangeTestResult): string {
  const stride = Math.max(1, Math.ceil(points.length / 24))
  const rows = points
    .filter((_, index) => index % stride === 0 || index === points.length - 1)
    .map(({ learningRate, loss, smoothed }) => [learningRate, loss, smoothed].map((value) => String(Number(value.toPrecision(4))))) // prettier-ignore
  const table = formatTable([['rate', 'loss', 'smoothed'], ...rows], [true, true, true])
  const drawn = `The curve is in ${shortPath(picture)}`
  if (suggestion === null) return `${table}\n\nThe loss does not fall at any of these rates. ${drawn}`
  const rate = (value: number | null): string => String(Number(value?.toPrecision(3)))
  return `${table}\n\nThe loss falls fastest at --learning-rate ${rate(suggestion)}; it is lowest at ${rate(lowest)}. ${drawn}`
}

function isTable(file: string): boolean {
  return /\.(csv|tsv|parquet|json|jsonl|ndjson)(\.gz)?$/i.test(file)
}

/** The learning rates of a grid, by cross-validation; all of them and all splits in one graph. */
async function tuneTable(file: string, values: Values, output: Output): Promise<number> {
  const folds = foldsOf('tune', values, 5)
  const { grid = [] } = values
  const other = (['range', 'random', 'sobol', 'asha', 'trials', 'samples', 'metric', 'run', 'resume', 'set', 'learningRate'] as const).find((name) => values[name] !== undefined) // prettier-ignore
  if (other !== undefined) throw badFlag('tune', `${spell(other)} is of training files, and ${file} is a table`, 'use --grid learningRate=LOW:HIGH:log:COUNT') // prettier-ignore
  const space = grid.length === 0 ? [] : readSpace(grid, new Map())
  const wrong = space.find(({ name }) => name !== 'learningRate')
  if (wrong !== undefined) throw badFlag('tune', `--grid has ${wrong.name}; of a table, learning rates are searched`, 'use --grid learningRate=LOW:HIGH:log:COUNT') // prettier-ignore
  const learningRates = space.length === 0 ? undefined : gridValues(space[0]).map(Number)
  const bad = learningRates?.find((rate) => !(rate > 0))
  if (bad !== undefined) throw badFlag('tune', `a learning rate is ${bad}`, 'give numbers above 0')
  const view = new FitView(output)
  try {
    const options = { ...fitOptionsOf('tune', values), method: 'gd', learningRate: 'auto' } as const
    const result = await fit(file, { ...options, crossValidation: folds && { folds, learningRates } }, view)
    view.close()
    reportFit(result, undefined, output)
    return view.request?.exitCode ?? exitCodes.done
  } finally {
    view.close()
  }
}

/** How settings are chosen, and from what. */
function readSearch({ grid, range, random, sobol, asha, reduction, trials }: Values): {
  sampler: Sampler
  specs: readonly string[]
} {
  if (random === true && sobol === true)
    throw badFlag('tune', 'both --random and --sobol are given', 'give one of them')
  const drawn = random === true ? '--random' : sobol === true ? '--sobol' : undefined
  if (drawn !== undefined && grid !== undefined)
    throw badFlag('tune', `--grid and ${drawn} are given`, `say what ${drawn} draws from by --range`)
  if (drawn === undefined && range !== undefined)
    throw badFlag('tune', '--range is given without --random or --sobol', 'add one of them, or use --grid')
  if (reduction !== undefined && asha !== true) throw badFlag('tune', '--reduction is of --asha', 'add --asha')
  if (asha === true && trials !== undefined && trials < 2)
    throw badFlag('tune', `--trials is ${trials}, of which --asha can't leave out any`, 'leave out --asha')
  if (drawn === undefined) return { sampler: 'grid', specs: grid ?? [] }
  return { sampler: random === true ? 'random' : 'sobol', specs: range ?? [] }
}

function withoutExtension(file: string): string {
  return path.basename(file).replace(/\.[^.]*$/, '')
}

function observerOf(output: Output): TuneObserver {
  let numFinished = 0
  return {
    told: (message) => output.message(message),
    started: ({ numTrials, parallel, numKnown }) => {
      const known = numKnown === 0 ? '' : `, ${numKnown} results known already`
      output.message(`${numTrials} trials, ${parallel} at once${known}`)
    },
    finished: (outcome) => {
      numFinished++
      output.message(`${numFinished}. trial ${outcome.trial + 1}, ${describeOutcome(outcome)}`)
    },
  }
}

function describeOutcome({ settings, status, score, step, seconds }: Outcome): string {
  const what = score === null ? describeStatus(status) : formatScore(score)
  return `${describeSettings(settings)}: ${what} at step ${step}, ${formatDuration(seconds)}`
}

function describeStatus(status: Outcome['status']): string {
  return status === 'doesNotFit' ? 'does not fit in memory' : status
}

function describeSettings(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')
}

function formatScore(score: number): string {
  return String(Number(score.toPrecision(6)))
}

/** What gives these settings to `talweg train`. */
function flagOf(settings: Readonly<Record<string, unknown>>): string {
  const direct = new Set(Object.keys(settingFlags))
  return Object.entries(settings)
    .map(([name, value]) => (direct.has(name) ? `${spell(name)} ${String(value)}` : `--set ${name}=${String(value)}`))
    .join(' ')
}

function toJson(
  { ending, head, trials, best, settingsFile, space, outcomes, report }: TuneResult,
  folder: string,
): object {
  return {
    ending,
    metric: head.metric,
    direction: head.direction,
    search: head.sampler,
    strategy: head.strategy,
    space,
    trials,
    samples: sampleCount(outcomes),
    best: best === undefined ? null : { ...best, flag: flagOf(best.settings), settingsFile },
    report,
    run: folder,
  }
}

/** Of each job those beyond the job before it. */
function sampleCount(outcomes: readonly Outcome[]): number {
  const last = new Map<number, number>()
  for (const { trial, samples } of outcomes) last.set(trial, Math.max(samples, last.get(trial) ?? 0))
  return [...last.values()].reduce((sum, samples) => sum + samples, 0)
}

function describe({ ending, head, trials, best, settingsFile, space, report }: TuneResult, folder: string): string {
  const names = space.map(({ name }) => name)
  const header = ['trial', ...names, head.metric, 'step']
  const rows = trials.map(({ trial, settings, status, score, step }) => [
    String(trial),
    ...names.map((name) => String(settings[name])),
    score === null ? describeStatus(status) : formatScore(score),
    String(step),
  ])
  const table = formatTable([header, ...rows], [true, ...names.map(() => true), true, true])
  const ends = { done: '', budget: 'The budget is used up; go on with --resume and a larger one.\n', stopped: 'Stopped; go on with --resume.\n' } // prettier-ignore
  if (best === undefined || settingsFile === undefined) return `${table}\n\n${ends[ending]}No trial came to an end.`
  return `${table}\n\n${ends[ending]}Best: ${flagOf(best.settings)}\nor    --settings ${shortPath(settingsFile)}\nKept in ${shortPath(folder)}, with plots in ${shortPath(report)}`
}
