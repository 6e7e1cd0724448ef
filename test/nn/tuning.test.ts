/** Freezing by path, and LoRA: what is trained, what stays, and that a merged model is the adapted one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph } from '../../src/compile/index.js'
import { tensorData, tensorType, type Shape, type TensorData } from '../../src/core/shape.js'
import type { Engine, EngineBuffer } from '../../src/engine/engine.js'
import { trace, type AnyTensor, type Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { adamw } from '../../src/optim/index.js'
import { buildTrainingStep, healthFlag, isParameterState } from '../../src/train/step.js'
import { randomTensor } from '../engines/support/data.js'
import { forEachEngine } from '../engines/support/engines.js'

const size = { vocabulary: 31, context: 12, layers: 2, heads: 2, width: 16 }
const batchType = tensorType('i32', [3, 12])
const tokens = tensorData(
  'i32',
  [3, 12],
  Array.from({ length: 36 }, (_, place) => (place * 7) % 31),
)
const targets = tensorData(
  'i32',
  [3, 12],
  Array.from({ length: 36 }, (_, place) => ((place + 1) * 7) % 31),
)

/** Of a trained model's size; an adapter's second matrix begins as zeros. */
function startOf(model: nn.Module): Map<string, TensorData> {
  return new Map(
    Array.from(model.namedParameters(), ([path, { type }]): [string, TensorData] => [
      path,
      path.endsWith('adapter.up') ? tensorData('f32', type.shape) : randomTensor(path, type),
    ]),
  )
}

/** The parameters after some steps of AdamW. */
async function train(engine: Engine, model: nn.GPT, start: ReadonlyMap<string, TensorData>, numSteps: number) {
  type Batch = { readonly tokens: Tensor<Shape, 'i32'>; readonly targets: Tensor<Shape, 'i32'> }
  const { graph, state, stateTypes, outputs } = buildTrainingStep({
    model,
    loss: (gpt: nn.GPT, batch: Batch) => nn.crossEntropy(gpt.forward(batch.tokens), batch.targets),
    optimizer: adamw({ learningRate: 0.02, weightDecay: 0.1 }),
    batch: ['tokens', 'targets'].map((name) => ({ name, type: batchType })),
    batchSize: 3,
    totalSteps: numSteps,
    seed: 1,
    accumulate: 1,
  })
  const { program } = compileGraph(graph, engine, { state, outputs, verify: true })
  const buffers = new Map<string, EngineBuffer>()
  for (const [name, type] of stateTypes) {
    const other = tensorData(type.dtype, type.shape, name === healthFlag ? [1] : undefined)
    buffers.set(name, engine.allocate(type, isParameterState(name) ? start.get(name)! : other))
  }
  const executable = await engine.load(program, buffers)
  for (let step = 0; step < numSteps; step++) await executable.run({ tokens, targets })
  const found = new Map<string, TensorData>()
  for (const [name, buffer] of buffers) if (isParameterState(name)) found.set(name, await buffer.read())
  return { parameters: found, slots: [...stateTypes.keys()].filter((name) => name.startsWith('slots/')) }
}

async function logitsOf(engine: Engine, model: nn.GPT, values: ReadonlyMap<string, TensorData>): Promise<number[]> {
  const parameters = [...model.namedParameters()]
  const inputs = [...parameters.map(([name, { type }]) => ({ name, type })), { name: 'tokens', type: batchType }]
  const graph = trace('logits', inputs, (...tensors) => {
    const bound = new Map(parameters.map(([, parameter], index) => [parameter, tensors[index]]))
    return nn.withParameters({ training: false, values: bound, updates: new Map() }, () => ({
      logits: model.forward(tensors.at(-1) as AnyTensor as Tensor<Shape, 'i32'>) as AnyTensor,
    }))
  })
  const executable = await engine.load(compileGraph(graph, engine, { verify: true }).program, new Map())
  const { logits } = await executable.run({ ...Object.fromEntries(values), tokens })
  return Array.from(logits.data, Number)
}

