/** The same answers on plainer processors: the suite once more for each target that this processor can run. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { createNativeEngine } from '../../../src/engine/native/index.js'

const root = path.resolve(import.meta.dirname, '../../..')
const all = ['avx512bf16', 'avx512', 'avx2', 'portable']
const best = all.findIndex((target) => createNativeEngine({ threads: 1 }).description.includes(`, ${target},`))

for (const target of all.slice(best + 1)) {
  test(`native: known cases and composites on ${target}`, () => {
    const files = ['known', 'composites', 'native/batchNorm'].map((name) => `test/engines/${name}.test.ts`)
    const args = ['--import', 'tsx', '--test', '--test-reporter=tap', ...files]
    const environment: NodeJS.ProcessEnv = { ...process.env, TALWEG_CPU: target, TALWEG_TEST_ENGINES: 'native' }
    delete environment['NODE_TEST_CONTEXT'] // which would make the child's runner think that it is ours
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: environment })
    assert.equal(status, 0, stdout.slice(-4000))
    assert.match(stdout, /# pass [1-9]/)
  })
}
