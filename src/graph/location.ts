/**
 * Where in the user's own code a node was asked for, so that an error found while tracing, or a NaN found while
 * running, names the line of the training file.
 *
 * Capturing a stack is cheap; turning it into text is not, so that is put off until someone asks.
 */

export interface Location {
  /** The innermost frame that is not Talweg's own, or undefined where there is none. */
  readonly resolve: () => SourcePosition | undefined
}

export interface SourcePosition {
  readonly file: string
  readonly line: number
  readonly column: number
}

interface StackHolder {
  stack?: string
}

/** V8's stack capture; other browsers give the stack by constructing an error. */
const errorConstructor = Error as { captureStackTrace?: (target: object) => void; stackTraceLimit?: number }

/** The folder (or URL prefix) of Talweg's own modules, whose frames are never the user's. */
const ownPrefix = import.meta.url.replace(/graph\/location\.[jt]s.*$/, '')
const ownPath = ownPrefix.replace(/^file:\/\//, '')

const numFramesKept = 40

export function captureLocation(): Location {
  const holder: StackHolder = {}
  if (errorConstructor.captureStackTrace) {
    const limit = errorConstructor.stackTraceLimit
    errorConstructor.stackTraceLimit = numFramesKept
    errorConstructor.captureStackTrace(holder)
    errorConstructor.stackTraceLimit = limit
  } else {
    holder.stack = new Error().stack
  }
  let position: SourcePosition | undefined
  let resolved = false
  return {
    resolve: () => {
      if (!resolved) position = findUserFrame(holder.stack ?? '')
      resolved = true
      return position
    },
  }
}

function findUserFrame(stack: string): SourcePosition | undefined {
  for (const line of stack.split('\n').slice(1)) {
    if (line.includes(ownPrefix) || line.includes(ownPath) || line.includes('node:') || line.includes('/node_modules/'))
      continue
    const match = /\(?((?:file:\/\/|https?:\/\/)?[^()\s]+):(\d+):(\d+)\)?$/.exec(line)
    if (match) {
      const file = decodeURIComponent(match[1].replace(/^file:\/\//, '')).replace(/\?.*$/, '')
      return { file, line: Number(match[2]), column: Number(match[3]) }
    }
  }
  return undefined
}

/** The user's own line that is being run, in the form that errors take. */
export function currentPlace(): { file: string; line: number } | undefined {
  const position = captureLocation().resolve()
  return position && { file: position.file, line: position.line }
}
