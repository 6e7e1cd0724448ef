/** The help of the command line. yargs lays it out; it is loaded only when help is asked for. */
import yargs from 'yargs'
import type { Command } from './command.js'
import { commands } from './commands/index.js'
import { yargsHelp, type Flags } from './flags.js'

const exitCodesHelp =
  'Exit codes: 0 done; 1 failed; 2 the request was wrong (flag, file, shape or data); 3 the loss diverged; ' +
  '4 does not fit in memory; 5 a worker is lost; 6 a budget is reached, checkpoint saved; 75 preempted, checkpoint saved, ' +
  'worth retrying; 130 or 143 stopped by Ctrl-C or SIGTERM, checkpoint saved.'

/** What `talweg COMMAND --help` shows. */
export function helpOf(command: Command, flags: Flags): Promise<string> {
  const usage = ['talweg', command.name, ...command.args.map(({ name }) => name), '[flags]'].join(' ')
  const args = command.args.map(({ name, describe }) => `  ${name}  ${describe}`).join('\n')
  return yargs([])
    .locale('en')
    .help(false)
    .version(false)
    .exitProcess(false)
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .scriptName('talweg')
    .usage(`${usage}\n\n${command.describe}.${args === '' ? '' : `\n\n${args}`}`)
    .options(yargsHelp(flags))
    .example(command.examples.map(([line, what]): [string, string] => [line, what]))
    .epilogue(exitCodesHelp)
    .getHelp()
}

/** What `talweg --help` shows. */
export function generalHelp(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(([name, { describe }]) => `  ${name.padEnd(width)}  ${describe}`)
  return (
    `Talweg trains models by gradient descent, from TypeScript.\n\nUsage: talweg COMMAND [flags]\n\nCommands:\n${lines.join('\n')}\n\n` +
    `talweg COMMAND --help tells of a command's flags; talweg --version prints the version.\n\n${exitCodesHelp.replaceAll('; ', ';\n  ').replace(': ', ':\n  ')}`
  )
}
