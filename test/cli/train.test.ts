/** `train`: settings from all sides, JSON lines, what a run's folder holds, and every wrong request. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { readSafetensors } from '../../src/train/checkpoint/index.js'
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

const wrong: readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  args: readonly string[],
  message: RegExp,
][] = [
  ['a missing file', {}, ['none.ts'], /there is no file "none.ts"/],
  ['a folder', { 'sub/a.ts': '' }, ['sub'], /it is a folder/],
  [
    'a file that exports nothing',
    { 'a.ts': 'const a = 1\n' },
    ['a.ts'],
    /it exports nothing.*defineTraining.* At a\.ts/,
  ],
  [
    'a file without a default export',
    { 'a.ts': 'export const model = 1\n' },
    ['a.ts'],
    /it exports model, and nothing by default/,
  ],
  [
    'a default export that is no training',
    { 'a.ts': 'export default { model: 1 }\n' },
    ['a.ts'],
    /its default export is an object, not a training/,
  ],
  ['a syntax error', { 'a.ts': 'export default {\n  a: = 2,\n}\n' }, ['a.ts'], /it can't be read: .* At a\.ts:2/],
  [
    'a file that throws',
    { 'a.ts': 'const a: { b?: { c: number } } = {}\n\nexport default a.b!.c\n' },
    ['a.ts'],
    /TypeError.* At a\.ts:3/,
  ],
  ['an import that is not there', { 'a.ts': "import 'no-such-package'\n" }, ['a.ts'], /no-such-package/],
  ['a definition without a loss', { 'a.ts': tinyTraining.replace(/loss: .*/, '') }, ['a.ts'], /loss is missing/],
  [
    'an unknown setting in the file',
    { 'a.ts': tinyTraining.replace('batchSize', 'batchsize') },
    ['a.ts'],
    /no setting "batchsize".*did you mean batchSize/,
  ],
  [
    'a bad setting in the file',
    { 'a.ts': tinyTraining.replace('batchSize: 8', 'batchSize: -8') },
    ['a.ts'],
    /batchSize is -8/,
  ],
  ['an unknown setting by --set', {}, ['tiny.ts', '--set', 'stepz=3'], /no setting "stepz".*did you mean steps/],
  ['a bad setting by --set', {}, ['tiny.ts', '--set', 'keep=lots'], /keep is "lots"/],
  ['a settings file that is missing', {}, ['tiny.ts', '--settings', 'none.json'], /there is no file "none.json"/],
  [
    'a settings file that is broken',
    { 's.yaml': 'a: 1\nb: [1,\n' },
    ['tiny.ts', '--settings', 's.yaml'],
    /it is not YAML.* At s\.yaml:\d/,
  ],
  [
    'an unknown setting in a settings file',
    { 's.json': '{"seeed": 1}' },
    ['tiny.ts', '--settings', 's.json'],
    /no setting "seeed".*did you mean seed/,
  ],
  [
    'a shape error in the model',
    { 'a.ts': tinyTraining.replace('inputs: 3', 'inputs: 4') },
    ['a.ts'],
    /f32\[8,3\].* At a\.ts:9/,
  ],
  [
    'an error thrown in the loss',
    { 'a.ts': tinyTraining.replace('batch.x)', '(null as never as { w: never }).w)') },
    ['a.ts'],
    /loss: it threw TypeError.* At a\.ts:9/,
  ],
  [
    'a loss that is no scalar',
    { 'a.ts': tinyTraining.replace('nn.squaredError(model.forward(batch.x), batch.y)', 'model.forward(batch.x)') },
    ['a.ts'],
    /it gives f32\[8,1\], not a scalar/,
  ],
  [
    'data that is missing',
    {
      'a.ts': tinyTraining.replace(
        'data.arrays({ x, y }, { validation: 0.25 })',
        "data.characters('none.txt', { context: 3 })",
      ),
    },
    ['a.ts'],
    /there is no file "none.txt"/,
  ],
  [
    'data of unlike lengths',
    { 'a.ts': tinyTraining.replace('{ x, y }', '{ x, y: y.slice(1) }') },
    ['a.ts'],
    /"x" has 64 samples and "y" has 63/,
  ],
  [
    'a model that asks for what the data has not',
    {
      'a.ts': tinyTraining
        .replace('model: () =>', 'model: ({ vocabulary }) =>')
        .replace('inputs: 3', 'inputs: vocabulary'),
    },
    ['a.ts'],
    /asks for the data's vocabulary/,
  ],
  [
    'a layer without a feature',
    { 'a.ts': tinyTraining.replace('hidden: [8]', 'hidden: [0]') },
    ['a.ts'],
    /the parameter layers\.0\.weight is f32\[3,0\]/,
  ],
  [
    'a tensor that a batch has not',
    { 'a.ts': tinyTraining.replace('batch.y)', 'batch.yy)') },
    ['a.ts'],
    /no tensor "yy" in a batch, which has x, y\. Hint: did you mean y\. At a\.ts:9/,
  ],
  [
    'an option that a table has not',
    {
      'a.ts': tinyTraining.replace(
        'data.arrays({ x, y }, { validation: 0.25 })',
        "data.table('t.csv', { targt: 'y' })",
      ),
    },
    ['a.ts'],
    /no option "targt"\. Hint: did you mean target/,
  ],
  [
    'a table without a target',
    { 'a.ts': tinyTraining.replace('data.arrays({ x, y }, { validation: 0.25 })', "data.table('t.csv', {})") },
    ['a.ts'],
    /the target is missing/,
  ],
  [
    'pictures of no size',
    {
      'a.ts': tinyTraining.replace('data.arrays({ x, y }, { validation: 0.25 })', "data.images('p', { height: 0 })"),
    },
    ['a.ts'],
    /height is 0/,
  ],
  ['a file for a run', {}, ['tiny.ts', '--run', 'tiny.ts'], /the run's folder can't be made.* At tiny\.ts/],
  ['a folder in a file for a run', {}, ['tiny.ts', '--run', 'tiny.ts/run'], /the run's folder can't be made/],
  [
    'a description of a run that is none',
    { 'r/training.json': '[]' },
    ['tiny.ts', '--run', 'r', '--resume'],
    /it does not describe a run.* At r.training\.json/,
  ],
  ['parts that do not divide the batch', {}, ['tiny.ts', '--accumulate', '3'], /a batch of 8 can't be cut into 3/],
  ['no length', { 'a.ts': tinyTraining.replace('steps: 40,', '') }, ['a.ts'], /neither steps nor epochs/],
]

for (const [what, files, args, message] of wrong) {
  test(`${what}: exit code 2, one message that says where, nothing written`, async () => {
    const folder = project(files)
    const before = readdirSync(folder)
    const { code, stdout, stderr } = await talweg(folder, 'train', ...args, '--json', ...onReference)
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, message)
    assert.equal(stderr.trim().split('\n').length, 1, stderr)
    assert(!stderr.includes(`${folder}${path.sep}`), 'paths are told from the working directory')
    assert.deepEqual(readdirSync(folder), before)
  })
}

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
