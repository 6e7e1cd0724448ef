/** Settings given beside the training file: `--settings FILE` (JSON or YAML), then `--set key=value`, then flags. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseDocument } from 'yaml'
import { TalwegError } from '../core/errors.js'
import { badFlag } from './flags.js'

export type Settings = Record<string, unknown>

/**
 * The settings of a file; YAML reads JSON too, and names the line of a fault.
 *
 * @throws FILE_NOT_FOUND, INVALID_FILE
 */
export async function readSettingsFile(file: string): Promise<Settings> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' && cause.code !== 'EISDIR') throw cause
    const problem = cause.code === 'EISDIR' ? `"${file}" is a folder` : `there is no file "${file}"`
    throw new TalwegError({ code: 'FILE_NOT_FOUND', operation: '--settings', problem, place: { file } })
  })
  const document = parseDocument(text, { prettyErrors: true })
  const [error] = document.errors
  if (error !== undefined) {
    throw invalid(
      file,
      `it is not ${path.extname(file) === '.json' ? 'JSON' : 'YAML'}: ${error.message.split('\n')[0].replace(/ at line.*$/, '')}`,
      error.linePos?.[0].line,
    )
  }
  const settings: unknown = document.toJS()
  if (settings === null) return {}
  if (typeof settings !== 'object' || Array.isArray(settings)) throw invalid(file, 'it holds no settings by name')
  return settings as Settings
}

function invalid(file: string, problem: string, line?: number): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: '--settings', problem, place: { file, line } })
}

/** Values read as YAML reads a scalar: `3`, `1e-3`, `true`, `null`, and text otherwise. @throws INVALID_SETTING */
export function readAssignments(assignments: readonly string[], command: string): Settings {
  const settings: Settings = {}
  for (const assignment of assignments) {
    const split = assignment.indexOf('=')
    if (split <= 0) throw badFlag(command, `--set is "${assignment}"; it takes key=value`)
    const document = parseDocument(assignment.slice(split + 1))
    settings[assignment.slice(0, split)] = document.errors.length > 0 ? assignment.slice(split + 1) : document.toJS()
  }
  return settings
}
