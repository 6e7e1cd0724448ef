/** How an error ends a command: one message, and the exit code that its kind has. */
import { exitCodes, TalwegError } from '../core/errors.js'
import { asUserError } from '../train/userCode.js'
import { shortPath } from './output.js'

/**
 * Tells of an error on standard error.
 *
 * A `TalwegError` is something the user can act on and is one message. Anything else is a bug of Talweg's: it is shown
 * with its stack, for the report.
 *
 * @returns the exit code
 */
export function reportFailure(error: unknown): number {
  if (!(error instanceof TalwegError)) {
    process.stderr.write(
      `talweg: an error that should not happen. Please report it, with these lines:\n${stackOf(error)}\n`,
    )
    return exitCodes.failed
  }
  process.stderr.write(`${describeFailure(error)}\n`)
  if (error.code === 'INTERNAL' || process.env.TALWEG_STACK) process.stderr.write(`${stackOf(error)}\n`)
  return error.exitCode
}

/** The message, with paths as the user would write them. */
export function describeFailure(error: TalwegError): string {
  const { place } = error
  return (place?.file === undefined ? error : error.at({ file: shortPath(place.file) })).message
}

/**
 * Ends the process, with one message, when something is thrown that no call of ours can catch: in a timer of the training
 * file, or by a promise that it leaves alone. Whatever checkpoints there are stay whole.
 */
export function endOnUncaughtErrors(): void {
  const end = (error: unknown): void =>
    process.exit(reportFailure(asUserError('outside any function of the training', error)))
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.stack ?? String(error)
  return error.cause === undefined ? own : `${own}\nCaused by ${stackOf(error.cause)}`
}
