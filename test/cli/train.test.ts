/** `train`: settings from all sides, JSON lines, what a run's folder holds, and every wrong request. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { readSafetensors } from '../../src/exchange/safetensors/index.js'
import { linesOf, talweg, temporaryFolder, tinyTraining, writeFiles } from './support/talweg.js'

const root = temporaryFolder('train')
let numFolders = 0

/** A fresh folder with the tiny training and other files in it. */
function project(files: Readonly<Record<string, string>> = {}): string {
  const folder = path.join(root, String(numFolders++))
  mkdirSync(folder)
  writeFiles(folder, { 'tiny.ts': tinyTraining, ...files })
  return folder
}

const onReference = ['--engine', 'reference'] as const

test('--json: a line a report with the agreed keys, validation in the last; messages on standard error', async () => {
  const folder = project()
  const finished = await talweg(folder, 'train', 'tiny.ts', '--json', ...onReference)
  assert.equal(finished.code, 0, finished.stderr)
  const lines = linesOf(finished)
  assert.equal(lines.length, 40)
  for (const line of lines) {
    for (const key of ['step', 'samples', 'loss', 'learningRate', 'secondsElapsed', 'samplesPerSecond'])
      assert.equal(typeof line[key], 'number', key)
  }
  const last = lines.at(-1)
  assert.equal(last?.step, 40)
  assert.equal(last?.samples, 320)
  assert.equal(typeof last?.validationLoss, 'number')
  assert.match(finished.stderr, /41 parameters/)
  assert.deepEqual(
    linesOf({ ...finished, stdout: readFileSync(path.join(folder, 'runs/tiny/metrics.jsonl'), 'utf8') }),
    lines,
  )
})

