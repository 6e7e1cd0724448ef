/**
 * Models of Transformers and torchvision: read, they compute what they did there; written, they are the same files again;
 * and what is wrong with one is named.
 */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { TalwegError } from '../../src/core/errors.js'
import { numElements, tensorData, type Shape, type TensorData } from '../../src/core/shape.js'
import { families } from '../../src/exchange/pretrained/families/index.js'
import { loadPretrained, savePretrained, type ModelClass } from '../../src/exchange/pretrained/index.js'
import { joinColumns, toTheirs } from '../../src/exchange/pretrained/layout.js'
import { pairUp } from '../../src/exchange/pretrained/rows.js'
import { readSafetensors, writeSafetensors } from '../../src/exchange/safetensors/index.js'
import { TensorFiles } from '../../src/exchange/safetensors/tensorFiles.js'
import { arrays } from '../../src/data/index.js'
import type { AnyTensor, Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { transpose } from '../../src/ops/index.js'
import { sgd } from '../../src/optim/index.js'
import { defineTraining, prepareTraining, TrainingSession, type Training } from '../../src/train/index.js'
import { forEachEngine } from '../engines/support/engines.js'
import { temporaryFolder } from '../support/folder.js'
import { assertGradient, assertNear, compute, fixtures, readExpected, type Forward } from './support.js'

const folder = temporaryFolder('pretrained')

const tokensIn = (inputs: ReadonlyMap<string, AnyTensor>): Tensor<Shape, 'i32'> =>
  inputs.get('input_ids') as AnyTensor as Tensor<Shape, 'i32'>

/** By fixture: its class, and how it is called. */
const models: Readonly<Record<string, { readonly class: ModelClass; readonly forward: Forward }>> = {
  gpt2: { class: nn.GPT, forward: (model, inputs) => (model as nn.GPT).forward(tokensIn(inputs)) },
  llama: { class: nn.GPT, forward: (model, inputs) => (model as nn.GPT).forward(tokensIn(inputs)) },
  'bert-masked': { class: nn.BERTMaskedLanguageModel, forward: callBERT },
  'bert-sequence': { class: nn.BERTSequenceClassifier, forward: callBERT },
  'bert-token': { class: nn.BERTTokenClassifier, forward: callBERT },
  resnet18: { class: nn.ResNet, forward: callResNet },
  resnet50: { class: nn.ResNet, forward: callResNet },
}

function callBERT(model: nn.Module, inputs: ReadonlyMap<string, AnyTensor>): AnyTensor {
  const tokenTypes = inputs.get('token_type_ids') as AnyTensor as Tensor<Shape, 'i32'>
  return (model as nn.BERTMaskedLanguageModel).forward(tokensIn(inputs), {
    tokenTypes,
    mask: inputs.get('attention_mask'),
  })
}

/** torchvision's images have their channels first. */
function callResNet(model: nn.Module, inputs: ReadonlyMap<string, AnyTensor>): AnyTensor {
  return (model as nn.ResNet).forward(transpose(inputs.get('x')!, [0, 2, 3, 1]))
}

/** Tied or constant, and so in the file or not, as the writer likes. */
const optional = new Set(['lm_head.weight'])

forEachEngine('pretrained models', (engine) => {
  for (const [name, { class: expectedClass, forward }] of Object.entries(models)) {
    test(`${name}: logits, loss and every gradient are the library's, to 1e-4`, async () => {
      const expected = await readExpected(name)
      const model = await loadPretrained(path.join(fixtures, name), expectedClass)
      const { logits, trained } = await compute(engine, model, forward, expected)
      assertNear(logits.logits, expected.logits, 'logits')
      assert.ok(Math.abs(trained.loss.data[0] - expected.loss) <= 1e-4 * expected.loss, `loss ${trained.loss.data[0]}, not ${expected.loss}`) // prettier-ignore
      const found = inTheirs(model, trained)
      const wanted = [...expected.gradients.keys()].filter((key) => found.has(key) || !optional.has(key))
      assert.deepEqual(new Set(wanted), new Set(found.keys()))
      for (const [key, gradient] of found) assertGradient(gradient, expected.gradients.get(key)!, `gradient of ${key}`)
    })
  }
})

/** What has been computed for each trained parameter, in the library's names and layouts. */
function inTheirs(model: nn.Module, byPath: Readonly<Record<string, TensorData>>): Map<string, TensorData> {
  const family = families.find((each) => each.has(model))!
  return new Map(
    pairUp(model, family.rows)
      .filter(({ ours }) => ours.every(({ parameter }) => parameter.trainable))
      .map(({ theirs, ours, layout }) => [
        theirs,
        toTheirs(joinColumns(ours.map((each) => byPath[each.path])), layout),
      ]),
  )
}

for (const name of Object.keys(models)) {
  test(`${name}: saved again, every tensor has its name, its type and its bits, and the configuration is the same`, async () => {
    const target = path.join(process.env.TALWEG_KEEP_PRETRAINED ?? folder, name)
    await savePretrained(await loadPretrained(path.join(fixtures, name)), target)
    const [before, after] = await Promise.all([fixtures, path.dirname(target)].map((parent) => readSafetensors(path.join(parent, name, 'model.safetensors')))) // prettier-ignore
    for (const key of optional) if (!after.has(key)) before.delete(key)
    assert.deepEqual(new Set(after.keys()), new Set(before.keys()))
    for (const [key, tensor] of before) assert.deepEqual(after.get(key), tensor, key)
    const config = path.join(fixtures, name, 'config.json')
    if (existsSync(config)) assertConfig(config, path.join(target, 'config.json'))
  })
}

/** Written for Transformers 4 as well. */
const beforeVersion5 = new Set(['rope_theta', 'rope_scaling'])

/** What is written says what was read; a key that is left out has its default there. */
function assertConfig(before: string, after: string): void {
  const read = (file: string): Record<string, unknown> =>
    JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  const original = read(before)
  for (const [key, value] of Object.entries(read(after)))
    if (!beforeVersion5.has(key)) assert.deepEqual(value, original[key], key)
}

test('in shards with an index, a model is the same', async () => {
  const target = path.join(folder, 'sharded')
  const model = await loadPretrained(path.join(fixtures, 'gpt2'))
  const names = await savePretrained(model, target, { maxShardBytes: 10_000 })
  assert.ok(names.length > 5, names.join())
  assert.equal(names.at(-1), 'model.safetensors.index.json')
  const again = await loadPretrained(target)
  for (const [key, { loaded }] of model.namedParameters())
    assert.deepEqual(again.namedParameters().get(key)!.loaded, loaded, key)
  await savePretrained(model, target)
  const files = await TensorFiles.open(target)
  assert.equal(
    files.fileOf('transformer.wte.weight'),
    path.join(target, 'model.safetensors'),
    'no index of before is left',
  )
  await files.close()
})

test('without the prefix that some files have, with masks and in half precision, a model is the same', async () => {
  const target = copyOf('gpt2')
  const tensors = await readSafetensors(path.join(target, 'model.safetensors'))
  const plain = new Map([...tensors].map(([key, tensor]) => [key.replace('transformer.', ''), tensor]))
  plain.set('h.0.attn.bias', { dtype: 'f32', shape: [1, 1, 2, 2], data: Float32Array.of(1, 0, 1, 1) })
  plain.set('ln_f.weight', { dtype: 'bf16', shape: [24], data: new Uint16Array(24).fill(0x3fc0) })
  await writeSafetensors(path.join(target, 'model.safetensors'), plain)
  const [original, model] = [await loadPretrained(path.join(fixtures, 'gpt2')), await loadPretrained(target)]
  for (const [key, { loaded }] of original.namedParameters()) {
    const found = model.namedParameters().get(key)!.loaded
    assert.deepEqual(found, key === 'finalNorm.weight' ? { dtype: 'f32', shape: [24], data: new Float32Array(24).fill(1.5) } : loaded, key) // prettier-ignore
  }
})

let numCopies = 0

function copyOf(name: string): string {
  const target = path.join(folder, `copy-${numCopies++}`)
  cpSync(path.join(fixtures, name), target, { recursive: true })
  return target
}

async function withTensors(change: (tensors: Map<string, TensorData>) => void): Promise<string> {
  const target = copyOf('gpt2')
  const file = path.join(target, 'model.safetensors')
  const tensors = await readSafetensors(file)
  change(tensors)
  await writeSafetensors(file, tensors)
  return target
}

function withConfig(change: Record<string, unknown>, name = 'gpt2'): string {
  const target = copyOf(name)
  const file = path.join(target, 'config.json')
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...change }))
  return target
}

