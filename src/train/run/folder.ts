/** A run's folder: its name, what is in it, and whether there is a run in it already. */
import { existsSync, statSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import { listCheckpoints, type JsonValue } from '../checkpoint/index.js'
import { asDiskFull, isSystemError, readText, replaceFile } from '../../exchange/disk.js'
import { metricsName } from '../metrics/index.js'

export const runsFolder = 'runs'
const trainingName = 'training.json'

/** What `training.json` keeps: enough to say how a run was made, and to use its model. */
export interface RunDescription {
  /** The training file, from the run's folder, so that both may be moved together. */
  readonly file: string | null
  /** What was set over the training file's own settings; a resumed run goes on with it. */
  readonly overrides: { readonly [key: string]: JsonValue }
  readonly settings: { readonly [key: string]: JsonValue }
  /** What the data said of itself: the vocabulary, the classes. */
  readonly data: JsonValue
  readonly numParameters: number
}

export class RunFolder {
  readonly path: string
  readonly checkpoints: string
  readonly metrics: string
  readonly lossCurve: string

  constructor(folder: string) {
    this.path = folder
    this.checkpoints = path.join(folder, 'checkpoints')
    this.metrics = path.join(folder, metricsName)
    this.lossCurve = path.join(folder, 'loss.svg')
  }

  get name(): string {
    return path.basename(path.resolve(this.path))
  }

  /** A path that the description has, as one from the working directory. */
  resolve(file: string): string {
    return path.join(this.path, file)
  }

  /** Whether a training has left something here. */
  async hasRun(): Promise<boolean> {
    return existsSync(path.join(this.path, trainingName)) || (await listCheckpoints(this.checkpoints)).length > 0
  }

  /**
   * Makes the folder, for a new run or one to be gone on with.
   *
   * @throws RUN_EXISTS where there is a run and it is not to be resumed
   */
  async prepare(resume: boolean): Promise<void> {
    if (!resume && (await this.hasRun())) {
      throw new TalwegError({
        code: 'RUN_EXISTS',
        operation: 'train',
        problem: 'there is a run in this folder already',
        hint: 'go on with it by --resume, or name another with --run',
        place: { file: this.path },
      })
    }
    try {
      await makeFolders(this.checkpoints)
    } catch (cause) {
      throw cannotMake(this.path, cause)
    }
  }

  async writeDescription(description: RunDescription): Promise<void> {
    await replaceFile(path.join(this.path, trainingName), `${JSON.stringify(description, undefined, 2)}\n`)
  }

  /** @throws FILE_NOT_FOUND, INVALID_FILE */
  async readDescription(): Promise<RunDescription> {
    const file = path.join(this.path, trainingName)
    const text = await readText(file)
    if (text === undefined) {
      throw new TalwegError({
        code: 'FILE_NOT_FOUND',
        operation: 'run',
        problem: existsSync(this.path)
          ? `there is no ${trainingName} in this folder: it is no run`
          : `there is no run "${this.path}"`,
        hint: `runs are kept under ${runsFolder}/`,
        place: { file },
      })
    }
    return parseDescription(text, file)
  }
}

function parseDescription(text: string, file: string): RunDescription {
  const invalid = (problem: string, cause?: unknown): TalwegError =>
    new TalwegError({ code: 'INVALID_FILE', operation: 'run', problem, place: { file }, cause })
  let description: unknown
  try {
    description = JSON.parse(text)
  } catch (cause) {
    throw invalid('it is not JSON', cause)
  }
  const { overrides, data } = Object(description) as Partial<RunDescription>
  if (typeof overrides === 'object' && typeof data === 'object') return description as RunDescription
  throw invalid('it does not describe a run')
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive `mkdir` never ends where a file system makes
 * no folders, as /proc doesn't: it is told that the folder's parent is not there, and finds that it is.
 */
async function makeFolders(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (isSystemError(error, 'EEXIST') && statSync(folder).isDirectory()) return
    const parent = path.dirname(folder)
    if (!isSystemError(error, 'ENOENT') || existsSync(parent)) throw error
    await makeFolders(parent)
    await makeFolders(folder)
  }
}

function cannotMake(folder: string, cause: unknown): unknown {
  const full = asDiskFull(folder, cause)
  if (full !== cause || !(cause instanceof Error) || (cause as NodeJS.ErrnoException).code === undefined) return full
  return new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'train',
    problem: `the run's folder can't be made: ${cause.message}`,
    hint: 'name another with --run',
    place: { file: folder },
    cause,
  })
}

/** A run given by its folder, or by its name under `runs/`. */
export function findRun(given: string): RunFolder {
  const isName = !existsSync(given) && !given.includes('/') && existsSync(path.join(runsFolder, given))
  return new RunFolder(isName ? path.join(runsFolder, given) : given)
}

/** The folder for a training that was given no name: `runs/NAME` after its file, numbered where that is taken. */
export async function defaultRunFolder(file: string, resume: boolean): Promise<string> {
  const stem = path.basename(file).replace(/\.[^.]*$/, '')
  const base = path.join(runsFolder, stem)
  const taken = await readdir(runsFolder).catch((): string[] => [])
  const numbers = taken.map((name) =>
    name === stem ? 1 : Number(new RegExp(`^${escape(stem)}-(\\d+)$`).exec(name)?.[1] ?? 0),
  )
  const last = Math.max(0, ...numbers)
  const numbered = (count: number): string => (count <= 1 ? base : `${base}-${count}`)
  return resume ? numbered(last) : numbered(last + 1)
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
