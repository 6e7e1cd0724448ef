/**
 * Writes `talweg.cjs.cache` into a `dist/` that is in its place (the native engine is found from there): trains a small
 * model in this process, then keeps what V8 has compiled by then. V8's own form of functions that a training calls
 * halves the time that they take before its first step.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'

const training = (text) => `import { data, defineTraining, nn, optim } from 'talweg'
export default defineTraining({
  model: ({ vocabulary }) => new nn.GPT({ vocabulary, context: 16, layers: 1, heads: 2, width: 16 }),
  data: () => data.characters(${JSON.stringify(text)}, { context: 16, validation: 0.2 }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.targets),
  optimizer: optim.adamw({ learningRate: 1e-3 }),
  batchSize: 2, steps: 2, seed: 1,
})
`

const [folder] = process.argv.slice(2)
const { compile, evaluate } = createRequire(import.meta.url)(path.resolve(folder, 'load.cjs'))
const work = mkdtempSync(path.join(tmpdir(), 'talweg-build-'))
try {
  const [file, text] = ['training.ts', 'text.txt'].map((name) => path.join(work, name))
  writeFileSync(text, 'the line along which water finds the lowest point of a valley. '.repeat(20))
  writeFileSync(file, training(text))
  const args = (run) => ['train', file, '--run', path.join(work, run), '--json']
  // The first time a training file is compiled; what that takes is large and not needed again.
  const command = [path.resolve(folder, 'cli/main.js'), ...args('first')]
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`codeCache: a training ended with ${status}: ${stderr}`)
  const script = compile()
  const { run } = evaluate(script).run()
  process.stdout.write = process.stderr.write = () => true
  process.exitCode = await run(args('second'))
  if (process.exitCode === 0) writeFileSync(path.resolve(folder, 'talweg.cjs.cache'), script.createCachedData())
} finally {
  rmSync(work, { recursive: true, force: true })
}