/** With an index that says so of where a tensor is. */
async function withIndex(change: (weightMap: Record<string, string>) => void): Promise<string> {
  const target = path.join(folder, `index-${numCopies++}`)
  await savePretrained(await loadPretrained(path.join(fixtures, 'gpt2')), target, { maxShardBytes: 20_000 })
  const file = path.join(target, 'model.safetensors.index.json')
  const index = JSON.parse(readFileSync(file, 'utf8')) as { weight_map: Record<string, string> }
  change(index.weight_map)
  writeFileSync(file, JSON.stringify(index))
  return target
}

const lastNorm = 'transformer.ln_f.weight'

const refused: readonly [what: string, make: () => string | Promise<string>, message: RegExp][] = [
  ['a missing tensor', () => withTensors((tensors) => tensors.delete(lastNorm)), /no tensor "transformer.ln_f.weight" \(\[24\], for finalNorm.weight\)/],
  ['a tensor of another name', () => withTensors((tensors) => tensors.set('transformer.h.0.ln_3.weight', tensors.get(lastNorm)!)), /"transformer.h.0.ln_3.weight" \(F32 \[24\]\) is none of this GPT-2 model's. Hint: the nearest is "transformer.h.0.ln_[12].weight"/],
  ['a tensor of another shape', () => withTensors((tensors) => tensors.set(lastNorm, { dtype: 'f32', shape: [2, 12], data: new Float32Array(24) })), /"transformer.ln_f.weight" is \[2,12\] and has to be \[24\], for finalNorm.weight \[24\]/],
  ['a configuration of a larger model', () => withConfig({ n_layer: 3 }), /no tensor "transformer.h.2.ln_1.weight"/],
  ['a configuration of another width', () => withConfig({ n_embd: 48 }), /"transformer.wte.weight" is \[37,24\] and has to be \[37,48\]/],
  ['an unknown family', () => withConfig({ model_type: 'mamba' }), /no model of type "mamba"/],
  ['a configuration without a key', () => withConfig({ n_head: undefined }), /"n_head" is missing/],
  ['a key that is no number', () => withConfig({ n_head: 'three' }), /"n_head" is "three"/],
  ['an activation that is not there', () => withConfig({ activation_function: 'relu' }), /"activation_function" is "relu"/],
  ['an index that names a shard elsewhere', () => withIndex((map) => void (map[lastNorm] = '../model.safetensors')), /is said to be in "..\/model.safetensors", which is no file beside the index/],
  ['an index that names a tensor which no shard has', () => withIndex((map) => void (map['transformer.ln_g.weight'] = map[lastNorm])), /has no tensor "transformer.ln_g.weight".*it has "transformer.ln_f.weight"/],
  ['an index that lacks a tensor', () => withIndex((map) => void delete map[lastNorm]), /has the tensor "transformer.ln_f.weight", which the index does not name/],
] // prettier-ignore

for (const [what, make, message] of refused) {
  test(`${what} is refused by name`, async () => {
    const location = await make()
    await assert.rejects(loadPretrained(location), (error: unknown) => {
      assert.ok(error instanceof TalwegError, String(error))
      assert.equal(error.code, 'INVALID_FILE')
      assert.match(error.message, message)
      assert.ok(error.place?.file?.startsWith(location), error.message)
      return true
    })
  })
}

test('BERT for another task: the file’s head is left aside, a classifier is new, all else is the file’s', async () => {
  const location = path.join(fixtures, 'bert-masked')
  const original = await loadPretrained(location, nn.BERTMaskedLanguageModel)
  const model = await loadPretrained(location, nn.BERTSequenceClassifier, { numClasses: 7 })
  assert.deepEqual(model.output.weight.type.shape, [24, 7])
  for (const [key, { loaded }] of model.namedParameters()) {
    const isNew = key.startsWith('output.') || key.startsWith('bert.pooler.')
    assert.deepEqual(loaded, isNew ? undefined : original.namedParameters().get(key)!.loaded, key)
  }
  const plain = await loadPretrained(path.join(fixtures, 'bert-sequence'), nn.BERT)
  assert.ok(plain.pooler?.weight.loaded !== undefined)
  await assert.rejects(loadPretrained(location, nn.BERTTokenClassifier), /no classifier.*\{ numClasses \}/)
  await assert.rejects(loadPretrained(path.join(fixtures, 'bert-token'), nn.BERTMaskedLanguageModel), /no tensor "cls.predictions.transform.dense.weight"/) // prettier-ignore
  await assert.rejects(loadPretrained(path.join(fixtures, 'gpt2'), nn.GPT, { numClasses: 2 }), {
    code: 'INVALID_SETTING',
  })
})

test('BERT without a head is written by its own names, and read by either and by those of before', async () => {
  const plain = await loadPretrained(path.join(fixtures, 'bert-sequence'), nn.BERT)
  const target = path.join(folder, 'bert-plain')
  await savePretrained(plain, target)
  const file = path.join(target, 'model.safetensors')
  const tensors = await readSafetensors(file)
  assert.ok(tensors.has('embeddings.LayerNorm.weight') && tensors.has('pooler.dense.bias'), [...tensors.keys()].join())
  const old = (name: string): string =>
    name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')
  await writeSafetensors(file, new Map([...tensors].map(([name, tensor]) => [old(name), tensor])))
  const again = await loadPretrained(target, nn.BERT)
  for (const [key, { loaded }] of plain.namedParameters())
    assert.deepEqual(again.namedParameters().get(key)!.loaded, loaded, key)
})

test('a ResNet’s file alone says what it is; with a new last layer all else is the file’s', async () => {
  const model = await loadPretrained(path.join(fixtures, 'resnet50/model.safetensors'), nn.ResNet, { numClasses: 3 })
  const { block, stages, width } = model.options
  assert.deepEqual({ block, stages, width }, { block: 'bottleneck', stages: [3, 4, 6, 3], width: 2 })
  for (const [key, { loaded }] of model.namedParameters())
    assert.equal(loaded === undefined, key.startsWith('output.'), key)
})

test('Llama’s rotations are read as Transformers 4 and 5 write them, and any other kind is refused', async () => {
  const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8 }
  const kind = { rope_type: 'llama3', ...scaling }
  const read = async (change: Record<string, unknown>): Promise<unknown> => (await loadPretrained(withConfig(change, 'llama'), nn.GPT)).options // prettier-ignore
  const five = await read({ rope_parameters: { rope_theta: 5e5, ...kind } })
  assert.deepEqual(await read({ rope_parameters: null, rope_theta: 5e5, rope_scaling: kind }), five)
  const { rotaryBase, rotaryScaling } = five as nn.GPT['options']
  assert.deepEqual([rotaryBase, rotaryScaling?.factor, rotaryScaling?.originalContext], [5e5, 8, 8])
  await assert.rejects(read({ rope_parameters: { rope_theta: 1e4, rope_type: 'yarn' } }), /"rope_parameters" is .*yarn/)
})

