/** The page of errors and the table of codes say the same. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { errorCodes, exitCodes, TalwegError } from '../../src/core/errors.js'

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm)].map(([, code, exitCode]) => [code, Number(exitCode)])

test('every error code is documented with its exit code, and no other is', () => {
  const known = errorCodes.map((code) => [code, new TalwegError({ code, operation: 'x', problem: 'y' }).exitCode])
  assert.deepEqual(rows, known)
})

test('every exit code is documented', () => {
  for (const code of Object.values(exitCodes)) assert.match(page, new RegExp(`^\\| ${code} \\|`, 'm'))
})
