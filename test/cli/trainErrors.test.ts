/** `train`: every wrong request ends with exit code 2 and one message that says where, and writes nothing. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { talweg, temporaryFolder, tinyTraining, writeFiles } from './support/talweg.js'

const root = temporaryFolder('wrong')
let numFolders = 0

/** A fresh folder with the tiny training and other files in it. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = path.join(root, String(numFolders++))
  mkdirSync(folder)
  writeFiles(folder, { 'tiny.ts': tinyTraining, ...files })
  return folder
}

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
    /MLP: hidden\[0\] is 0; it takes a whole number of at least 1\. At a\.ts:7/,
  ],
  [
    'an error in a timer of the file',
    {
      'a.ts': `${tinyTraining}setTimeout(() => {\n  throw new RangeError('late')\n}, 0)\nawait new Promise((go) => setTimeout(go, 9000))\n`,
    },
    ['a.ts'],
    /it threw RangeError: late\. At a\.ts:16/,
  ],
  [
    'a promise of the file that nobody waits for',
    { 'a.ts': `void Promise.reject('of no use')\n${tinyTraining}\nawait new Promise((go) => setTimeout(go, 9000))\n` },
    ['a.ts'],
    /it threw of no use/,
  ],
  ['a file that ends the process', { 'a.ts': `${tinyTraining}process.exit(0)\n` }, ['a.ts'], /train: it calls process\.exit while it is loaded\. At a\.ts:15/], // prettier-ignore
  ['a file that never ends', { 'a.ts': `${tinyTraining}await new Promise(() => undefined)\n` }, ['a.ts'], /it waits for what never comes\. At a\.ts/], // prettier-ignore
  [
    'data that is not finite',
    { 'a.ts': tinyTraining.replace('const y', 'x[4][1] = Number.NaN\nconst y') },
    ['a.ts'],
    /data\.arrays: "x" holds NaN in sample 5, entry 2 of 3\. Hint: /,
  ],
  ['a run where no folder can be made', {}, ['tiny.ts', '--run', '/proc/none/run'], /the run's folder can't be made: ENOENT/], // prettier-ignore
  ['a value for a flag that says no', {}, ['tiny.ts', '--no-resume=false'], /--no-resume takes no value, and has "false"\. Hint: --no-resume alone is false, --resume is true/], // prettier-ignore
  [
    'an option of the optimiser out of its range',
    { 'a.ts': tinyTraining.replace('adamw({', 'adamw({ beta1: 1.5,') },
    ['a.ts'],
    /adamw: beta1 is 1\.5; it takes a number of at least 0 and below 1\. At a\.ts:10/,
  ],
  [
    'a parameter without an element',
    {
      'a.ts': tinyTraining
        .replace('new nn.MLP(', 'new Empty(')
        .replace('export', 'class Empty extends nn.MLP { none = new nn.Parameter([3, 0]) }\n\nexport'),
    },
    ['a.ts'],
    /the parameter none is f32\[3,0\]/,
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
    const { code, stdout, stderr } = await talweg(folder, 'train', ...args, '--json', '--engine=reference')
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, message)
    assert.equal(stderr.trim().split('\n').length, 1, stderr)
    assert(!stderr.includes(`${folder}${path.sep}`), 'paths are told from the working directory')
    assert.deepEqual(readdirSync(folder), before)
  })
}
