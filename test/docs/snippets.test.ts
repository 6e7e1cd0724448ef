/** What the pages show is real: their TypeScript compiles, and what they say is typed works and prints what they show. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { writeFiles } from '../cli/support/talweg.js'
import { lackingNative } from '../engines/support/native.js'
import {
  assertNumbers,
  assertPrinted,
  makeProject,
  readPage,
  root,
  runTyped,
  snippets,
  typedCommands,
  type Typed,
} from './project.js'

const pages = ['README.md', 'docs/guide.md', 'docs/data.md', 'docs/models.md', 'docs/tune.md'] as const

test('every TypeScript block of the pages compiles strictly, in a folder that has nothing but Talweg', () => {
  const all = pages.flatMap((page) => snippets(page, 'ts'))
  assert(all.length > 8, `${all.length} blocks were found`)
  const files = all.map((snippet, index) => ({ ...snippet, file: `${index}-${snippet.file ?? 'block.ts'}` }))
  const folder = makeProject('snippets', files)
  const compilerOptions = { target: 'ES2022', module: 'NodeNext', strict: true, noEmit: true }
  writeFiles(folder, { 'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.ts'] }) })
  const { stdout, status } = spawnSync(path.join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
})

// The pages show the native engine; others would take minutes.
const native = await lackingNative()

/** The guide's own trainings, but for the first steps only. */
function shortened({ args, exitCode }: Typed): readonly string[] {
  if (args[0] !== 'train' || (exitCode !== 0 && exitCode !== 6)) return args
  const length = args[1] === 'whale.ts' ? ['--steps', '40', '--set', 'validateEvery=40'] : ['--steps', '20']
  return [
    ...args.map((arg, index) => (args[index - 1] === '--budget-seconds' && arg === '10' ? '0.05' : arg)),
    ...length,
  ]
}

test('the guide: all that is typed works in order, and prints what is shown', { skip: native }, async () => {
  const page = 'docs/guide.md'
  const folder = makeProject('guide', [...snippets(page, 'ts'), ...snippets(page, 'yaml')])
  const commands = typedCommands(page)
  assert(commands.length > 12)
  for (const typed of commands) {
    const finished = await runTyped(folder, typed, shortened(typed))
    const [name] = typed.args
    const isAsShown = name !== 'sample' && (name !== 'train' || typed.exitCode > 1) && typed.exitCode !== 6
    if (isAsShown) assertPrinted(typed, finished)
    if (name === 'fit' && typed.exitCode === 0) assertNumbers(typed, finished)
  }
})

for (const page of ['README.md', 'examples/README.md']) {
  test(`${page}: fit, predict and inspect print what is shown`, { skip: native }, async () => {
    const folder = makeProject('readme', [])
    const commands = typedCommands(page).filter(({ args: [name] }) => ['fit', 'predict', 'inspect'].includes(name))
    assert(commands.length > 0)
    for (const typed of commands) {
      const args = typed.args.map((arg) => arg.replace(/^examples\//, path.join(root, 'examples/')))
      const finished = await runTyped(folder, typed, args)
      assertPrinted(typed, finished)
      if (typed.args[0] !== 'inspect') assertNumbers(typed, finished)
    }
  })
}

test('every link between the pages leads to a file', () => {
  for (const page of [
    ...pages,
    'docs/fit.md',
    'docs/distributed.md',
    'docs/README.md',
    'docs/errors.md',
    'examples/README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
  ]) {
    for (const [, target] of readPage(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g))
      assert(existsSync(path.join(root, path.dirname(page), target)), `${page} links to ${target}`)
  }
})
