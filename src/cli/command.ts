/** What a command is: its arguments, its flags and what it does. One file in `commands/` each. */
import type { Flags, FlagValues } from './flags.js'
import type { Output } from './output.js'

export interface Argument {
  readonly name: string
  readonly describe: string
}

export interface Command<F extends Flags = Flags> {
  readonly name: string
  readonly describe: string
  /** All are required. */
  readonly args: readonly Argument[]
  readonly flags: F
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** @returns the exit code */
  readonly run: (args: readonly string[], values: FlagValues<F>, output: Output) => Promise<number>
}

/** Makes a command, with the types of its flags' values. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command {
  return command as unknown as Command
}
