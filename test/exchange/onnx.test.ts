/**
 * What is exported as ONNX computes in ONNX Runtime what it computes here, to 1e-4, at sizes that it was not traced with. The
 * runtime is the one for browsers (`onnxruntime-web`, its WebAssembly in Node): the package for Node wants to download on
 * installing what not every network gives.
 */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import * as ort from 'onnxruntime-web'
import { compileGraph } from '../../src/compile/index.js'
import { philoxBits } from '../../src/core/random.js'
import { numElements, tensorData, type Shape, type TensorData } from '../../src/core/shape.js'
import { arrays, type DataSource } from '../../src/data/index.js'
import { loadPretrained } from '../../src/exchange/pretrained/index.js'
import { callOfFamily } from '../../src/train/export/familyCalls.js'
import { exportOnnx, type OnnxExport, type OnnxInput } from '../../src/exchange/onnx/index.js'
import { trace, type AnyTensor, type Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import * as ops from '../../src/ops/index.js'
import { reference } from '../engines/support/engines.js'
import { temporaryFolder } from '../support/folder.js'
import { fixtures, readExpected } from './support.js'

const folder = temporaryFolder('onnx')
ort.env.wasm.numThreads = 1

/** Numbers from -1 to 1, by a seed. */
function randomNumbers(shape: Shape, seed: number): TensorData {
  const bits = philoxBits([seed, 0, 0, 0], numElements(shape))
  return tensorData(
    'f32',
    shape,
    Float32Array.from(bits, (word) => word / 2 ** 31 - 1),
  )
}

/** Values of every parameter; variances and scales are positive. */
function randomWeights(model: nn.Module): Map<string, TensorData> {
  return new Map(
    Array.from(model.namedParameters(), ([name, { type }], index) => {
      const { shape, data } = randomNumbers(type.shape, index + 1)
      const isPositive = /norm.*weight|Variance$/i.test(name)
      const scale =
        type.shape.length > 1 ? 1 / Math.sqrt(numElements(type.shape) / type.shape[type.shape.length - 1]) : 0.2
      return [
        name,
        tensorData(
          'f32',
          shape,
          Float32Array.from(data, (value) => (isPositive ? 1 + 0.3 * value : scale * value)),
        ),
      ]
    }),
  )
}

/** The result of the model here, at given sizes. */
async function computeHere(
  { model, weights, inputs, forward }: OnnxExport,
  given: readonly TensorData[],
): Promise<Record<string, TensorData>> {
  const parameters = Array.from(model.namedParameters())
  const types = [...parameters.map(([name, { type }]) => ({ name, type })), ...given.map((type, index) => ({ name: `in ${inputs[index].name}`, type }))] // prettier-ignore
  const graph = trace('here', types, (...tensors) => {
    const values = new Map(parameters.map(([, parameter], index) => [parameter, tensors[index]]))
    return nn.withParameters({ training: false, values, updates: new Map() }, () => forward(...tensors.slice(parameters.length))) // prettier-ignore
  })
  const { program } = compileGraph(graph, reference)
  const named = new Map([...weights, ...given.map((data, index) => [`in ${inputs[index].name}`, data] as const)])
  const executable = await reference.load(program, new Map())
  return executable.run(Object.fromEntries(program.inputs.map(({ name }) => [name, named.get(name)!])))
}

function asOrt({ dtype, shape, data }: TensorData): ort.Tensor {
  if (dtype === 'i32') return new ort.Tensor('int64', BigInt64Array.from(data as Int32Array, BigInt), shape)
  return new ort.Tensor('float32', data as Float32Array, shape)
}

/** Runs both at several sizes and compares every result. */
async function assertSame(
  name: string,
  definition: OnnxExport,
  cases: readonly (readonly TensorData[])[],
): Promise<void> {
  const file = path.join(folder, `${name}.onnx`)
  const { files } = await exportOnnx(file, definition)
  const externalData = files.slice(1).map((data) => ({ path: data, data: readFileSync(path.join(folder, data)) }))
  const session = await ort.InferenceSession.create(readFileSync(file), { externalData, logSeverityLevel: 3 })
  for (const given of cases) {
    const expected = await computeHere(definition, given)
    const found = await session.run(Object.fromEntries(given.map((data, index) => [definition.inputs[index].name, asOrt(data)]))) // prettier-ignore
    assertNear(found, expected, name)
  }
  await session.release()
}

function assertNear(
  found: ort.InferenceSession.OnnxValueMapType,
  expected: Readonly<Record<string, TensorData>>,
  what: string,
): void {
  for (const [result, { shape, data }] of Object.entries(expected)) {
    const { dims, data: actual } = found[result] as ort.Tensor
    assert.deepEqual([...dims], shape, result)
    for (let index = 0; index < data.length; index++) {
      const difference = Math.abs(Number(actual[index]) - data[index])
      assert.ok(difference <= 1e-4, `${what}: ${result}[${index}] is ${actual[index]}, not ${data[index]}`)
    }
  }
}

function integers(shape: Shape, valueAt: (row: number, column: number) => number): ort.Tensor {
  const values = Array.from({ length: shape[0] * shape[1] }, (_, index) =>
    BigInt(valueAt(Math.floor(index / shape[1]), index % shape[1])),
  )
  return new ort.Tensor('int64', BigInt64Array.from(values), shape)
}

/** A GPT's mask and positions for `length` tokens after `past` others, of rows that begin with so many of padding. */
function placesOf(past: number, length: number, padding: readonly number[]): Record<string, ort.Tensor> {
  return {
    attention_mask: integers([padding.length, past + length], (row, column) => (column < padding[row] ? 0 : 1)),
    position_ids: integers([padding.length, length], (row, column) => Math.max(0, past + column - padding[row])),
  }
}

/** A GPT's inputs for keys and values of no places. */
function withoutPast(model: nn.Module, numRows: number): Record<string, ort.Tensor> {
  if (!(model instanceof nn.GPT)) return {}
  const { layers, keyValueHeads, width, heads } = model.options
  const empty = (): ort.Tensor =>
    new ort.Tensor('float32', new Float32Array(0), [numRows, keyValueHeads, 0, width / heads])
  const names = Array.from({ length: layers }, (_, layer) => ['key', 'value'].map((part) => `past_key_values.${layer}.${part}`)).flat() // prettier-ignore
  return Object.fromEntries(names.map((each) => [each, empty()]))
}

function tokens(shape: Shape, vocabulary: number, seed: number): TensorData {
  return tensorData('i32', shape, Int32Array.from(philoxBits([seed, 1, 0, 0], numElements(shape)), (word) => word % vocabulary)) // prettier-ignore
}

const texts: readonly OnnxInput[] = [{ name: 'input_ids', dtype: 'i32', shape: ['batch', 'sequence'] }]

function languageModel(model: nn.GPT): OnnxExport {
  return {
    model,
    weights: randomWeights(model),
    inputs: texts,
    forward: (given) => ({ logits: model.forward(given as AnyTensor as Tensor<Shape, 'i32'>) }),
    traceSizes: { sequence: 3 },
  }
}

test('an MLP, at any batch size', async () => {
  const model = new nn.MLP({ inputs: 12, hidden: [16, 8], outputs: 5, activation: 'gelu' })
  const definition = { model, weights: randomWeights(model), inputs: [{ name: 'x', dtype: 'f32', shape: ['batch', 12] }], forward: (x: AnyTensor) => ({ logits: model.forward(x) }) } as const // prettier-ignore
  await assertSame('mlp', definition, [[randomNumbers([7, 12], 3)], [randomNumbers([1, 12], 4)]])
})

class ConvNet extends nn.Module {
  readonly convolution1 = new nn.Conv2d(2, 6, 3, { padding: 'same', bias: false })
  readonly norm1 = new nn.BatchNorm(6)
  readonly convolution2 = new nn.Conv2d(6, 8, 3, { stride: 2, padding: 1, groups: 2 })
  readonly output = new nn.Linear(8, 5)

  forward(images: AnyTensor): AnyTensor {
    const pooled = ops.maxPool2d(ops.relu(this.norm1.forward(this.convolution1.forward(images))), 2)
    const averaged = ops.averagePool2d(ops.relu(this.convolution2.forward(pooled)), 3, { stride: 1, padding: 1 })
    return this.output.forward(ops.mean(averaged, [1, 2]) as Tensor<Shape, 'f32'>)
  }
}

test('a convolutional network, at any batch size', async () => {
  const model = new ConvNet()
  const definition = { model, weights: randomWeights(model), inputs: [{ name: 'images', dtype: 'f32', shape: ['batch', 12, 12, 2] }], forward: (x: AnyTensor) => ({ logits: model.forward(x) }) } as const // prettier-ignore
  await assertSame('convnet', definition, [[randomNumbers([3, 12, 12, 2], 3)], [randomNumbers([1, 12, 12, 2], 4)]])
})

for (const tiedHead of [true, false]) {
  test(`a GPT with ${tiedHead ? 'the token table as its head' : 'a head of its own'}, at any batch size and length`, async () => {
    const model = new nn.GPT({ vocabulary: 29, context: 16, layers: 2, heads: 2, width: 32, tiedHead })
    await assertSame(`gpt-${tiedHead}`, languageModel(model), [[tokens([2, 16], 29, 1)], [tokens([5, 7], 29, 2)], [tokens([1, 1], 29, 3)]]) // prettier-ignore
  })
}

const images = async (): Promise<DataSource> => arrays({ images: { dtype: 'f32', shape: [1, 40, 40, 3], data: new Float32Array(4800) } }) // prettier-ignore

for (const name of ['gpt2', 'llama', 'bert-masked', 'bert-sequence', 'bert-token', 'resnet18', 'resnet50']) {
  test(`${name}: ONNX Runtime gives the logits of Transformers and torchvision`, async () => {
    const model = await loadPretrained(path.join(fixtures, name))
    const weights = new Map(Array.from(model.namedParameters(), ([key, { loaded }]) => [key, loaded!]))
    const call = await callOfFamily(model, images)
    const file = path.join(folder, `${name}.onnx`)
    await exportOnnx(file, { model, weights, ...call! })
    const session = await ort.InferenceSession.create(readFileSync(file), { logSeverityLevel: 3 })
    const { inputs, logits } = await readExpected(name)
    const named = [...inputs].map(([key, tensor]) => [key === 'x' ? 'pixel_values' : key, asOrt(tensor)] as const)
    const [numRows, length] = logits.shape
    const places = model instanceof nn.GPT ? placesOf(0, length, Array<number>(numRows).fill(0)) : {}
    const given = { ...Object.fromEntries(named), ...places, ...withoutPast(model, numRows) }
    assertNear(await session.run(given), { logits }, name)
    await session.release()
  })
}

for (const name of ['gpt2', 'llama']) {
  test(`${name}: ONNX Runtime, given keys and values back, gives the logits of the whole text part by part`, async () => {
    const session = await ort.InferenceSession.create(readFileSync(path.join(folder, `${name}.onnx`)), {
      logSeverityLevel: 3,
    })
    const model = await loadPretrained(path.join(fixtures, name))
    const { inputs, logits } = await readExpected(name)
    const [numRows, length] = inputs.get('input_ids')!.shape
    let past: Record<string, ort.Tensor> = withoutPast(model, numRows)
    for (const [start, end] of [
      [0, 6],
      [6, 7],
      [7, 10],
    ]) {
      const tokens = sliceColumns(inputs.get('input_ids')!, length, start, end)
      const places = placesOf(start, end - start, Array<number>(numRows).fill(0))
      const found = await session.run({ input_ids: asOrt(tokens), ...places, ...past })
      assertNear(found, { logits: sliceColumns(logits, length, start, end) }, `${name} from ${start}`)
      past = Object.fromEntries(
        Object.keys(past).map((key) => [key, found[key.replace('past_key_values', 'present')] as ort.Tensor]),
      )
    }
    await session.release()
  })
}

/** Dims of inputs by name, as the file says them. */
function dimsOf(session: ort.InferenceSession): Record<string, unknown> {
  return Object.fromEntries(session.inputMetadata.map((each) => [each.name, each.isTensor ? each.shape : undefined]))
}

for (const name of ['gpt2', 'llama']) {
  test(`${name}: ONNX Runtime, texts of two lengths padded in front, gives the logits of each alone, also token by token`, async () => {
    const session = await ort.InferenceSession.create(readFileSync(path.join(folder, `${name}.onnx`)), { logSeverityLevel: 3 }) // prettier-ignore
    const model = await loadPretrained(path.join(fixtures, name))
    const { inputs, logits } = await readExpected(name)
    const dims = dimsOf(session)
    assert.deepEqual(Object.keys(dims).slice(0, 3), ['input_ids', 'attention_mask', 'position_ids'])
    assert.deepEqual([dims.input_ids, dims.attention_mask], [['batch', 'sequence'], ['batch', 'past_sequence + sequence']]) // prettier-ignore
    // The second text is the first's beginning of seven tokens, after three of padding.
    const [length, shorter] = [10, 7]
    const first = sliceRow(inputs.get('input_ids')!, 0)
    const tokens = [...first, 0, 0, 0, ...first.slice(0, shorter)]
    const padding = [0, length - shorter]
    let past = withoutPast(model, 2)
    for (const [start, end] of [
      [0, 8],
      [8, 9],
      [9, 10],
    ]) {
      const input_ids = integers([2, end - start], (row, column) => tokens[row * length + start + column])
      const found = await session.run({ input_ids, ...placesOf(start, end - start, padding), ...past })
      const got = Array.from(found.logits.data as Float32Array)
      const width = found.logits.dims[2]
      for (let place = start; place < end; place++) {
        for (const [row, skipped] of padding.entries()) {
          if (place < skipped) continue
          const at = (row * (end - start) + place - start) * width
          const wanted = sliceRow(logits, 0).slice((place - skipped) * width, (place - skipped + 1) * width)
          wanted.forEach((value, index) => assert.ok(Math.abs(got[at + index] - value) <= 1e-4, `row ${row}, place ${place}: ${got[at + index]}, not ${value}`)) // prettier-ignore
        }
      }
      past = Object.fromEntries(
        Object.keys(past).map((key) => [key, found[key.replace('past_key_values', 'present')] as ort.Tensor]),
      )
    }
    await session.release()
  })
}

/** One of the first dimension. */
function sliceRow({ shape, data }: TensorData, row: number): number[] {
  const size = data.length / shape[0]
  return Array.from(data.slice(row * size, (row + 1) * size), Number)
}

/** Places `start` to `end` of [rows, length, ...]. */
function sliceColumns({ dtype, shape, data }: TensorData, length: number, start: number, end: number): TensorData {
  const width = data.length / (shape[0] * length)
  const rows = Array.from({ length: shape[0] }, (_, row) =>
    Array.from(data.subarray((row * length + start) * width, (row * length + end) * width)),
  )
  return tensorData(dtype, [shape[0], end - start, ...shape.slice(2)], rows.flat())
}

test('larger weights lie in a file beside', async () => {
  const model = new nn.GPT({ vocabulary: 29, context: 16, layers: 1, heads: 2, width: 32 })
  await assertSame('large', { ...languageModel(model), maxInlineBytes: 10_000 }, [[tokens([2, 5], 29, 1)]])
  assert.ok(statSync(path.join(folder, 'large.onnx')).size < 20_000)
  assert.ok(statSync(path.join(folder, 'large.onnx.data')).size > 50_000)
})

test('operations that models are made of', async () => {
  const model = new nn.MLP({ inputs: 1, hidden: [], outputs: 1 })
  const shape = ['batch', 3, 4] as const
  const forward = (x: AnyTensor, indices: AnyTensor): Record<string, AnyTensor> => ({
    unary: ops.add(ops.add(ops.sigmoid(x), ops.tanh(x)), ops.add(ops.exp(ops.negate(ops.abs(x))), ops.silu(x))),
    roots: ops.add(ops.sqrt(ops.abs(x)), ops.rsqrt(ops.add(ops.square(x), 1))),
    rounded: ops.add(ops.floor(x), ops.ceil(ops.multiply(x, 3))),
    waves: ops.multiply(ops.sin(x), ops.cos(x)),
    softplus: ops.softplus(x),
    softmax: ops.softmax(x),
    logSoftmax: ops.logSoftmax(x),
    chosen: ops.where(ops.greater(x, 0) as Tensor<Shape, 'bool'>, x, ops.multiply(x, 0.1)),
    unequal: ops.convert(ops.notEqual(ops.sign(x), 1) as Tensor<Shape, 'bool'>, 'f32') as AnyTensor,
    sums: ops.concatenate([ops.sum(x, 1), ops.max(x, 1), ops.min(x, 1), ops.mean(x, 1)], 1),
    sliced: ops.slice(x, [0, 1, 0], [x.shape[0], 3, 4]),
    padded: ops.pad(x, [0, 1, 0], [0, 2, 1]),
    reversed: ops.reverse(x, [1]),
    grown: ops.concatenate([x, ops.sliceDim(x, 0, 0, 1), x], 0),
    flat: ops.reshape(x, [-1]) as AnyTensor,
    turned: ops.transpose(x, [2, 0, 1]),
    products: ops.dotGeneral(x, x, { leftBatch: [0], rightBatch: [0], leftContracting: [2], rightContracting: [2] }),
    outer: ops.matmul(x, ops.transpose(x, [0, 2, 1])),
    rows: ops.takeRows(
      ops.reshape(ops.sliceDim(x, 0, 0, 1), [3, 4]) as AnyTensor,
      indices as Tensor<Shape, 'i32'>,
    ) as AnyTensor,
    picked: ops.takeAlongLast(ops.sliceDim(x, 1, 0, 1), ops.reshape(indices, [-1, 1]) as AnyTensor as Tensor<Shape, 'i32'>) as AnyTensor, // prettier-ignore
    codes: ops.oneHot(indices as Tensor<Shape, 'i32'>, 4) as AnyTensor,
    places: ops.add(x, ops.convert(ops.iota([3, 4], 0) as AnyTensor, 'f32') as AnyTensor),
    normalised: ops.rmsNorm(x, ops.full([4], 1.5) as AnyTensor, 1e-5),
  })
  const inputs = [{ name: 'x', dtype: 'f32', shape }, { name: 'indices', dtype: 'i32', shape: ['batch'] }] as const // prettier-ignore
  // An index that is out of range takes the nearest, here as there.
  const given = (batch: number): TensorData[] => [randomNumbers([batch, 3, 4], 9), tensorData('i32', [batch], Int32Array.from({ length: batch }, (_, index) => index - 1))] // prettier-ignore
  await assertSame('operations', { model, weights: randomWeights(model), inputs, forward }, [given(6), given(1)])
})

test('a weight that is missing, or of another shape, is refused by its path', async () => {
  const definition = languageModel(new nn.GPT({ vocabulary: 29, context: 16, layers: 1, heads: 2, width: 32 }))
  const file = path.join(folder, 'bad.onnx')
  for (const [change, message] of [
    [
      (weights: Map<string, TensorData>) => weights.delete('finalNorm.bias'),
      /^onnx: the model's finalNorm\.bias is f32\[32\]; the values given have none/,
    ],
    [(weights: Map<string, TensorData>) => weights.set('finalNorm.bias', tensorData('f32', [31])), /have f32\[31\]/],
  ] as const) {
    const weights = new Map(definition.weights)
    change(weights)
    await assert.rejects(exportOnnx(file, { ...definition, weights }), { code: 'CHECKPOINT_MISMATCH', message })
  }
})

test('what depends on an open size in another way is refused, naming the operation', async () => {
  const model = new nn.MLP({ inputs: 1, hidden: [], outputs: 1 })
  const definition = { model, weights: randomWeights(model), inputs: [{ name: 'x', dtype: 'f32', shape: ['batch', 4] }] } as const // prettier-ignore
  const forward = (x: AnyTensor): Record<string, AnyTensor> => ({
    y: ops.sliceDim(x, 0, 0, Math.ceil(x.shape[0] / 2)) as AnyTensor,
  })
  await assert.rejects(exportOnnx(path.join(folder, 'bad.onnx'), { ...definition, forward }), { code: 'UNSUPPORTED_BY_ENGINE', message: /depends on the batch/ }) // prettier-ignore
})

test('what ONNX has no like of is refused, naming the operation', async () => {
  const model = new nn.MLP({ inputs: 1, hidden: [], outputs: 1 })
  const definition = { model, weights: randomWeights(model), inputs: [{ name: 'x', dtype: 'f32', shape: ['batch', 4] }] } as const // prettier-ignore
  const forward = (x: AnyTensor): Record<string, AnyTensor> => ({
    y: ops.add(
      x,
      ops.convert(ops.random.namedBits(ops.scalar(1, 'u32') as AnyTensor, 'draw', x.shape), 'f32') as AnyTensor,
    ),
  })
  await assert.rejects(exportOnnx(path.join(folder, 'bad.onnx'), { ...definition, forward }), { code: 'UNSUPPORTED_BY_ENGINE', message: /rngBitGenerator can't be exported/ }) // prettier-ignore
})
