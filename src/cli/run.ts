/** Runs one command line: finds the command, reads its flags, turns whatever it throws into a message and an exit code. */
import yargs from 'yargs'
import { exitCodes, TalwegError } from '../core/errors.js'
import { nearest } from '../core/nearest.js'
import type { Command } from './command.js'
import { commands } from './commands/index.js'
import { endOnUncaughtErrors, reportFailure } from './failure.js'
import { badFlag, readFlags, refuseBadBooleans, refuseUnknown, yargsHelp, yargsOptions, type Flags } from './flags.js'
import { Output } from './output.js'

const jsonFlag = {
  json: { kind: 'boolean', describe: 'Standard output holds JSON alone; messages go to standard error' },
} as const satisfies Flags

const exitCodesHelp =
  'Exit codes: 0 done; 1 failed; 2 the request was wrong (flag, file, shape or data); 3 the loss diverged; ' +
  '4 does not fit in memory; 5 a worker is lost; 6 a budget is reached, checkpoint saved; 75 preempted, checkpoint saved, ' +
  'worth retrying; 130 or 143 stopped by Ctrl-C or SIGTERM, checkpoint saved.'

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
    await print(generalHelp(), isAsked ? process.stdout : process.stderr)
    return isAsked ? exitCodes.done : exitCodes.wrongRequest
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry === undefined) throw unknownCommand(name)
  const command = await entry.load()
  const flags = { ...command.flags, ...jsonFlag }
  if (isHelpAsked(rest)) {
    await print(helpOf(command, flags), process.stdout)
    return exitCodes.done
  }
  refuseBadBooleans(rest, flags, command.name)
  const { words, argv } = await parse(base().options(yargsOptions(flags)), rest, command)
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

function base(): ReturnType<typeof yargs> {
  return yargs([])
    .locale('en')
    .help(false)
    .version(false)
    .exitProcess(false)
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .parserConfiguration({ 'unknown-options-as-args': true, 'parse-positional-numbers': false, 'dot-notation': false })
}

function helpOf(command: Command, flags: Flags): Promise<string> {
  const usage = ['talweg', command.name, ...command.args.map(({ name }) => name), '[flags]'].join(' ')
  const args = command.args.map(({ name, describe }) => `  ${name}  ${describe}`).join('\n')
  return base()
    .scriptName('talweg')
    .usage(`${usage}\n\n${command.describe}.${args === '' ? '' : `\n\n${args}`}`)
    .options(yargsHelp(flags))
    .example(command.examples.map(([line, what]): [string, string] => [line, what]))
    .epilogue(exitCodesHelp)
    .getHelp()
}

function generalHelp(): Promise<string> {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(([name, { describe }]) => `  ${name.padEnd(width)}  ${describe}`)
  return Promise.resolve(
    `Talweg trains models by gradient descent, from TypeScript.\n\nUsage: talweg COMMAND [flags]\n\nCommands:\n${lines.join('\n')}\n\n` +
      `talweg COMMAND --help tells of a command's flags; talweg --version prints the version.\n\n${exitCodesHelp.replaceAll('; ', ';\n  ').replace(': ', ':\n  ')}`,
  )
}

async function print(text: Promise<string>, stream: NodeJS.WriteStream): Promise<void> {
  stream.write(`${await text}\n`)
}

async function parse(
  parser: ReturnType<typeof yargs>,
  args: readonly string[],
  command: Command,
): Promise<{ words: string[]; argv: Record<string, unknown> }> {
  const failing = parser.fail((message, error) => {
    const [, missing] = /^Not enough arguments following: (.*)$/.exec(message ?? '') ?? []
    throw badFlag(command.name, missing === undefined ? (message ?? error.message).trim() : `--${missing} has no value`)
  })
  const { _: words, ...argv } = await failing.parseAsync([...args])
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
