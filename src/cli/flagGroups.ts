/** Flags that several commands have. */
import { passNames } from '../compile/options.js'
import { engineChoices } from '../train/engines.js'
import { settingNames } from '../train/settings.js'
import { badFlag, defineFlags, type FlagValues } from './flags.js'
import { readAssignments, readSettingsFile, type Settings } from './settings.js'

export const engineFlags = defineFlags({
  engine: { kind: 'text', choices: engineChoices, describe: 'what computes', defaultText: 'auto', group: 'Machine:' },
  threads: {
    kind: 'integer',
    least: 1,
    describe: 'threads of the native engine',
    defaultText: 'all cores',
    group: 'Machine:',
  },
})

const training = 'Training:'

/** Flags that are settings of a training, by the same names. */
export const settingFlags = defineFlags({
  steps: { kind: 'integer', least: 1, describe: 'steps of the whole training', group: training },
  epochs: { kind: 'number', least: 0, describe: 'passes over the data, instead of steps', group: training },
  batchSize: { kind: 'integer', least: 1, describe: 'samples a step', group: training },
  learningRate: { kind: 'number', least: 0, aliases: ['lr'], describe: "the schedule's largest rate", group: training },
  seed: { kind: 'integer', least: 0, describe: 'everything random follows from it', group: training },
  precision: { kind: 'text', choices: ['f32', 'bf16'], describe: 'of products; weights stay f32', group: training },
  shards: {
    kind: 'integer',
    least: 1,
    describe: 'virtual shards of a batch: bits depend on them alone, not on the number of workers',
    defaultText: 'the number of workers',
    group: training,
  },
  accumulate: { kind: 'integer', least: 1, describe: 'parts that a batch is worked through in', group: training },
  budgetSeconds: {
    kind: 'number',
    least: 0,
    describe: 'stop after so many seconds, with a checkpoint',
    group: training,
  },
  disabledPasses: {
    kind: 'list',
    value: 'NAME',
    choices: passNames,
    aliases: ['disable-pass'],
    describe: 'a pass of the compiler that is left out, may be repeated',
    group: 'Machine:',
  },
  ...engineFlags,
})

export const settingSources = defineFlags({
  settings: { kind: 'text', value: 'FILE', describe: 'settings from a JSON or YAML file', group: training },
  set: {
    kind: 'list',
    value: 'KEY=VALUE',
    describe: `any setting, may be repeated: ${settingNames.join(', ')}`,
    group: training,
  },
})

type SettingValues = FlagValues<typeof settingFlags & typeof settingSources>

/** All settings given on the command line: of the file, then by --set, then by flags of their own. */
export async function gatherSettings(
  values: Partial<SettingValues>,
  names: readonly string[],
  command: string,
): Promise<Settings> {
  const { settings: file, set = [] } = values
  const fromFile = file === undefined ? {} : await readSettingsFile(file)
  const assigned = readAssignments(set, command)
  const flags = Object.fromEntries(
    Object.entries(values).filter(([name, value]) => names.includes(name) && value !== undefined),
  )
  for (const [one, other] of [['steps', 'epochs']] as const) {
    if (flags[one] !== undefined && flags[other] !== undefined)
      throw badFlag(command, `both --${one} and --${other} are given`, 'give one of them')
  }
  return { ...fromFile, ...assigned, ...flags }
}