test('what LoRA has learnt is in the weights that are saved', async () => {
  const model = nn.lora(await loadPretrained(path.join(fixtures, 'gpt2'), nn.GPT), { rank: 2, alpha: 4 })
  const weights = new Map(
    Array.from(model.namedParameters(), ([key, { type, loaded }]) => [key, loaded ?? tensorData('f32', type.shape, new Float32Array(numElements(type.shape)).fill(0.5))]), // prettier-ignore
  )
  const target = path.join(folder, 'lora')
  await savePretrained(model, target, { weights })
  const merged = await loadPretrained(target, nn.GPT)
  for (const [key, { loaded }] of merged.namedParameters()) {
    const isAdapted = /attention\.(query|value)\.weight$/.test(key)
    // Two in rank, each 0.5 · 0.5, counted alpha / rank times.
    const expected = Float32Array.from(weights.get(key)!.data, (value) => (isAdapted ? Math.fround(value + 1) : value))
    assert.deepEqual(loaded!.data, expected, key)
  }
})

test('a training begins with what its model was loaded with', async () => {
  const training = defineTraining({
    model: () => loadPretrained(path.join(fixtures, 'gpt2'), nn.GPT),
    data: () => arrays({ tokens: { dtype: 'i32', shape: [4, 8], data: new Int32Array(32) } }),
    loss: (model, batch) => nn.crossEntropy(model.forward(batch.tokens), batch.tokens),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 2,
    steps: 1,
    engine: 'reference',
  })
  const prepared = await prepareTraining(training as unknown as Training, training.settings(), () => undefined)
  const started = await (await TrainingSession.open(prepared)).copyModel()
  for (const [key, { loaded }] of (await loadPretrained(path.join(fixtures, 'gpt2'))).namedParameters())
    assert.deepEqual(started.get(key), loaded, key)
})

test('a folder without weights, and a model of another class than was asked for, are refused', async () => {
  await assert.rejects(loadPretrained(path.join(folder, 'nowhere')), { code: 'FILE_NOT_FOUND' })
  await assert.rejects(
    loadPretrained(path.join(fixtures, 'gpt2'), nn.MLP),
    /it is of a GPT-2 model, nn.GPT, not of nn.MLP/,
  )
})

test('a model whose family nobody else has, and one without values, are not saved', async () => {
  const mlp = new nn.MLP({ inputs: 2, hidden: [], outputs: 2 })
  await assert.rejects(savePretrained(mlp, path.join(folder, 'mlp')), { code: 'INVALID_SETTING' })
  const gpt = new nn.GPT({ vocabulary: 5, context: 4, layers: 1, heads: 1, width: 4 })
  await assert.rejects(
    savePretrained(gpt, path.join(folder, 'gpt')),
    /savePretrained: the model's tokenEmbedding.weight is f32\[5,4\]; the values given have none/,
  )
})
