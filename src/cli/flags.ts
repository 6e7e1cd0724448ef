/**
 * Flags: what a command declares, and the check of what was given. yargs writes the help and its parser splits the line into
 * words; kinds and choices are checked here, so that every fault is one coded error that names the flag and both values.
 */
import type { Options } from 'yargs'
import type { Options as ParserOptions } from 'yargs-parser'
import { TalwegError } from '../core/errors.js'
import { nearest } from '../core/nearest.js'

export interface Flag {
  readonly kind: 'text' | 'integer' | 'number' | 'boolean' | 'list'
  readonly describe: string
  /** Other spellings; one letter gets one hyphen. */
  readonly aliases?: readonly string[]
  readonly choices?: readonly string[]
  /** What stands for the value in the help: `FILE`. */
  readonly value?: string
  /** For a number: the least that is allowed. */
  readonly least?: number
  /** For a number: also this word, such as `auto`. */
  readonly orWord?: string
  /** Shown in the help; what holds where the flag is absent is decided by the command. */
  readonly defaultText?: string
  readonly group?: string
  readonly isRequired?: boolean
}

export type Flags = Readonly<Record<string, Flag>>

type ValueOf<F extends Flag> = F extends { kind: 'boolean' }
  ? boolean
  : F extends { kind: 'list' }
    ? readonly string[]
    : F extends { kind: 'integer' | 'number' }
      ? F extends { orWord: infer Word }
        ? number | Word
        : number
      : string

/** The values given, by flag. */
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: ValueOf<F[K]> | undefined }

/** Keeps literal types, for `FlagValues`. */
export function defineFlags<const F extends Flags>(flags: F): F {
  return flags
}

