/** What is to be said of a family so that its models can be read and written as others keep them. */
import type { z } from 'zod'
import { TalwegError } from '../../core/errors.js'
import { nearest } from '../../core/nearest.js'
import type { Module } from '../../nn/index.js'
import type { TensorEntry } from '../safetensors/header.js'
import type { OutgoingTensor } from '../safetensors/writer.js'
import type { Row } from './rows.js'

/** A value of `config.json`. */
export type ConfigValue =
  string | number | boolean | null | readonly ConfigValue[] | { readonly [key: string]: ConfigValue }
export type Config = { readonly [key: string]: unknown }

/** What is known of a folder before its tensors are read. */
export interface PretrainedFacts {
  readonly config: Config
  /** Where the configuration stands, for messages. */
  readonly file: string
  readonly entries: ReadonlyMap<string, TensorEntry>
}

export interface Family<M extends Module = Module> {
  /** As messages name it. */
  readonly name: string
  /** Whether a folder holds a model of this family. */
  readonly isIn: (facts: PretrainedFacts) => boolean
  /** Whether a model of Talweg is of this family. */
  readonly has: (model: Module) => model is M
  /** A model as the folder's is, with first values of its own. */
  readonly make: (facts: PretrainedFacts) => M
  readonly rows: readonly Row[]
  /** Begins their names in some files and not in others. It is written. */
  readonly prefix?: string
  /** Tensors that have nothing to say: masks, copies of tied weights. */
  readonly isIgnored?: (name: string, model: M) => boolean
  /** Tensors of theirs that are no parameter here, with what they are to say. */
  readonly extras?: (model: M) => readonly OutgoingTensor[]
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

/** An error at a configuration. */
export function unusable(file: string, problem: string, hint?: string): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: 'loadPretrained', problem, hint, place: { file } })
}

/** A configuration that asks for what Talweg's model of the family does not do. */
export function refuseUnless(isSo: boolean, file: string, key: string, found: unknown, known: readonly string[]): void {
  if (isSo) return
  const near = typeof found === 'string' ? nearest(found, known) : undefined
  throw unusable(
    file,
    `"${key}" is ${JSON.stringify(found)}; Talweg's model of the family has ${known.join(' or ')}`,
    near === undefined ? undefined : `did you mean ${near}`,
  )
}