const changed = (before: ReadonlyMap<string, TensorData>, after: ReadonlyMap<string, TensorData>): string[] =>
  [...before.keys()].filter((path) => before.get(path)!.data.join() !== after.get(path)!.data.join())

const difference = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index])), 0)

forEachEngine('fine-tuning', (engine) => {
  test('what is frozen stays to the bit, without a place in the optimiser; all else is trained', async () => {
    const model = nn.freeze(new nn.GPT(size), ['*Embedding.weight', 'blocks.0.**', /\.bias$/])
    const start = startOf(model)
    const { parameters, slots } = await train(engine, model, start, 3)
    const isTrained = (path: string): boolean => !/Embedding|blocks\.0|bias/.test(path)
    assert.deepEqual(changed(start, parameters), [...start.keys()].filter(isTrained))
    assert.ok(slots.length > 0 && slots.every((slot) => isTrained(slot)), slots.join())
  })

  test('LoRA trains its adapters alone, begins as the model it adapts, and merges into it', async () => {
    const plain = new nn.GPT(size)
    const adapted = nn.lora(new nn.GPT(size), { rank: 4, alpha: 8, match: ['**.query', '**.value', '**.down'] })
    const start = startOf(adapted)
    const base = new Map([...start].filter(([path]) => !path.includes('adapter')))
    assert.ok(difference(await logitsOf(engine, adapted, start), await logitsOf(engine, plain, base)) < 1e-6)
    const { parameters } = await train(engine, adapted, start, 5)
    assert.deepEqual(
      changed(start, parameters),
      [...start.keys()].filter((path) => path.includes('adapter')),
    )
    const tuned = await logitsOf(engine, adapted, parameters)
    const merged = nn.mergeLora(adapted, parameters)
    assert.deepEqual([...merged.keys()].toSorted(), [...plain.namedParameters().keys()].toSorted())
    assert.ok(difference(tuned, await logitsOf(engine, plain, base)) > 0.1, 'training has changed the logits')
    const off = difference(tuned, await logitsOf(engine, plain, merged))
    assert.ok(off < 1e-5, `merging changes logits by ${off}`)
  })
})

test('LoRA of rank 8 on queries and values trains less than 1 % of GPT-2 and of Llama 2', () => {
  for (const [name, expected] of [
    ['gpt2', 12 * 2 * 2 * 8 * 768],
    ['llama-2-7b', 32 * 2 * 2 * 8 * 4096],
  ] as const) {
    const whole = new nn.GPT(nn.GPT.configs[name]).numParameters
    const { numParameters } = nn.lora(new nn.GPT(nn.GPT.configs[name]))
    assert.equal(numParameters, expected)
    assert.ok(numParameters < 0.01 * whole)
  }
})

test('a new head is trained with the adapters where its path is given', () => {
  const model = new nn.BERTSequenceClassifier({ ...size, heads: 4, numClasses: 2 })
  nn.lora(model, { alsoTrain: ['output.**', 'bert.pooler.*'] })
  const trained = [...model.namedParameters()].flatMap(([path, { trainable }]) => (trainable ? [path] : []))
  const others = trained.filter((path) => !path.includes('.adapter.'))
  assert.deepEqual(others, ['bert.pooler.weight', 'bert.pooler.bias', 'output.weight', 'output.bias'])
})

test('a pattern that matches nothing is refused, with paths that there are', () => {
  assert.throws(() => nn.freeze(new nn.GPT(size), 'blocks.*.weight'), {
    message:
      /^freeze: no trained parameter matches "blocks\.\*\.weight"\. Hint: paths are such as tokenEmbedding\.weight, /,
  })
  assert.throws(() => nn.lora(new nn.GPT(size), { match: '**.queries' }), { code: 'INVALID_SETTING' })
  assert.throws(() => nn.lora(nn.lora(new nn.GPT(size)), {}), /has an adapter already/)
  assert.throws(() => nn.mergeLora(nn.lora(new nn.GPT(size)), new Map()), { code: 'CHECKPOINT_MISMATCH' })
})
