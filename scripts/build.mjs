/**
 * `npm run build`: `dist/`, that is the types by tsc and the rest by `bundle/bundle.mjs`. Built beside and then put in place, so
 * that a file whose source is gone does not linger, and a running one is whole.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { bundle } from './bundle/bundle.mjs'

process.chdir(path.resolve(import.meta.dirname, '..'))
const beside = 'build/dist'

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}

rmSync(beside, { recursive: true, force: true })
mkdirSync(beside, { recursive: true })
run('node_modules/.bin/tsc', '-p', 'tsconfig.build.json', '--outDir', beside)
await bundle(path.resolve(beside))
rmSync('dist', { recursive: true, force: true })
renameSync(beside, 'dist')
run(process.execPath, 'scripts/bundle/codeCache.mjs', 'dist')
