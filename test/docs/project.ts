/**
 * A folder as a reader of the docs has it: `talweg` and packages with data in node_modules, the files that a page shows
 * beside them; and what the page says is typed there, with what it says is printed.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { talweg, temporaryFolder, writeFiles, type Finished } from '../cli/support/talweg.js'

export const root = path.resolve(import.meta.dirname, '../..')

export interface Snippet {
  readonly page: string
  /** The file that it is, where its first line says so (`// whale.ts`). */
  readonly file: string | undefined
  readonly text: string
}

export interface Typed {
  readonly args: readonly string[]
  readonly exitCode: number
  /** What the page shows; `…` stands for any lines. */
  readonly shown: readonly string[]
}

export function readPage(page: string): string {
  return readFileSync(path.join(root, page), 'utf8')
}

/** The blocks of a page in a language. */
function blocks(page: string, language: string): string[] {
  return [...readPage(page).matchAll(/^```(\w*)\n([^]*?)^```$/gm)].flatMap(([, name, text]) =>
    name === language ? [text] : [],
  )
}

export function snippets(page: string, language: string): Snippet[] {
  return blocks(page, language).map((text) => ({ page, text, file: /^(?:\/\/|#) (\S+\.\w+)\n/.exec(text)?.[1] }))
}

/** Every `npx talweg …` of a page's consoles, in order. A comment after it names an exit code that is not 0. */
export function typedCommands(page: string): Typed[] {
  const typed: { args: string[]; exitCode: number; shown: string[] }[] = []
  for (const line of blocks(page, 'console').flatMap((text) => text.trimEnd().split('\n'))) {
    const [, command, exitCode = '0'] = /^\$ npx talweg (.*?)(?:\s+# exit code (\d+))?$/.exec(line) ?? []
    if (command === undefined) typed.at(-1)?.shown.push(line)
    else typed.push({ args: words(command), exitCode: Number(exitCode), shown: [] })
  }
  return typed
}

/** As a shell splits them. */
function words(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
}

/** A reader's folder with the files of a page's snippets. */
export function makeProject(name: string, files: readonly Snippet[]): string {
  const folder = temporaryFolder(name)
  mkdirSync(path.join(folder, 'node_modules'))
  symlinkSync(root, path.join(folder, 'node_modules/talweg'))
  symlinkSync(path.join(root, 'node_modules/@stdlib'), path.join(folder, 'node_modules/@stdlib'))
  writeFiles(folder, { 'package.json': '{ "type": "module" }\n' })
  writeFiles(folder, Object.fromEntries(files.flatMap(({ file, text }) => (file === undefined ? [] : [[file, text]]))))
  return folder
}

/** Runs a command, `args` in place of its own where given, and checks its exit code. */
export async function runTyped(folder: string, { args, exitCode }: Typed, instead = args): Promise<Finished> {
  const finished = await talweg(folder, ...instead)
  assert.equal(finished.code, exitCode, `talweg ${instead.join(' ')}\n${finished.stderr}`)
  return finished
}

const number = /[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?/g

/** A line without its numbers and their units, lists of them as one, and with one space where there are more. */
function wordsOnly(line: string): string {
  return line
    .replaceAll(number, '#')
    .replaceAll(/# ?([kMGT]?B\b|[kMGT]\b)/g, '#')
    .replaceAll(/#(,? #)+/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** Every line that the page shows was printed, in that order, whatever its numbers; the text before a `…` in it counts. */
export function assertPrinted({ args, shown }: Typed, { stdout, stderr }: Finished): void {
  const printed = `${stdout}\n${stderr}`.split('\n').map(wordsOnly)
  let next = 0
  for (const line of shown.map((text) => wordsOnly(text.split('…')[0])).filter((text) => text !== '')) {
    const found = printed.findIndex((text, index) => index >= next && text.startsWith(line))
    assert(found >= 0, `talweg ${args.join(' ')} prints "${line}":\n${printed.slice(next).join('\n')}`)
    next = found + 1
  }
}

/** The numbers too, to three digits: of a result that is the same on every machine. Times and counts of steps are not. */
export function assertNumbers({ args, shown }: Typed, { stdout }: Finished): void {
  const result = (lines: readonly string[]): number[] =>
    lines
      .filter((line) => !/^(objective|saved|…)/.test(line))
      .flatMap((line) => [...line.matchAll(number)].map(([text]) => Number(text)))
  const expected = result(shown)
  const actual = result(stdout.split('\n'))
  for (const [index, value] of expected.entries()) {
    const difference = Math.abs(actual[index] - value)
    assert(difference <= 1e-3 * Math.abs(value), `talweg ${args.join(' ')}: ${actual[index]}, not ${value}`)
  }
}
