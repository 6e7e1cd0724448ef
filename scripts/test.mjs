/**
 * `npm test`: types, lint, then every test; the runner's summary is the last that is printed.
 *
 * Arguments choose test files by a part of their path (`npm test -- engines`); then types and lint are not checked.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

process.chdir(path.resolve(import.meta.dirname, '..'))

function run(title, command, args) {
  console.log(`> ${title}`)
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (error !== undefined) throw error
  return status ?? 1
}

function testFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.test.ts') && !file.includes('fixtures'))
    .map((file) => path.join(folder, file))
}

function runTests(files) {
  mkdirSync('build', { recursive: true })
  const counts = 'build/test-counts.json'
  const status = run(`tests: ${files.length} files`, process.execPath, [
    '--import=tsx',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=600000',
    '--test-reporter=./scripts/test/count-reporter.mjs',
    `--test-reporter-destination=${counts}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    ...files,
  ])
  const { executed } = JSON.parse(readFileSync(counts, 'utf8'))
  if (executed > 0) return status
  console.error('0 passed, 1 failed: no test was executed')
  return 1
}

const wanted = process.argv.slice(2)
const files = [...testFiles('test'), ...testFiles('src')]
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .toSorted()
if (files.length === 0) {
  console.error(`no test file ${wanted.length === 0 ? 'in test/ and src/' : `has ${wanted.join(' or ')} in its path`}`)
  process.exit(1)
}
if (wanted.length === 0) {
  const failed = run('types', 'npm', ['run', '--silent', 'check']) || run('lint', 'npm', ['run', '--silent', 'lint'])
  if (failed !== 0) process.exit(failed)
}
process.exit(runTests(files))
