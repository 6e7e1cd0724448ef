/** The rooms' walls hold: a forbidden import fails the lint, in every form that TypeScript has for it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'

const root = path.resolve(import.meta.dirname, '../..')

/** Lints one file, put at `file` in a fresh tree, with the project's own settings. */
function lint(file: string, text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'talweg-lint-'))
  try {
    mkdirSync(path.join(folder, path.dirname(file)), { recursive: true })
    writeFileSync(path.join(folder, file), text)
    const oxlint = path.join(root, 'node_modules/oxlint/bin/oxlint')
    const settings = path.join(root, '.oxlintrc.json')
    const { stdout } = spawnSync(process.execPath, [oxlint, '-c', settings, '-f', 'unix'], {
      cwd: folder,
      encoding: 'utf8',
    })
    return stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const forbidden: readonly [form: string, file: string, text: string][] = [
  ['a static import', 'src/core/a.ts', `import { node } from '../graph/node.js'\nnode()\n`],
  [
    'a type-only import',
    'src/graph/a.ts',
    `import type { Module } from '../nn/module.js'\nexport const a: Module[] = []\n`,
  ],
  ['a re-export', 'src/engine/a.ts', `export { node } from '../graph/node.js'\n`],
  ['a re-export of all', 'src/compile/a.ts', `export * from '../ops/math.js'\n`],
  ['a dynamic import', 'src/data/a.ts', `export const a = () => import('../train/loop.js')\n`],
  ['an import type', 'src/autodiff/a.ts', `export type A = import('../optim/adam.js').Adam\n`],
  ['a computed import', 'src/train/a.ts', `export const a = (name: string) => import(name)\n`],
  ['a node: module in a browser room', 'src/nn/a.ts', `import fs from 'node:fs'\nfs.readFileSync('a')\n`],
  ['a Node package in a browser room', 'src/engine/a.ts', `import yargs from 'yargs'\nyargs()\n`],
  ['the native engine in a browser room', 'src/engine/a.ts', `export { b } from './native/b.js'\n`],
  ['cli, which nobody imports', 'src/train/a.ts', `export { main } from '../cli/main.js'\n`],
  ['a file outside src', 'src/train/a.ts', `export { main } from '../../bench/main.js'\n`],
  ['a room that the table lacks', 'src/extra/a.ts', `export { main } from '../core/dtype.js'\n`],
]

for (const [form, file, text] of forbidden) {
  test(`lint refuses ${form}`, () => assert.match(lint(file, text), /talweg\(rooms\)/))
}

const allowed: readonly [what: string, file: string, text: string][] = [
  ['a room below', 'src/compile/a.ts', `export * from '../graph/node.js'\nexport * from '../engine/engine.js'\n`],
  ['node: in the native engine', 'src/engine/native/a.ts', `export { arch } from 'node:process'\n`],
  ['the native engine from a Node room', 'src/train/a.ts', `export * from '../engine/native/b.js'\n`],
  ['anything in a test', 'src/core/a.test.ts', `export * from '../graph/node.js'\nexport { test } from 'node:test'\n`],
]

for (const [what, file, text] of allowed) {
  test(`lint accepts ${what}`, () => assert.doesNotMatch(lint(file, text), /talweg\(/))
}

test('lint refuses a bare Error in src, and an any anywhere', () => {
  assert.match(lint('src/core/a.ts', `export function a() { throw new Error('no') }\n`), /talweg\(coded-errors\)/)
  assert.match(lint('test/a.ts', `export const a: any = 1\n`), /no-explicit-any/)
})