test('a run’s folder holds settings, metrics, events, the curve, and --keep whole checkpoints', async () => {
  const folder = project()
  const { code } = await talweg(
    folder,
    'train',
    'tiny.ts',
    '--run',
    'out/one',
    '--checkpoint-every=10',
    '--keep',
    '2',
    ...onReference,
  )
  assert.equal(code, 0)
  const run = path.join(folder, 'out/one')
  const names = readdirSync(run).map((name) => name.replace(/^events.*/, 'events'))
  assert.deepEqual(names.toSorted(), ['checkpoints', 'events', 'loss.svg', 'metrics.jsonl', 'training.json'])
  assert.deepEqual(readdirSync(path.join(run, 'checkpoints')).toSorted(), ['latest', 'step-00000030', 'step-00000040'])
  assert.equal(readFileSync(path.join(run, 'checkpoints/latest'), 'utf8'), 'step-00000040\n')
  assert.match(readFileSync(path.join(run, 'loss.svg'), 'utf8'), /^<svg /)
  const model = await readSafetensors(path.join(run, 'checkpoints/step-00000040/model.safetensors'))
  assert.deepEqual([...model.keys()], ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias'])
})

test('settings: the file’s, then --settings, then --set, then flags; the resolved ones are kept', async () => {
  const folder = project({ 'more.yaml': 'batchSize: 4\nseed: 9\nsteps: 7\nprecision: bf16\n' })
  const { code, stderr } = await talweg(
    folder,
    'train',
    'tiny.ts',
    '--settings',
    'more.yaml',
    '--set',
    'seed=11',
    '--set=precision=f32',
    '--steps',
    '5',
    '--lr',
    '0.5',
    ...onReference,
  )
  assert.equal(code, 0, stderr)
  const { settings } = JSON.parse(readFileSync(path.join(folder, 'runs/tiny/training.json'), 'utf8')) as {
    settings: Record<string, unknown>
  }
  const { batchSize, seed, steps, precision, learningRate, engine } = settings
  assert.deepEqual(
    { batchSize, seed, steps, precision, learningRate, engine },
    { batchSize: 4, seed: 11, steps: 5, precision: 'f32', learningRate: 0.5, engine: 'reference' },
  )
})

test('without --run a second run gets a number, and a folder with a run in it is not trained over', async () => {
  const folder = project()
  for (let count = 0; count < 2; count++)
    assert.equal((await talweg(folder, 'train', 'tiny.ts', '--steps=2', ...onReference)).code, 0)
  assert.deepEqual(readdirSync(path.join(folder, 'runs')).toSorted(), ['tiny', 'tiny-2'])
  const again = await talweg(folder, 'train', 'tiny.ts', '--run', 'runs/tiny', ...onReference)
  assert.equal(again.code, 2)
  assert.match(again.stderr, /there is a run in this folder already.*--resume/)
})

test('patience and tolerance end a run early, with a checkpoint', async () => {
  const folder = project()
  const early = await talweg(
    folder,
    'train',
    'tiny.ts',
    '--steps=4000',
    '--set',
    'patience=2',
    '--set',
    'validateEvery=5',
    '--set=minImprovement=1',
    '--json',
    ...onReference,
  )
  assert.equal(early.code, 0)
  assert.match(early.stderr, /stopped early/)
  assert.equal(linesOf(early).at(-1)?.step, 15)
  assert(existsSync(path.join(folder, 'runs/tiny/checkpoints/step-00000015')))
  const flat = await talweg(
    folder,
    'train',
    'tiny.ts',
    '--steps=4000',
    '--set',
    'tolerance=100',
    '--set',
    'reportEvery=3',
    ...onReference,
  )
  assert.equal(flat.code, 0)
  assert.match(flat.stderr, /converged.*step 6,/)
})

test('a budget ends a run with exit code 6 and a checkpoint, and --resume goes on', async () => {
  const folder = project()
  const stopped = await talweg(folder, 'train', 'tiny.ts', '--steps=2000', '--budget-seconds=0.05', ...onReference)
  assert.equal(stopped.code, 6, stopped.stderr)
  const resumed = await talweg(folder, 'train', 'tiny.ts', '--resume', '--budget-seconds=100', '--json', ...onReference)
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.match(resumed.stderr, /going on after step \d+ of 2000/)
  assert.equal(linesOf(resumed).at(-1)?.step, 2000)
})

test('a loss that is no number ends the run with exit code 3, naming the step and the line', async () => {
  const folder = project({
    'diverges.ts': tinyTraining
      .replace(
        'nn.squaredError(model.forward(batch.x), batch.y)',
        'ops.mean(ops.log(ops.subtract(3, ops.square(\n    model.forward(batch.x)))))',
      )
      .replace('nn, optim', 'nn, ops, optim')
      .replace('1e-2', '10'),
  })
  const { code, stderr } = await talweg(folder, 'train', 'diverges.ts', '--json', ...onReference)
  assert.equal(code, 3, stderr)
  assert.match(
    stderr,
    /at step \d+ the loss is (NaN|Infinity|-Infinity); the first value that is not finite is diverges\.ts:\d+ log/,
  )
})

test('a training that does not fit is refused before anything is allocated, with both figures', async () => {
  const folder = project({ 'huge.ts': tinyTraining.replace('hidden: [8]', 'hidden: [4_000_000, 4_000_000]') })
  const { code, stderr } = await talweg(folder, 'train', 'huge.ts', ...onReference)
  assert.equal(code, 4, stderr)
  assert.match(stderr, /takes [\d,]+ MB and [\d,]+ MB are free.*Hint: /)
  assert(!existsSync(path.join(folder, 'runs')))
})

test('a message begins with the command that was given', async () => {
  const { code, stderr } = await talweg(project(), 'inspect', 'none.ts')
  assert.deepEqual([code, stderr.split(':')[0]], [2, 'inspect'])
})

test('by default a short run writes one checkpoint, at its end', async () => {
  const folder = project()
  assert.equal((await talweg(folder, 'train', 'tiny.ts', ...onReference)).code, 0)
  assert.deepEqual(readdirSync(path.join(folder, 'runs/tiny/checkpoints')).toSorted(), ['latest', 'step-00000040'])
})

test('--disable-pass leaves a pass out of the step and of validation, and is kept with the run', async () => {
  const folder = project()
  const numOperations = async (...flags: string[]): Promise<number> => {
    const { stdout } = await talweg(folder, 'inspect', 'tiny.ts', '--json', ...flags)
    const { operations } = JSON.parse(stdout) as { operations: { count: number }[] }
    return operations.reduce((sum, { count }) => sum + count, 0)
  }
  const apart = ['--disable-pass', 'fuseElementwise', '--disable-pass=fuseProducts'] as const
  assert.ok((await numOperations(...apart)) > (await numOperations()))
  const [together, separate] = await Promise.all([
    talweg(folder, 'train', 'tiny.ts', '--run', 'together', '--json'),
    talweg(folder, 'train', 'tiny.ts', '--run', 'separate', '--json', ...apart),
  ])
  const [one, other] = [together, separate].map((finished) => linesOf(finished).at(-1))
  assert.ok(Math.abs(Number(one?.validationLoss) - Number(other?.validationLoss)) < 1e-4)
  const saved = JSON.parse(readFileSync(path.join(folder, 'separate/training.json'), 'utf8')) as {
    settings: { disabledPasses: string[] }
  }
  assert.deepEqual(saved.settings.disabledPasses, ['fuseElementwise', 'fuseProducts'])
  const wrong = await talweg(folder, 'train', 'tiny.ts', '--disable-pass', 'fuseProduct')
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /--disabled-passes is "fuseProduct"; it takes simplify, .*did you mean fuseProducts/)
})

