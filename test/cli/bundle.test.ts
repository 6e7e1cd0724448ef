/** The one file that the command and `import 'talweg'` are: the same instance for both, whatever V8 thinks of its compiled form. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { command, start, talweg, temporaryFolder, tinyTraining, writeFiles } from './support/talweg.js'

/** Whether a training is one is asked of its class: another instance's is none. */
const training = tinyTraining
  .replace('defineTraining, nn, optim', 'nn, optim')
  .replace('import', "import { defineTraining } from 'helper'\nimport")

function project(): string {
  const folder = temporaryFolder('bundle')
  mkdirSync(path.join(folder, 'node_modules/helper'), { recursive: true })
  symlinkSync(path.resolve(import.meta.dirname, '../..'), path.join(folder, 'node_modules/talweg'))
  writeFiles(folder, {
    'training.ts': training,
    'package.json': '{ "type": "module" }',
    'node_modules/helper/package.json': '{ "name": "helper", "type": "module", "exports": "./index.js" }',
    'node_modules/helper/index.js': "export { defineTraining } from 'talweg'",
  })
  return folder
}

const args = ['train', 'training.ts', '--engine=reference', '--json']

test('a package that imports talweg by itself has the command’s own instance', async () => {
  const { code, stderr } = await talweg(project(), ...args)
  assert.equal(code, 0, stderr)
})

test('the compiled form is built with the rest', () => {
  assert(existsSync(path.resolve(path.dirname(command), '../talweg.cjs.cache')))
})

for (const option of ['--stack-trace-limit=20', '--enable-source-maps']) {
  test(`trains where the compiled form can't be used: node ${option}`, async () => {
    const { code, stderr } = await start(project(), args, { NODE_OPTIONS: option }).finished
    assert.equal(code, 0, stderr)
  })
}
