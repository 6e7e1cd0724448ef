/**
 * Loading the user's training file: TypeScript as it is, without a build.
 *
 * jiti compiles it (keeping the lines, so that a location in the graph is a line of the user's own file; kept in a cache, so
 * that the second time costs nothing) and gives it this very instance of Talweg for `import … from 'talweg'`: a second
 * instance would have a second stack of traces, and its tensors would not be this one's.
 */
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { createJiti } from 'jiti'
import { TalwegError, type ErrorPlace } from '../core/errors.js'
import { currentPlace } from '../graph/location.js'
import { Training } from '../train/training.js'
import { collectTunables } from '../train/tunable.js'
import { userPlace } from '../train/userCode.js'
import { reportFailure } from './failure.js'

/**
 * The training that a file exports.
 *
 * @param command that asks for it, for messages
 * @param given settings by name, among them what the file declares by `tunable`
 * @throws as `loadDefaultExport`; INVALID_TRAINING where its default export is no training
 */
export async function loadTraining(
  file: string,
  command = 'train',
  given: Readonly<Record<string, unknown>> = {},
): Promise<Training> {
  const { loaded: exported, tunables } = await collectTunables(given, () => loadDefaultExport(file, command))
  if (exported instanceof Training) return exported.declaring(tunables)
  const kind =
    exported === null
      ? 'null'
      : Array.isArray(exported)
        ? 'a list'
        : `a ${typeof exported}`.replace('a object', 'an object')
  throw invalid(
    command,
    `its default export is ${kind}, not a training`,
    { file: path.resolve(file) },
    'write `export default defineTraining({ … })`',
  )
}

/**
 * What a file exports by default, whatever it is.
 *
 * @throws FILE_NOT_FOUND; INVALID_TRAINING where it has a syntax error, throws, or exports no default
 */
async function loadDefaultExport(file: string, command: string): Promise<unknown> {
  const absolute = path.resolve(file)
  if (!existsSync(absolute)) {
    throw new TalwegError({
      code: 'FILE_NOT_FOUND',
      operation: command,
      problem: `there is no file "${file}"`,
      place: { file: absolute },
    })
  }
  if (statSync(absolute).isDirectory())
    throw invalid(command, 'it is a folder', { file: absolute }, 'name the training file in it')
  const talweg = await import('../index.js')
  const jiti = createJiti(pathToFileURL(absolute).href, { virtualModules: { talweg }, interopDefault: false })
  const stopWatching = watchForExit(absolute, command)
  let loaded: unknown
  try {
    loaded = await jiti.import(absolute)
  } catch (error) {
    throw loadingError(error, absolute, command)
  } finally {
    stopWatching()
  }
  const { default: exported } = Object(loaded) as { default?: unknown }
  if (exported !== undefined) return exported
  const names = Object.keys(Object(loaded))
  const found = names.length === 0 ? 'it exports nothing' : `it exports ${names.join(', ')}, and nothing by default`
  throw invalid(command, found, { file: absolute }, 'write `export default defineTraining({ … })`')
}

/**
 * Says so where the process ends while a file is being loaded; without this it would end in silence, by what looks like
 * success.
 *
 * @returns stops watching
 */
function watchForExit(file: string, command: string): () => void {
  const fail = (problem: string, place: ErrorPlace): void => {
    process.exitCode = reportFailure(invalid(command, problem, place))
  }
  const whenIdle = (): void => fail('it waits for what never comes', { file })
  const whenEnding = (): void => {
    const place = currentPlace()
    if (place !== undefined) fail('it calls process.exit while it is loaded', place)
  }
  process.on('beforeExit', whenIdle).on('exit', whenEnding)
  return () => process.off('beforeExit', whenIdle).off('exit', whenEnding)
}

function loadingError(error: unknown, file: string, command: string): unknown {
  if (error instanceof TalwegError) return error.place?.file === undefined ? error.at({ file }) : error
  if (!(error instanceof Error)) return invalid(command, `it threw ${String(error)}`, { file })
  const syntax = /^(?:Parse|Syntax)Error: (.*?)\s*\n\s*(\S.*):(\d+):\d+\s*$/s.exec(error.message)
  if (syntax !== null)
    return invalid(command, `it can't be read: ${syntax[1]}`, { file: syntax[2], line: Number(syntax[3]) })
  if ((error as NodeJS.ErrnoException).code?.endsWith('MODULE_NOT_FOUND')) {
    return invalid(
      command,
      error.message.split('\n')[0],
      { file },
      'install the package, or correct the path, in its import',
    )
  }
  return invalid(command, `it threw ${error.name}: ${error.message}`, userPlace(error) ?? { file }, undefined, error)
}

function invalid(command: string, problem: string, place: ErrorPlace, hint?: string, cause?: unknown): TalwegError {
  return new TalwegError({ code: 'INVALID_TRAINING', operation: command, problem, hint, place, cause })
}
