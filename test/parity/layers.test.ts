/** Each layer's result, and its gradients by operands and parameters, against PyTorch's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gradients } from '../../src/autodiff/index.js'
import { compileGraph } from '../../src/compile/index.js'
import { isFloat } from '../../src/core/dtype.js'
import { tensorData, type Shape, type TensorData } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { trace, type AnyTensor, type Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { activations, type ActivationName } from '../../src/nn/layers/activation.js'
import { withParameters, type AnyParameter } from '../../src/nn/parameter.js'
import { attention, iota, multiply, reshape, scalar, sliceDim, sum } from '../../src/ops/index.js'
import { forEachEngine } from '../engines/support/engines.js'
import { assertAgrees, assertEachAgrees } from './agree.js'
import { pieces, tensorsOf, type Settings } from './pieces.js'

interface Layer {
  readonly module?: nn.Module
  readonly isTraining?: boolean
  /** `extra` is what a case has beside operands and parameters. */
  readonly forward: (inputs: readonly AnyTensor[], extra: ReadonlyMap<string, AnyTensor>) => AnyTensor
}

type Pair = readonly [number, number]

/** Of a module that takes one tensor. */
function layerOf(module: nn.Module & { forward(x: never): AnyTensor }): Layer {
  return { module, forward: ([x]) => module.forward(x as never) }
}

/** PyTorch's padding, [high and low of H, of W]. */
function paddingOf(settings: Settings): readonly Pair[] {
  return (settings['padding'] as readonly number[]).map((amount): Pair => [amount, amount])
}

function pooling(Pool: typeof nn.MaxPool2d | typeof nn.AveragePool2d, settings: Settings): Layer {
  return layerOf(new Pool(settings['size'], { stride: settings['stride'], padding: paddingOf(settings) }))
}

const makers: Readonly<Record<string, (settings: Settings, name: string) => Layer>> = {
  convolution: ({ size, ...options }) =>
    layerOf(new nn.Conv2d(4, 8, size, { ...options, padding: paddingOf(options as Settings) })),
  maxPool: (settings) => pooling(nn.MaxPool2d, settings),
  averagePool: (settings) => pooling(nn.AveragePool2d, settings),
  rmsNorm: ({ epsilon }) => layerOf(new nn.RMSNorm(16, epsilon)),
  layerNorm: ({ epsilon }) => layerOf(new nn.LayerNorm(16, epsilon)),
  batchNorm: (options, name) => ({ ...layerOf(new nn.BatchNorm(3, options)), isTraining: name.endsWith('trained') }),
  embedding: () => layerOf(new nn.Embedding(6, 4)),
  attention: ({ causal }) => ({
    forward: ([query, key, value], extra) =>
      attention(query, key, value, { causal, mask: extra.get('mask') as Tensor<Shape, 'bool'> | undefined }),
  }),
  rotary: ({ headWidth, ...options }) => {
    const module = new nn.RotaryEmbedding(headWidth, options)
    return { module, forward: ([x]) => module.forward(x, module.table(iota([x.shape[1]]))) }
  },
  adaptivePool: ({ size }) => layerOf(new nn.AdaptiveAveragePool2d(size)),
  activation: ({ activation }) => ({ forward: ([x]) => activations[activation as ActivationName](x) }),
}

/** Everything that a case's graph is given, by name. */
function givenOf(name: string): Map<string, TensorData> {
  const groups = ['inputs', 'parameters'] as const
  const grouped = groups.flatMap((group) =>
    [...tensorsOf(name, group)].map(([key, tensor]): [string, TensorData] => [`${group}/${key}`, tensor]),
  )
  const single = ['cotangent', 'mean', 'variance', 'mask'].flatMap((key): [string, TensorData][] => {
    const tensor = tensorsOf(name, '').get(key)
    if (tensor === undefined) return []
    return [[key, key === 'mask' ? tensorData('bool', tensor.shape, tensor.data) : tensor]]
  })
  return new Map([...grouped, ...single])
}

/** Of parameters that start at no random number. */
function initialValue({ initializer, type }: AnyParameter): AnyTensor {
  return initializer({ type, path: '', seed: scalar(0, 'u32') })
}

