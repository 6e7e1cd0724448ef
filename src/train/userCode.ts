/** Calling the functions of a training file: what they throw is the user's, and is told as such, with their own line. */
import { TalwegError, type ErrorPlace } from '../core/errors.js'

/**
 * Calls a function of the training file.
 *
 * @param what its name there, for the message
 * @throws INVALID_TRAINING where it throws an error that arose in the user's own code; anything else as it is
 */
export function callUser<T>(what: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw asUserError(what, error)
  }
}

/** The same for one that may be asynchronous. */
export async function callUserAsync<T>(what: string, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw asUserError(what, error)
  }
}

/** What was thrown, as an error of the user's if it arose in the user's own code, and as it is otherwise. */
export function asUserError(what: string, error: unknown): unknown {
  if (error instanceof TalwegError) return error
  if (!(error instanceof Error)) {
    return new TalwegError({ code: 'INVALID_TRAINING', operation: what, problem: `it threw ${String(error)}` })
  }
  const place = userPlace(error)
  if (place === undefined) return error
  return new TalwegError({
    code: 'INVALID_TRAINING',
    operation: what,
    problem: `it threw ${error.name}: ${error.message}`,
    place,
    cause: error,
  })
}

/** The folder of Talweg's own modules, whose frames are never the user's. */
const ownFolder = new URL('..', import.meta.url).pathname

/** Where an error arose, if the innermost frame of its stack that is a file is one of the user's. */
export function userPlace(error: Error): ErrorPlace | undefined {
  for (const line of (error.stack ?? '').split('\n')) {
    const match = /^\s+at .*?\(?((?:file:\/\/)?\/[^()]+):(\d+):\d+\)?$/.exec(line)
    if (match === null) continue
    const file = decodeURIComponent(match[1].replace(/^file:\/\//, ''))
    return file.startsWith(ownFolder) || file.includes('/node_modules/') ? undefined : { file, line: Number(match[2]) }
  }
  return undefined
}
