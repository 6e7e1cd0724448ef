/** Runs one command line: finds the command, reads its flags, turns whatever it throws into a message and an exit code. */
import parser from 'yargs-parser'
import { exitCodes, TalwegError } from '../core/errors.js'
import { nearest } from '../core/nearest.js'
import type { Command } from './command.js'
import { commands } from './commands/index.js'
import { endOnUncaughtErrors, reportFailure } from './failure.js'
import { badFlag, parserOptions, readFlags, refuseBadBooleans, refuseUnknown, type Flags } from './flags.js'
import { Output } from './output.js'

const jsonFlag = {
  json: { kind: 'boolean', describe: 'Standard output holds JSON alone; messages go to standard error' },
} as const satisfies Flags

/** @returns the exit code */
export async function run(args: readonly string[]): Promise<number> {
  // A reader that has gone (`| head`) must not end a training.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  endOnUncaughtErrors()
  try {
    return await runCommand(args)
  } catch (error) {
    return reportFailure(error)
  }
}

async function runCommand(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const isAsked = name !== undefined
    const { generalHelp } = await import('./help.js')
    const stream = isAsked ? process.stdout : process.stderr
    stream.write(`${generalHelp()}\n`)
    return isAsked ? exitCodes.done : exitCodes.wrongRequest
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry === undefined) throw unknownCommand(name)
  const command = await entry.load()
  const flags = { ...command.flags, ...jsonFlag }
  if (isHelpAsked(rest)) {
    const { helpOf } = await import('./help.js')
    process.stdout.write(`${await helpOf(command, flags)}\n`)
    return exitCodes.done
  }
  refuseBadBooleans(rest, flags, command.name)
  const { words, argv } = parse(rest, flags, command)
  refuseUnknown(words, flags, command.name)
  checkCount(words, command)
  const { json, ...values } = readFlags(flags, argv, command.name)
  return command.run(words, values, new Output(json === true))
}

/** Words after `--` are arguments, whatever they look like. */
function isHelpAsked(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return words.slice(0, end < 0 ? words.length : end).some((word) => word === '--help' || word === '-h')
}

function parse(
  args: readonly string[],
  flags: Flags,
  command: Command,
): { words: string[]; argv: Record<string, unknown> } {
  const { argv: found, error } = parser.detailed([...args], parserOptions(flags))
  if (error !== null) {
    const [, missing] = /^Not enough arguments following: (.*)$/.exec(error.message) ?? []
    throw badFlag(command.name, missing === undefined ? error.message : `--${missing} has no value`)
  }
  const { _: words, ...argv } = found
  return { words: words.map(String), argv }
}

function checkCount(words: readonly string[], { name, args }: Command): void {
  if (words.length < args.length) {
    const missing = args[words.length]
    throw badFlag(
      name,
      `${missing.name} is missing: ${missing.describe.replace(/\.$/, '')}`,
      `talweg ${name} --help shows how it is used`,
    )
  }
  if (words.length > args.length) {
    throw badFlag(
      name,
      `"${words[args.length]}" is one argument too many; it takes ${args.map((arg) => arg.name).join(' ') || 'none'}`,
    )
  }
}

function unknownCommand(name: string): TalwegError {
  const isFlag = name.startsWith('-')
  const near = isFlag ? undefined : nearest(name, Object.keys(commands))
  return new TalwegError({
    code: 'UNKNOWN_FLAG',
    operation: 'talweg',
    problem: isFlag ? `there is no flag ${name} before a command` : `there is no command "${name}"`,
    hint: near === undefined ? 'talweg --help lists the commands' : `did you mean ${near}`,
  })
}
