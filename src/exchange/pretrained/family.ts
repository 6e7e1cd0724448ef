/** What is to be said of a family so that its models can be read and written as others keep them. */
import type { z } from 'zod'
import { TalwegError } from '../../core/errors.js'
import { nearest } from '../../core/nearest.js'
import type { Module } from '../../nn/index.js'
import type { TensorEntry } from '../safetensors/header.js'
import type { OutgoingTensor } from '../safetensors/writer.js'
import type { Pairing, Row } from './rows.js'

/** A value of `config.json`. */
export type ConfigValue =
  string | number | boolean | null | readonly ConfigValue[] | { readonly [key: string]: ConfigValue }
export type Config = { readonly [key: string]: unknown }

/** A class of models: what `loadPretrained` is to give. */
export type ModelClass<M extends Module = Module> = abstract new (...args: never[]) => M

/** What is known before the tensors are read. */
export interface PretrainedFacts {
  readonly config: Config
  /** Where the configuration stands, for messages. */
  readonly file: string
  /** By their names, as the family now has them. */
  readonly entries: ReadonlyMap<string, TensorEntry>
  /** The class that was asked for. */
  readonly expected: ModelClass | undefined
  /** Classes of a new last layer, where one was asked for. */
  readonly numClasses: number | undefined
}

export interface Family<M extends Module = Module> {
  /** As messages name it. */
  readonly name: string
  /** Whether a folder holds a model of this family. */
  readonly isIn: (facts: PretrainedFacts) => boolean
  /** Whether a model of Talweg is of this family. */
  readonly has: (model: Module) => boolean
  /** A model as the folder's is, with first values of its own. */
  readonly make: (facts: PretrainedFacts) => M
  readonly rows: readonly Row[]
  /** Begins their names in some files and not in others. */
  readonly prefix?: string
  /** Whether it is written. Default true. */
  readonly isPrefixWritten?: boolean
  /** A name of before as it is now. */
  readonly rename?: (name: string) => string
  /** Tensors that have nothing to say to a model: masks, copies of tied weights, parts that it was not asked to have. */
  readonly isIgnored?: (name: string, model: M, facts: PretrainedFacts) => boolean
  /** Tensors of theirs that are no parameter here, with what they are to say. */
  readonly extras?: (pairings: readonly Pairing[]) => readonly OutgoingTensor[]
  /** `config.json` of a model. */
  readonly describe: (model: M) => { readonly [key: string]: ConfigValue }
}

/** @throws INVALID_FILE naming the first key that is not as the family has it */
export function parseConfig<T>(schema: z.ZodType<T>, { config, file }: PretrainedFacts): T {
  const parsed = schema.safeParse(config)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const key = issue.path.join('.')
  const found = key === '' ? undefined : JSON.stringify(Object(config)[issue.path[0] as string])
  throw unusable(file, `${key === '' ? 'it' : `"${key}"`} is ${found ?? 'missing'}: ${issue.message}`)
}

/** An error at a file of a model. */
export function unusable(file: string, problem: string, hint?: string): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: 'loadPretrained', problem, hint, place: { file } })
}

/**
 * Refuses a configuration that asks for what Talweg's model of the family does not do.
 *
 * @param allowed by key: what it says, whether that can be done, and what can
 */
export function requireOf(
  file: string,
  allowed: Readonly<Record<string, readonly [found: unknown, isSo: boolean, known: string]>>,
): void {
  for (const [key, [found, isSo, known]] of Object.entries(allowed)) {
    if (isSo) continue
    const near = typeof found === 'string' ? nearest(found, [known]) : undefined
    throw unusable(
      file,
      `"${key}" is ${JSON.stringify(found)}; Talweg's model of the family has ${known}`,
      near === undefined ? undefined : `did you mean ${near}`,
    )
  }
}
