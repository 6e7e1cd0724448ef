/**
 * A search's journal: what is searched in its first line, then a line an outcome, each on the disk before the next is
 * begun. A search that was killed reads it and repeats nothing; a last line cut short by a crash is cut off.
 */
import { mkdir, open, readFile, truncate, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { TalwegError } from '../core/errors.js'
import { orDiskFull, parseJson, syncFolder } from '../exchange/disk.js'

export const journalName = 'journal.jsonl'

const value = z.union([z.number(), z.string(), z.boolean()])

const headSchema = z.object({
  kind: z.literal('search'),
  version: z.literal(1),
  /** Of the training file's text. */
  fileSha256: z.string(),
  sampler: z.string(),
  strategy: z.string(),
  reduction: z.number(),
  space: z.array(z.record(z.string(), z.unknown())),
  overrides: z.record(z.string(), z.unknown()),
  metric: z.string(),
  direction: z.enum(['minimize', 'maximize']),
  numTrials: z.number(),
  seed: z.number(),
  /** Jobs that the strategy has going at once, by its own count. */
  parallel: z.number(),
})

const outcomeSchema = z.object({
  kind: z.literal('outcome'),
  trial: z.number(),
  rung: z.number(),
  settings: z.record(z.string(), value),
  status: z.enum(['done', 'paused', 'diverged', 'doesNotFit']),
  /** The metric; null where there is none. */
  score: z.number().nullable(),
  step: z.number(),
  samples: z.number(),
  /** Of this job. */
  seconds: z.number(),
  /** Of the search until then. */
  elapsedSeconds: z.number(),
})

export type JournalHead = z.infer<typeof headSchema>
export type Outcome = z.infer<typeof outcomeSchema>

export class Journal {
  readonly head: JournalHead
  /** Those found when it was opened. */
  readonly outcomes: readonly Outcome[]
  readonly #file: string
  readonly #handle: FileHandle
  #writing: Promise<void> = Promise.resolve()

  private constructor(file: string, handle: FileHandle, head: JournalHead, outcomes: readonly Outcome[]) {
    this.#file = file
    this.#handle = handle
    this.head = head
    this.outcomes = outcomes
  }

  /**
   * Opens a search's journal, or begins one.
   *
   * @param head what is to be searched; where there is a journal, its own must be that, but for how many at once
   * @throws CHECKPOINT_MISMATCH naming what is not as it was; INVALID_FILE where a line in the middle is none
   */
  static async open(folder: string, head: JournalHead): Promise<Journal> {
    await mkdir(folder, { recursive: true })
    const file = path.join(folder, journalName)
    const found = await readJournal(file)
    if (found !== undefined) {
      checkSame(found.head, head, file)
      await truncate(file, found.endBytes)
    }
    const handle = await orDiskFull(file, () => open(file, 'a'))
    const journal = new Journal(file, handle, found?.head ?? head, found?.outcomes ?? [])
    if (found === undefined) {
      await journal.#write(head)
      await syncFolder(folder)
    }
    return journal
  }

  /** Returns when it is on the disk. @throws DISK_FULL */
  append(outcome: Outcome): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(outcome))
    return this.#writing
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined)
    await this.#handle.close()
  }

  #write(entry: JournalHead | Outcome): Promise<void> {
    return orDiskFull(this.#file, async () => {
      await this.#handle.appendFile(`${JSON.stringify(entry)}\n`)
      await this.#handle.sync()
    })
  }
}

interface FoundJournal {
  readonly head: JournalHead
  readonly outcomes: readonly Outcome[]
  /** Where its last whole line ends. */
  readonly endBytes: number
}

/** What a journal holds; undefined where there is none, or not one whole line. @throws INVALID_FILE */
export async function readJournal(file: string): Promise<FoundJournal | undefined> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0))
  const endBytes = bytes.lastIndexOf(0x0a) + 1
  const lines = bytes.toString('utf8', 0, endBytes).split('\n').slice(0, -1)
  if (lines.length === 0) return undefined
  const fault = (line: number): TalwegError =>
    new TalwegError({
      code: 'INVALID_FILE',
      operation: 'tune',
      problem: `it is no journal of a search: ${line === 1 ? 'its first line says nothing of one' : 'a line of it is damaged'}`,
      hint: 'begin another search with --run',
      place: { file, line },
    })
  const head = headSchema.safeParse(parseJson(lines[0]))
  if (!head.success) throw fault(1)
  const outcomes = lines.slice(1).map((line, index) => {
    const outcome = outcomeSchema.safeParse(parseJson(line))
    if (!outcome.success) throw fault(index + 2)
    return outcome.data
  })
  return { head: head.data, outcomes, endBytes }
}

function checkSame(before: JournalHead, now: JournalHead, file: string): void {
  for (const name of Object.keys(now) as (keyof JournalHead)[]) {
    if (name === 'parallel' || JSON.stringify(before[name]) === JSON.stringify(now[name])) continue
    throw new TalwegError({
      code: 'CHECKPOINT_MISMATCH',
      operation: 'tune',
      problem:
        name === 'fileSha256'
          ? 'the training file is not as it was when the search was begun'
          : `${name} is ${JSON.stringify(now[name])}, and the search was begun with ${JSON.stringify(before[name])}`,
      hint: `${name === 'fileSha256' ? 'put it back' : `give it as it was`}, or search under another name with --run`,
      place: { file },
    })
  }
}
