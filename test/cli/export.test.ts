/** `export`: a run's model for Transformers and for ONNX Runtime, with the run's own weights, and every wrong request. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import * as ort from 'onnxruntime-web'
import { compileGraph } from '../../src/compile/index.js'
import { tensorData, type Shape, type TensorData } from '../../src/core/shape.js'
import { restoreTextCodec } from '../../src/data/index.js'
import type { JsonValue } from '../../src/data/source.js'
import { CharacterCodec } from '../../src/data/text/codec.js'
import { loadPretrained } from '../../src/exchange/pretrained/index.js'
import { readSafetensors } from '../../src/exchange/safetensors/index.js'
import { trace, type AnyTensor, type Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { writeTokenizer } from '../../src/train/export/index.js'
import { reference } from '../engines/support/engines.js'
import { linesOf, talweg, temporaryFolder, tinyTraining, writeFiles } from './support/talweg.js'

const root = temporaryFolder('export')
ort.env.wasm.numThreads = 1

const textTraining = `import { data, defineTraining, nn, optim } from 'talweg'

export default defineTraining({
  model: ({ vocabulary }) => new nn.GPT({ vocabulary, context: 8, layers: 1, heads: 2, width: 16 }),
  data: () => data.characters('text.txt', { context: 8 }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.targets),
  optimizer: optim.adamw({ learningRate: 1e-2 }),
  batchSize: 4,
  steps: 5,
})
`

/** Labels are in the batch and no part of the model; images go through a convolution. */
const imageTraining = `import { data, defineTraining, nn, ops, optim } from 'talweg'

class Net extends nn.Module {
  convolution = new nn.Conv2d(1, 4, 3, { padding: 1 })
  norm = new nn.BatchNorm(4)
  output = new nn.Linear(4, 3)
  forward(images) {
    return this.output.forward(ops.mean(ops.relu(this.norm.forward(this.convolution.forward(images))), [1, 2]))
  }
}

const images = Array.from({ length: 12 }, (_, i) => Array.from({ length: 6 }, (_, y) => Array.from({ length: 6 }, (_, x) => [Math.sin(i + 3 * x * y)])))

export default defineTraining({
  model: () => new Net(),
  data: () => data.arrays({ images, labels: Int32Array.from(images, (_, i) => i % 3) }),
  loss: (model, batch) => nn.crossEntropy(model.forward(batch.images), batch.labels),
  optimizer: optim.sgd({ learningRate: 0.1 }),
  batchSize: 4,
  steps: 5,
})
`

const project = path.join(root, 'project')
mkdirSync(project)
writeFiles(project, { 'text.ts': textTraining, 'text.txt': 'the whale and the sea. '.repeat(20), 'images.ts': imageTraining, 'tiny.ts': tinyTraining }) // prettier-ignore
for (const name of ['text', 'images', 'tiny']) {
  const { code, stderr } = await talweg(project, 'train', `${name}.ts`, '--engine', 'reference', '--json')
  assert.equal(code, 0, stderr)
}

function weightsOf(run: string): Promise<Map<string, TensorData>> {
  const checkpoints = path.join(project, 'runs', run, 'checkpoints')
  const latest = readFileSync(path.join(checkpoints, 'latest'), 'utf8').trim()
  return readSafetensors(path.join(checkpoints, latest, 'model.safetensors'))
}