/** How a flag is spelled on the command line: `batchSize` is `--batch-size`. */
export function spell(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** For the parser: which flags are on or off, and which have values. */
export function parserOptions(flags: Flags): ParserOptions {
  const all = Object.entries(flags).map(([name, flag]) => ({ ...flag, name: spell(name).slice(2) }))
  const named = (isWanted: (flag: Flag) => boolean): string[] => all.filter(isWanted).map(({ name }) => name)
  const isList = ({ kind }: Flag): boolean => kind === 'list'
  const hasValue = ({ kind }: Flag): boolean => kind !== 'boolean'
  return {
    alias: Object.fromEntries(all.map(({ name, aliases = [] }) => [name, [...aliases]])),
    boolean: named((flag) => !hasValue(flag)),
    string: named(hasValue),
    array: named(isList),
    // NaN: a value must follow, which may be any word; 1 for lists, which would take all words that follow.
    narg: Object.fromEntries(all.filter(hasValue).map((flag) => [flag.name, isList(flag) ? 1 : NaN])),
    configuration: { 'unknown-options-as-args': true, 'parse-positional-numbers': false, 'dot-notation': false },
  }
}

/** For the help alone: without types, which yargs would print and which say less than `N`, `X` and `FILE` do. */
export function yargsHelp(flags: Flags): Record<string, Options> {
  return Object.fromEntries(Object.entries(flags).map(([name, flag]) => [spell(name).slice(2), helpOf(flag)]))
}

function helpOf({ kind, describe, aliases, choices, value, defaultText, group, isRequired }: Flag): Options {
  const shown = value ?? choices?.join('|') ?? (kind === 'integer' ? 'N' : kind === 'number' ? 'X' : undefined)
  const text = shown === undefined ? describe : `${shown}: ${describe}`
  return {
    describe: isRequired ? `${text} (required)` : text,
    alias: aliases,
    defaultDescription: defaultText,
    group,
    demandOption: false,
  }
}

/** Checks and converts what yargs found. @throws UNKNOWN_FLAG, INVALID_SETTING */
export function readFlags<F extends Flags>(
  flags: F,
  argv: Readonly<Record<string, unknown>>,
  command: string,
): FlagValues<F> {
  const values = Object.entries(flags).map(([name, flag]) => [name, readFlag(name, flag, argv[name], command)])
  return Object.fromEntries(values) as FlagValues<F>
}

function readFlag(name: string, flag: Flag, given: unknown, command: string): unknown {
  if (given === undefined) {
    if (flag.isRequired)
      throw badFlag(command, `${spell(name)} is missing`, `add ${spell(name)} ${flag.value ?? ''}`.trim())
    return undefined
  }
  if (flag.kind === 'list')
    return (Array.isArray(given) ? given : [given]).map((each) => readText(name, flag, String(each), command))
  const last: unknown = Array.isArray(given) ? given.at(-1) : given
  if (flag.kind === 'boolean') return Boolean(last)
  const text = String(last)
  if (flag.kind === 'text') return readText(name, flag, text, command)
  return text === flag.orWord ? text : readNumber(name, flag, text, command)
}

function readText(name: string, { choices }: Flag, text: string, command: string): string {
  if (choices === undefined ? text !== '' : choices.includes(text)) return text
  if (choices === undefined) throw badFlag(command, `${spell(name)} is empty`)
  const near = nearest(text, choices)
  throw badFlag(command, `${spell(name)} is "${text}"; it takes ${choices.join(', ')}`, near && `did you mean ${near}`)
}

function readNumber(name: string, { kind, least, orWord }: Flag, text: string, command: string): number {
  const value = Number(text)
  const isRight = text.trim() !== '' && Number.isFinite(value) && (kind === 'number' || Number.isSafeInteger(value))
  if (isRight && (least === undefined || value >= least)) return value
  const wanted = kind === 'integer' ? 'a whole number' : 'a number'
  const bound = least === undefined ? '' : ` of at least ${least}`
  throw badFlag(
    command,
    `${spell(name)} is "${text}"; it takes ${wanted}${bound}${orWord === undefined ? '' : ` or "${orWord}"`}`,
  )
}

/** Refuses `--x=maybe`, which yargs would take for `false`, and `--no-x=…`, of a flag that is on or off. */
export function refuseBadBooleans(words: readonly string[], flags: Flags, command: string): void {
  const booleans = new Map(
    Object.entries(flags).flatMap(([name, { kind }]) => (kind === 'boolean' ? [[spell(name), name]] : [])),
  )
  for (const word of words) {
    const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? []
    const positive = flag?.replace(/^--no-/, '--')
    if (positive !== undefined && positive !== flag && booleans.has(positive))
      throw badFlag(
        command,
        `${flag} takes no value, and has "${value}"`,
        `${flag} alone is false, ${positive} is true`,
      )
    if (flag === undefined || !booleans.has(flag) || value === 'true' || value === 'false') continue
    throw badFlag(
      command,
      `${flag} is "${value}"; it takes true or false`,
      `${flag} alone is true, --no-${flag.slice(2)} is false`,
    )
  }
}

/** Refuses the first word that looks like a flag and is none; yargs leaves those among the arguments. */
export function refuseUnknown(words: readonly string[], flags: Flags, command: string): void {
  const unknown = words.find((word) => /^-./.test(word) && !/^-\.?\d/.test(word))
  if (unknown === undefined) return
  const name = unknown.replace(/=.*$/s, '')
  const known = Object.entries(flags).flatMap(([flag, { kind, aliases = [] }]) => [
    spell(flag),
    ...(kind === 'boolean' ? [`--no-${spell(flag).slice(2)}`] : []),
    ...aliases.map((alias) => (alias.length === 1 ? `-${alias}` : `--${alias}`)),
  ])
  const near = nearest(name, known)
  throw new TalwegError({
    code: 'UNKNOWN_FLAG',
    operation: command,
    problem: `there is no flag ${name}`,
    hint: near === undefined ? `talweg ${command} --help lists them` : `did you mean ${near}`,
  })
}

export function badFlag(command: string, problem: string, hint?: string): TalwegError {
  return new TalwegError({ code: 'INVALID_SETTING', operation: command, problem, hint })
}
