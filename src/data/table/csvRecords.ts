/**
 * The records of a CSV file one by one: for its header, and to find the record that DuckDB could not read, which it names by
 * line only. Rows that are read for training never pass here.
 *
 * Source: RFC 4180, with any of four delimiters and either line end.
 */
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'
import { TalwegError } from '../../core/errors.js'
import type { TableFile } from './tableFiles.js'

export type Delimiter = ',' | ';' | '\t' | '|'
const delimiters: readonly Delimiter[] = [',', ';', '\t', '|']

export interface CsvHeader {
  readonly names: readonly string[]
  readonly delimiter: Delimiter
  /** Empty lines before it. */
  readonly numSkipped: number
}

/** @throws INVALID_DATA for names that are missing, doubled, or numbers */
export async function readCsvHeader(file: TableFile): Promise<CsvHeader> {
  const { path } = file
  let chosen: CsvHeader = { names: [], delimiter: ',', numSkipped: 0 }
  for (const delimiter of file.delimiter === undefined ? delimiters : [file.delimiter]) {
    const header = await firstRecord(path, delimiter)
    if (header.names.length > chosen.names.length) chosen = header
  }
  const header = { ...chosen, names: chosen.names.map((name) => name.trim()) }
  checkNames(header.names, path)
  return header
}

async function firstRecord(path: string, delimiter: Delimiter): Promise<CsvHeader> {
  let numSkipped = 0
  for await (const { fields, isEmptyLine } of csvRecords(path, delimiter)) {
    if (!isEmptyLine) return { names: fields, delimiter, numSkipped }
    numSkipped++
  }
  return { names: [], delimiter, numSkipped }
}

function checkNames(names: readonly string[], file: string): void {
  const invalid = (problem: string, hint: string) =>
    new TalwegError({ code: 'INVALID_DATA', operation: 'table', problem, hint, place: { file } })
  const header = 'begin the file with a line of column names'
  if (names.length === 0) throw invalid('there is no header', header)
  if (names.every((name) => name !== '' && Number.isFinite(Number(name)))) {
    throw invalid(
      `the first line (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}) looks like numbers, not like column names`,
      header,
    )
  }
  for (const [index, name] of names.entries()) {
    if (name === '')
      throw invalid(
        `column ${index + 1} has no name`,
        'name it, or leave it out (pandas writes its index so, unless index=False)',
      )
    const first = names.indexOf(name)
    if (first !== index)
      throw invalid(`columns ${first + 1} and ${index + 1} are both named "${name}"`, 'give every column its own name')
  }
}

/**
 * What is wrong with a file's form, if anything: the first record with a number of fields other than the header's, or a quote that
 * is never closed.
 */
export async function findCsvFault(path: string, { names, delimiter }: CsvHeader): Promise<TalwegError | undefined> {
  const fault = (problem: string, hint: string, row: number) =>
    new TalwegError({ code: 'INVALID_DATA', operation: 'table', problem, hint, place: { file: path, row } })
  // The header is the row 0.
  let row = 0
  for await (const { fields, isEmptyLine, isOpen, isStray } of csvRecords(path, delimiter)) {
    if (isEmptyLine) continue
    if (isOpen)
      return fault('a quote is opened and never closed', 'close it, or double it if it belongs to the text', row)
    if (isStray) return fault('text follows a closing quote', 'double the quotes that belong to the text', row)
    const endsInDelimiter = fields.length === names.length + 1 && fields[names.length] === ''
    if (fields.length !== names.length && !endsInDelimiter) {
      const hint = 'give every row one field a column; quote fields that hold the delimiter'
      return fault(`this row has ${fields.length} fields, and the header has ${names.length}`, hint, row)
    }
    row++
  }
  return undefined
}

export interface CsvRecord {
  readonly fields: string[]
  /** Nothing at all on the line, which makes it no row. */
  readonly isEmptyLine: boolean
  /** The file ended inside quotes. */
  readonly isOpen: boolean
  /** A closing quote was followed by more than a delimiter. */
  readonly isStray: boolean
}

/** All records, the header first. */
export async function* csvRecords(path: string, delimiter: Delimiter): AsyncGenerator<CsvRecord> {
  const scanner = new RecordScanner(delimiter)
  for await (const text of textOf(path)) yield* scanner.push(text)
  yield* scanner.end()
}

async function* textOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path)
  const bytes: Readable = path.toLowerCase().endsWith('.gz') ? file.pipe(createGunzip()) : file
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const piece of bytes) yield decoder.decode(piece as Uint8Array, { stream: true })
    yield decoder.decode()
  } catch (cause) {
    const isText = cause instanceof TypeError
    throw new TalwegError({
      code: 'INVALID_FILE',
      operation: 'table',
      problem: isText ? 'the text is not UTF-8' : `the file can't be read: ${(cause as Error).message}`,
      hint: isText ? `convert it, for example with: iconv -f latin1 -t utf-8 "${path}"` : undefined,
      place: { file: path },
      cause,
    })
  } finally {
    file.destroy()
  }
}

class RecordScanner {
  readonly #delimiter: Delimiter
  #fields: string[] = []
  #field = ''
  #state: 'start' | 'plain' | 'quoted' | 'closed' = 'start'
  #isStray = false
  #afterReturn = false

  constructor(delimiter: Delimiter) {
    this.#delimiter = delimiter
  }

  *push(text: string): Generator<CsvRecord> {
    for (const character of text) {
      const endsLine = character === '\n' || character === '\r'
      const isPair = character === '\n' && this.#afterReturn
      this.#afterReturn = character === '\r' && this.#state !== 'quoted'
      if (isPair) continue
      if (this.#state === 'quoted') this.#inQuotes(character)
      else if (endsLine) yield* this.#endRecord()
      else this.#outsideQuotes(character)
    }
  }

  *end(): Generator<CsvRecord> {
    yield* this.#endRecord()
  }

  #inQuotes(character: string): void {
    if (character === '"') this.#state = 'closed'
    else this.#field += character
  }

  #outsideQuotes(character: string): void {
    if (character === this.#delimiter) {
      this.#endField()
    } else if (character === '"' && this.#state === 'start') {
      this.#state = 'quoted'
    } else if (character === '"' && this.#state === 'closed') {
      this.#field += '"'
      this.#state = 'quoted'
    } else {
      if (this.#state === 'closed') this.#isStray = true
      this.#field += character
      this.#state = 'plain'
    }
  }

  #endField(): void {
    this.#fields.push(this.#field)
    this.#field = ''
    this.#state = 'start'
  }

  *#endRecord(): Generator<CsvRecord> {
    const isOpen = this.#state === 'quoted'
    const isEmptyLine = this.#fields.length === 0 && this.#state === 'start'
    const isStray = this.#isStray
    this.#endField()
    const fields = this.#fields
    this.#fields = []
    this.#isStray = false
    yield { fields, isEmptyLine, isOpen, isStray }
  }
}