/** `output`, and the gradients of Σ output · cotangent under the names that the fixture has. */
async function run(engine: Engine, { module, isTraining, forward }: Layer, given: ReadonlyMap<string, TensorData>) {
  const names = [...given.keys()]
  const inputs = names.map((name) => ({ name, type: given.get(name)! }))
  const graph = trace('layer', inputs, (...tensors) => {
    const tensor = new Map(names.map((name, index) => [name, tensors[index]]))
    const parameters = [...(module?.namedParameters() ?? [])]
    const statistics: Readonly<Record<string, string>> = { runningMean: 'mean', runningVariance: 'variance' }
    const values = new Map(
      parameters.map(([key, parameter]): [AnyParameter, AnyTensor] => {
        const found = tensor.get(statistics[key] ?? `parameters/${key}`)
        return [parameter, found ?? initialValue(parameter)]
      }),
    )
    const operands = names.filter((name) => name.startsWith('inputs/'))
    const output = withParameters({ training: isTraining ?? false, values, updates: new Map() }, () =>
      forward(
        operands.map((name) => tensor.get(name)!),
        tensor,
      ),
    )
    const wanted = names.filter((name) => name.includes('/') && isFloat(given.get(name)!.dtype))
    const found = gradients(
      sum(multiply(output, tensor.get('cotangent')!)),
      wanted.map((name) => tensor.get(name)!),
    )
    const renamed = (name: string): string =>
      name.replace('inputs/', 'gradients/').replace('parameters/', 'parameterGradients/')
    return { output, ...Object.fromEntries(wanted.map((name, index) => [renamed(name), found[index]])) }
  })
  const { program } = compileGraph(graph, engine, { verify: true })
  const executable = await engine.load(program, new Map())
  return executable.run(Object.fromEntries(program.inputs.map(({ name }) => [name, given.get(name)!])))
}

forEachEngine('layers as PyTorch has them', (engine) => {
  for (const [name, settings] of Object.entries(pieces.layers)) {
    test(name, async () => {
      const kind = name.split(' ')[0]
      const results = await run(engine, makers[kind](settings, name), givenOf(name))
      const expected = [...tensorsOf(name, '')].filter(([key]) => key === 'output' || /radients/.test(key))
      assert.deepEqual(Object.keys(results).toSorted(), expected.map(([key]) => key).toSorted())
      const assertSame = kind === 'activation' ? assertEachAgrees : assertAgrees
      for (const [key, tensor] of expected) assertSame(results[key], tensor, key)
    })
  }

  test('a row that may look at nothing mixes nothing, and nothing comes back through it', async () => {
    const given = new Map(givenOf('attention masked'))
    const mask = given.get('mask')!
    const [numRows, width] = [mask.shape[2], 4 * 6]
    mask.data.fill(0, 0, numRows)
    const results = await run(engine, makers['attention']({ causal: false } as never, 'attention'), given)
    const firstRow = (key: string): number[] => Array.from(results[key].data.slice(0, width), (value) => value + 0)
    assert.deepEqual(
      firstRow('output'),
      Array.from({ length: width }, () => 0),
    )
    assert.deepEqual(firstRow('gradients/0'), firstRow('output'))
    for (const { data } of Object.values(results)) assert.ok(Array.from(data).every(Number.isFinite))
  })

  test('batch norm’s running statistics after three batches', async () => {
    const name = 'batchNorm evaluated'
    const tensors = tensorsOf(name, '')
    const batches = tensors.get('batches')!
    const module = new nn.BatchNorm(3, pieces.layers[name])
    const parameters = module.namedParameters()
    const inputs = [{ name: 'batches', type: batches }]
    const graph = trace('statistics', inputs, (all) => {
      const values = new Map(
        Array.from(parameters.values(), (parameter): [AnyParameter, AnyTensor] => [parameter, initialValue(parameter)]),
      )
      for (let index = 0; index < batches.shape[0]; index++) {
        const updates = new Map<AnyParameter, AnyTensor>()
        const batch = reshape(sliceDim(all, 0, index, index + 1), batches.shape.slice(1))
        withParameters({ training: true, values, updates }, () => module.forward(batch))
        for (const [parameter, value] of updates) values.set(parameter, value)
      }
      const valueOf = (key: string): AnyTensor => values.get(parameters.get(key)!)!
      return { mean: valueOf('runningMean'), variance: valueOf('runningVariance') }
    })
    const { program } = compileGraph(graph, engine, { verify: true })
    const results = await (await engine.load(program, new Map())).run({ batches })
    for (const key of ['mean', 'variance']) assertAgrees(results[key], tensors.get(key)!, key)
  })
})