test('inspect gives parameters, operations and the memory plan, and writes nothing', async () => {
  const folder = project()
  const { code, stdout } = await talweg(folder, 'inspect', 'tiny.ts', '--json', ...onReference)
  assert.equal(code, 0)
  const facts = JSON.parse(stdout) as {
    numParameters: number
    flopsPerStep: number
    operations: { name: string }[]
    memory: Record<string, number>
  }
  assert.equal(facts.numParameters, 41)
  assert(facts.flopsPerStep > 2 * 3 * 8 * 32)
  assert(facts.operations.some(({ name }) => name === 'dotGeneral' || name === 'dotEpilogue'))
  const { totalBytes, availableBytes: _free, ...parts } = facts.memory
  assert.equal(
    totalBytes,
    parts.stateBytes +
      parts.stepBytes +
      parts.batchBytes +
      parts.evaluationBytes +
      parts.checkpointBytes +
      parts.programBytes,
  )
  const text = await talweg(folder, 'inspect', 'tiny.ts', '--all', ...onReference)
  assert.match(text.stdout, /planned peak/)
  assert.match(text.stdout, /tiny\.ts:9/)
  const graph = await talweg(folder, 'inspect', 'tiny.ts', '--graph', ...onReference)
  assert.match(graph.stdout, /^module @step.*\n[^]*stablehlo\.dot_general/)
  assert.deepEqual(readdirSync(folder), ['tiny.ts'])
})

test('compare: equal runs are 0, others 1 with the first tensor and step, unlike ones 2', async () => {
  const folder = project()
  const options = ['--checkpoint-every=20', ...onReference]
  await talweg(folder, 'train', 'tiny.ts', '--run=a', ...options)
  await talweg(folder, 'train', 'tiny.ts', '--run=b', ...options)
  await talweg(folder, 'train', 'tiny.ts', '--run=c', '--lr=0.011', ...options)
  await talweg(folder, 'train', 'tiny.ts', '--run=d', '--steps=7', ...onReference)
  const same = await talweg(folder, 'compare', 'a', 'b', '--json')
  assert.deepEqual([same.code, JSON.parse(same.stdout)], [0, { same: true, steps: [20, 40], first: null }])
  const other = await talweg(folder, 'compare', 'a', 'c', '--json')
  const { first } = JSON.parse(other.stdout) as { first: Record<string, unknown> }
  assert.deepEqual([other.code, first.step, first.part, first.tensor], [1, 20, 'model', 'layers.0.weight'])
  assert(Number(first.largestDifference) > 0)
  assert.match(
    (await talweg(folder, 'compare', 'a', 'c')).stdout,
    /first differ at step 20, in layers\.0\.weight \(model\): \d+ of 24 numbers/,
  )
  const unlike = await talweg(folder, 'compare', 'a', 'd')
  assert.equal(unlike.code, 2)
  assert.match(unlike.stderr, /no step is in both runs/)
})

test('sample writes text from a run of characters; a run without text is refused', async () => {
  const folder = project({
    'text.ts': `import { data, defineTraining, nn, optim } from 'talweg'
export default defineTraining({
  model: ({ vocabulary }) => new nn.GPT({ vocabulary, context: 8, layers: 1, heads: 2, width: 8 }),
  data: () => data.characters({ text: 'the cat sat on the mat. '.repeat(20) }, { context: 8 }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.targets),
  optimizer: optim.adamw({ learningRate: 1e-2 }),
  batchSize: 4, steps: 5,
})
`,
  })
  assert.equal((await talweg(folder, 'train', 'text.ts', '--json', ...onReference)).code, 0)
  const options = ['--prompt', 'the ', '--length', '12', '--seed', '5', ...onReference]
  const one = await talweg(folder, 'sample', 'text', ...options)
  assert.equal(one.code, 0, one.stderr)
  assert.match(one.stdout, /^the .{12}\n$/)
  const { text, tokens } = JSON.parse((await talweg(folder, 'sample', 'runs/text', '--json', ...options)).stdout) as {
    text: string
    tokens: number
  }
  assert.equal(`the ${text}\n`, one.stdout)
  assert.equal(tokens, 12)
  const unknown = await talweg(folder, 'sample', 'text', '--prompt', 'Ω', ...onReference)
  assert.equal(unknown.code, 2)
  await talweg(folder, 'train', 'tiny.ts', ...onReference)
  const refused = await talweg(folder, 'sample', 'tiny')
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /trained on text/)
})
