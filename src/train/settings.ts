/**
 * What can be chosen at launch: everything about a training that is not its model, data, loss or optimiser. Settings
 * come from the training file, then a settings file, then flags; they are checked together, once, here.
 */
import * as z from 'zod'
import { TalwegError } from '../core/errors.js'
import { nearest } from '../core/nearest.js'
import { passNames } from '../compile/options.js'
import { engineChoices } from './engines.js'

const count = z.number().int().min(1)
const positive = z.number().positive()

const settingsSchema = z.strictObject({
  /** Samples a step, over all workers. Gradient descent proper takes all there are. */
  batchSize: count.optional(),
  /** Steps of the whole training; or give `epochs`. */
  steps: count.optional(),
  /** Passes over the data; a part of one is allowed. */
  epochs: positive.optional(),
  /** The optimiser's largest learning rate, in place of the one in the training file. */
  learningRate: positive.optional(),
  /** `bf16`: products take operands in bf16 and sum in f32; weights stay f32. */
  precision: z.enum(['f32', 'bf16']).default('f32'),
  /** Everything random follows from it: initial weights, the order of the data, dropout. */
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  /**
   * Virtual shards that a batch is a sum over, by a fixed tree: bits depend on their number, and not on the number of
   * workers, who share them. Default: the number of workers.
   */
  shards: count.optional(),
  /** Parts that a shard is worked through in, one after another: less memory, the same mathematics. */
  accumulate: count.default(1),
  /** Steps between reports. Default: a hundredth of the training. */
  reportEvery: count.optional(),
  /** Steps between validations, where the data has a held-out part. Default: a tenth of the training. */
  validateEvery: count.optional(),
  /** Steps between checkpoints, and one at the end in any case. Default: a hundredth of the training, but not within 30 s of the last. */
  checkpointEvery: count.optional(),
  /** Checkpoints to keep. */
  keep: count.default(3),
  /** Stop when the validation loss was not better for so many validations. */
  patience: count.optional(),
  /** By how much a validation loss must be smaller to be better. */
  minImprovement: z.number().min(0).default(0),
  /** Stop when the loss changes by less than this from one report to the next. */
  tolerance: positive.optional(),
  /** Stop, with a checkpoint, after so many of the steps; schedules go by all of them. */
  stopAtStep: count.optional(),
  /** Stop, with a checkpoint, after so many seconds of training, over all resumptions. */
  budgetSeconds: positive.optional(),
  /** Passes of the compiler that are left out, to tell what each does and whether a fault is its. */
  disabledPasses: z.array(z.enum(passNames)).optional(),
  engine: z.enum(engineChoices).default('auto'),
  /** Threads of the native engine. Default: all cores. */
  threads: count.max(1024).optional(),
})

/** As given: all optional. */
export type SettingsInput = z.input<typeof settingsSchema>
/** Checked, with defaults. */
export type Settings = z.output<typeof settingsSchema>

export const settingNames = Object.keys(settingsSchema.shape) as readonly (keyof Settings)[]

/**
 * Checks settings and fills in defaults.
 *
 * @param operation who asks, for the message
 * @param tunables further names that could have been meant
 * @throws UNKNOWN_SETTING naming the nearest known one; INVALID_SETTING
 */
export function resolveSettings(
  given: Readonly<Record<string, unknown>>,
  operation: string,
  tunables: readonly string[] = [],
): Settings {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(settingsSchema.shape, name))
  if (unknown !== undefined) throw unknownSetting(unknown, [...settingNames, ...tunables], operation)
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const parsed = settingsSchema.safeParse(defined)
  if (!parsed.success) throw invalidSetting(parsed.error.issues[0], defined, operation)
  const { steps, epochs } = parsed.data
  if (steps !== undefined && epochs !== undefined) {
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation,
      problem: `both steps (${steps}) and epochs (${epochs}) are given`,
      hint: 'give one of them',
    })
  }
  return parsed.data
}

/** Whether a setting takes whole numbers alone. */
export function isWholeSetting(name: string): boolean {
  const schema = Object.hasOwn(settingsSchema.shape, name) ? settingsSchema.shape[name as keyof Settings] : undefined
  return schema !== undefined && schema.safeParse(2).success && !schema.safeParse(2.5).success
}

/** Settings over others; `steps` replaces `epochs`, and the other way round. */
export function overlaySettings(
  below: Readonly<Record<string, unknown>>,
  above: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { steps, epochs, ...rest } = below
  const replacesLength = above.steps !== undefined || above.epochs !== undefined
  const defined = Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined))
  return { ...rest, ...(replacesLength ? {} : { steps, epochs }), ...defined }
}

export function unknownSetting(name: string, known: readonly string[], operation: string): TalwegError {
  const near = nearest(name, known)
  return new TalwegError({
    code: 'UNKNOWN_SETTING',
    operation,
    problem: `there is no setting "${name}"`,
    hint: near === undefined ? `settings are ${known.join(', ')}` : `did you mean ${near}`,
  })
}

function invalidSetting(
  issue: z.core.$ZodIssue,
  given: Readonly<Record<string, unknown>>,
  operation: string,
): TalwegError {
  const name = issue.path.join('.')
  const value = issue.path.reduce<unknown>((object, key) => Object(object)[key], given)
  return new TalwegError({
    code: 'INVALID_SETTING',
    operation,
    problem: `${name} is ${JSON.stringify(value)}: ${issue.message}`,
  })
}
