/**
 * Derivatives of whole layers by their input and by every parameter, and the derivatives of those, are what finite differences
 * say: what layers are made of is checked in test/autodiff, here that it is put together without losing any.
 */
import { test } from 'node:test'
import type { Shape, TensorData } from '../../src/core/shape.js'
import type { AnyTensor, Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { constantOf, convert, iota } from '../../src/ops/index.js'
import { assertGradients } from '../autodiff/support/gradients.js'
import { random } from '../autodiff/support/cases.js'
import { bool, i32 } from '../engines/support/data.js'

type Call<M> = (model: M, ...inputs: AnyTensor[]) => AnyTensor | readonly AnyTensor[]

/** Puts tensors where a module has its parameters: those are f32, and differences are taken in f64. */
function give(model: nn.Module, tensors: ReadonlyMap<string, AnyTensor>): void {
  for (const [path, tensor] of tensors) {
    const parts = path.split('.')
    const last = parts.pop()!
    const owner = parts.reduce((part, key) => (part as Record<string, object>)[key], model as object)
    ;(owner as Record<string, unknown>)[last] = tensor
  }
}

function operandOf(path: string, shape: Shape): TensorData {
  const isPositive = /norm\d?\.weight|Norm\.weight|^weight|Variance/.test(path)
  return random(path, shape, isPositive ? { least: 0.5, most: 1.5 } : { least: -1, most: 1 })
}

/** One test of a layer: every trained parameter is an operand, and so are the inputs. */
function testLayer<M extends nn.Module>(
  what: string,
  make: () => M,
  inputs: readonly TensorData[],
  call: Call<M>,
  isConstant: (path: string) => boolean = () => false,
): void {
  test(`${what} has the derivatives of differences`, async () => {
    const parameters = Array.from(make().namedParameters())
    const operands = [...inputs, ...parameters.map(([path, { type }]) => operandOf(path, type.shape))]
    const fixed = parameters.flatMap(([path, { trainable }], index) =>
      trainable && !isConstant(path) ? [] : [inputs.length + index],
    )
    await assertGradients({
      what,
      operands,
      fixed,
      body: (...tensors) => {
        const model = make()
        give(model, new Map(parameters.map(([path], index) => [path, tensors[inputs.length + index]])))
        const scope = { training: true, values: new Map(), updates: new Map() }
        return nn.withParameters(scope, () => call(model, ...tensors.slice(0, inputs.length)))
      },
    })
  })
}

type Tokens = Tensor<Shape, 'i32'>

/** Not differentiated by. */
const constantI32 = (values: readonly number[], shape: Shape): Tokens => constantOf(i32(values, shape)) as AnyTensor as Tokens // prettier-ignore

const rows = (...shape: number[]): TensorData => random('x', shape, { least: -1, most: 1 })

testLayer(
  'RMS norm',
  () => new nn.RMSNorm(4),
  [rows(2, 3, 4)],
  (model, x) => model.forward(x) as AnyTensor,
)

testLayer('SwiGLU', () => new nn.SwiGLU({ width: 3, hidden: 5, bias: true }), [rows(2, 2, 3)], (model, x) => model.forward(x)) // prettier-ignore

testLayer('feed-forward by GELU', () => new nn.FeedForward({ width: 3, hidden: 5 }), [rows(2, 2, 3)], (model, x) => model.forward(x)) // prettier-ignore

/** Its table is of f32. */
function rotate(rotary: nn.RotaryEmbedding, x: AnyTensor): AnyTensor {
  const { cosine, sine } = rotary.table(iota([x.shape[1]]))
  const [c, s] = [cosine, sine].map((values) => convert(values, 'f64') as AnyTensor)
  return rotary.forward(x, { cosine: c, sine: s })
}

testLayer('rotary positions', () => new nn.RotaryEmbedding(4), [rows(2, 3, 2, 4)], rotate)

testLayer(
  'attention of grouped queries, turned by their positions',
  () => new nn.MultiHeadAttention({ width: 8, heads: 4, keyValueHeads: 2, causal: true, bias: false }),
  [rows(2, 3, 8)],
  (model, x) => model.forward(x, undefined, (heads) => rotate(new nn.RotaryEmbedding(2), heads)),
)

const mask = (): Tensor<Shape, 'bool'> => constantOf(bool([1, 1, 0, 1, 1, 1], [2, 1, 1, 3])) as AnyTensor as Tensor<Shape, 'bool'> // prettier-ignore

testLayer(
  'attention with places that none looks at',
  () => new nn.MultiHeadAttention({ width: 4, heads: 2 }),
  [rows(2, 3, 4)],
  (model, x) => model.forward(x, mask()),
)

const bert = { vocabulary: 5, context: 3, layers: 1, heads: 1, width: 3, feedForwardWidth: 3, dropout: 0 }
const bertInputs = (): { tokens: Tokens; tokenTypes: Tokens; mask: AnyTensor } => ({
  tokens: constantI32([1, 4, 2, 4, 0, 3], [2, 3]),
  tokenTypes: constantI32([0, 0, 1, 0, 1, 1], [2, 3]),
  mask: constantI32([1, 1, 0, 1, 1, 1], [2, 3]) as AnyTensor,
})

testLayer(
  'BERT: embeddings, a block and the pooler',
  () => new nn.BERT(bert),
  [],
  (model) => {
    const { tokens, ...inputs } = bertInputs()
    const { hidden, pooled } = model.forward(tokens, inputs)
    return [hidden, pooled!]
  },
)

/** What is below the head has had its test. */
const isBelow = (path: string): boolean => path.startsWith('bert.') && path !== 'bert.tokenEmbedding.weight'

testLayer(
  'BERT’s head for masked tokens, at two places',
  () => new nn.BERTMaskedLanguageModel(bert),
  [],
  (model) => {
    const { tokens, ...inputs } = bertInputs()
    const places = constantI32([2, 0, 1, 1], [2, 2])
    return model.forward(tokens, { ...inputs, places }) as AnyTensor
  },
  isBelow,
)

testLayer(
  'a basic block that halves the image',
  () => new nn.BasicBlock({ numInputs: 2, width: 3, stride: 2 }),
  [rows(2, 4, 4, 2)],
  (model, x) => model.forward(x),
)

testLayer(
  'a bottleneck block added to what it is given',
  () => new nn.BottleneckBlock({ numInputs: 4, width: 1 }),
  [rows(2, 3, 3, 4)],
  (model, x) => model.forward(x),
)