test('--to hugging-face: what is loaded again has the bits of the newest checkpoint', async () => {
  const finished = await talweg(project, 'export', 'text', '--to', 'hugging-face', '--output', 'out/gpt', '--json')
  assert.equal(finished.code, 0, finished.stderr)
  const [{ files, step, numParameters }] = linesOf(finished)
  assert.deepEqual(files, ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
  assert.equal(step, 5)
  const model = await loadPretrained(path.join(project, 'out/gpt'), nn.GPT)
  assert.equal(model.numParameters, numParameters)
  for (const [name, tensor] of await weightsOf('text'))
    assert.deepEqual(model.namedParameters().get(name)?.loaded, tensor, name)
})

test('with it goes a tokenizer of its characters, which Hugging Face’s library reads', async () => {
  const { tokenizer, config } = readTokenizer(path.join(project, 'out/gpt'))
  assert.deepEqual(config, { tokenizer_class: 'PreTrainedTokenizerFast' })
  const theirs = await restoreTextCodec({ kind: 'tokenizer', tokenizer })
  const ours = new CharacterCodec([...new Set('the whale and the sea. ')].toSorted().join(''))
  const text = 'whales  the.sea and . a'
  assert.deepEqual(theirs.encode(text), ours.encode(text))
  assert.equal(theirs.decode(ours.encode(text)), text)
})

test('a tokenizer that was given goes with it as it was, and its marks are said to be what they are', async () => {
  const wordPiece = JSON.parse(readFileSync(path.join(import.meta.dirname, '../data/fixtures/wordpiece.json'), 'utf8')) as JsonValue // prettier-ignore
  const folder = path.join(root, 'tokenizer')
  mkdirSync(folder)
  await writeTokenizer({ kind: 'texts', codec: { kind: 'tokenizer', tokenizer: wordPiece } }, folder)
  const { tokenizer, config } = readTokenizer(folder)
  assert.deepEqual(tokenizer, wordPiece)
  assert.deepEqual(config, {
    tokenizer_class: 'PreTrainedTokenizerFast',
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    mask_token: '[MASK]',
  })
  assert.deepEqual(await writeTokenizer({ kind: 'images' }, folder), [])
})

function readTokenizer(folder: string): { tokenizer: JsonValue; config: JsonValue } {
  const read = (name: string): JsonValue => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as JsonValue
  return { tokenizer: read('tokenizer.json'), config: read('tokenizer_config.json') }
}

test('--to onnx: a GPT gives the logits of the checkpoint, at any batch size and length', async () => {
  const finished = await talweg(project, 'export', 'runs/text', '--to', 'onnx')
  assert.equal(finished.code, 0, finished.stderr)
  assert.match(finished.stdout, /after step 5, in\n {2}runs\/text\/exported\/onnx\/onnx\/model.onnx\n/)
  const folder = path.join(project, 'runs/text/exported/onnx')
  assert.ok(existsSync(path.join(folder, 'config.json')))
  const session = await ort.InferenceSession.create(readFileSync(path.join(folder, 'onnx/model.onnx')))
  const tokens = tensorData(
    'i32',
    [3, 5],
    Int32Array.from({ length: 15 }, (_, index) => index % 11),
  )
  const integers = (values: Iterable<number>): ort.Tensor =>
    new ort.Tensor('int64', BigInt64Array.from(Array.from(values, BigInt)), [3, 5])
  const empty = (): ort.Tensor => new ort.Tensor('float32', new Float32Array(0), [3, 2, 0, 8])
  const { logits } = await session.run({
    input_ids: integers(tokens.data as Int32Array),
    attention_mask: integers(new Int32Array(15).fill(1)),
    position_ids: integers(Array.from({ length: 15 }, (_, index) => index % 5)),
    'past_key_values.0.key': empty(),
    'past_key_values.0.value': empty(),
  })
  const vocabulary = logits.dims[2]
  const model = new nn.GPT({ vocabulary, context: 8, layers: 1, heads: 2, width: 16 })
  const forward = (given: AnyTensor): AnyTensor => model.forward(given as AnyTensor as Tensor<Shape, 'i32'>)
  assertNear(logits, await computeHere(model, await weightsOf('text'), tokens, forward))
})

test('--to onnx: of any other model, what its loss calls it with; what only the loss needs is no input', async () => {
  const finished = await talweg(project, 'export', 'images', '--to', 'onnx', '--output', 'out/images', '--json')
  assert.equal(finished.code, 0, finished.stderr)
  const [{ files, inputs }] = linesOf(finished)
  assert.deepEqual(files, ['onnx/model.onnx'])
  assert.deepEqual(inputs, [{ name: 'images', dtype: 'f32', shape: ['batch', 6, 6, 1] }])
  const session = await ort.InferenceSession.create(readFileSync(path.join(project, 'out/images/onnx/model.onnx')))
  assert.deepEqual(session.inputNames, ['images'])
  const images = new ort.Tensor(
    'float32',
    Float32Array.from({ length: 180 }, (_, index) => Math.sin(index)),
    [5, 6, 6, 1],
  )
  const { logits } = await session.run({ images })
  assert.deepEqual(logits.dims, [5, 3])
  const probabilities = Array.from(logits.data as Float32Array)
  assert.ok(probabilities.every(Number.isFinite) && new Set(probabilities).size > 10)
})

/** The model's result on the reference engine. */
async function computeHere(
  model: nn.Module,
  weights: ReadonlyMap<string, TensorData>,
  given: TensorData,
  forward: (given: AnyTensor) => AnyTensor,
): Promise<TensorData> {
  const parameters = Array.from(model.namedParameters())
  const types = [...parameters.map(([name, { type }]) => ({ name, type })), { name: 'given', type: given }]
  const graph = trace('here', types, (...tensors) => {
    const values = new Map(parameters.map(([, parameter], index) => [parameter, tensors[index]]))
    return nn.withParameters({ training: false, values, updates: new Map() }, () => ({
      result: forward(tensors.at(-1)!),
    }))
  })
  const { program } = compileGraph(graph, reference)
  const executable = await reference.load(program, new Map())
  return (await executable.run({ ...Object.fromEntries(weights), given })).result
}

function assertNear(found: ort.Tensor, { shape, data }: TensorData): void {
  assert.deepEqual([...found.dims], shape)
  for (let index = 0; index < data.length; index++)
    assert.ok(Math.abs(Number(found.data[index]) - data[index]) <= 1e-4, `number ${index}: ${found.data[index]}, not ${data[index]}`) // prettier-ignore
}

const refused: readonly [what: string, args: readonly string[], message: RegExp][] = [
  ['no format', ['text'], /--to is missing/],
  ['an unknown format', ['text', '--to', 'onyx'], /--to.*"onyx".*hugging-face.*onnx/],
  ['a run that is not there', ['nowhere', '--to', 'onnx'], /there is no run "nowhere"/],
  ['a model whose family nobody else has', ['tiny', '--to', 'hugging-face'], /the model is MLP; no format of others is known for it.*ONNX/],
] // prettier-ignore

for (const [what, args, message] of refused) {
  test(`${what} is refused with exit code 2`, async () => {
    const { code, stderr } = await talweg(project, 'export', ...args)
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
  })
}
