/**
 * Batch norm with what follows it in a convolutional network, ReLU and max pooling, in one pass each way:
 *
 *     pool(max(batchNorm(x), 0))  becomes the composite `batchNormRelu`,
 *     batchNorm's gradient of what ReLU's mask and the pool's gradient let through  becomes `batchNormReluGradient`.
 *
 * The gradient works out again from x what was normalised: the largest of a window and ReLU's mask are then read from
 * memory nowhere, and of what is between the composites nothing is kept but x. Pooling goes in where windows lie side
 * by side and cover the image, and where nobody else asks for ReLU's result.
 */
import type { CompositeAttributes, CompositeCall, ReduceWindowAttributes } from '../../core/operations.js'
import { tensorData } from '../../core/shape.js'
import { findReaders, GraphBuilder, producedBy, rewrite, type Graph, type Node, type Value } from '../../graph/index.js'
import { repeatScalar, splatNumber } from './constants.js'

type Window = CompositeAttributes['batchNormRelu']['window']

/** What becomes one composite each way. */
interface Chain {
  readonly norm: Node<'composite'>
  readonly relu: Node<'maximum'>
  readonly pool: Node<'reduceWindow'> | undefined
  readonly window: Window
  /** Absent where no gradient is asked for, or it is not this chain's alone. */
  readonly gradient: GradientChain | undefined
}

/** From last to first: the gradients of pool, ReLU and batch norm. */
interface GradientChain {
  readonly poolGradient: Node<'composite'> | undefined
  readonly mask: Node<'compare'>
  readonly select: Node<'select'>
  readonly normGradient: Node<'composite'>
}

export function fuseBatchNorm(graph: Graph): Graph {
  if (!graph.nodes.some((node) => callOf(node, 'batchNorm') !== undefined)) return graph
  const readers = new Readers(graph)
  const chains = graph.nodes.flatMap((node) => findChain(node, readers) ?? [])
  if (chains.length === 0) return graph
  const replacements = new Map<Node, Replacement>()
  for (const chain of chains) addReplacements(chain, replacements)
  return rewrite(graph, (node, inputs, builder) => replacements.get(node)?.(inputs, builder))
}

/** Who reads a value; whether it is a result. */
class Readers {
  private readonly nodes: ReadonlyMap<Value, readonly Node[]>
  private readonly results: ReadonlySet<Value>

  constructor(graph: Graph) {
    this.nodes = findReaders(graph)
    this.results = new Set(graph.results.map(({ value }) => value))
  }

  of(value: Value): readonly Node[] {
    return this.nodes.get(value) ?? []
  }

  /** Whether nobody but these reads the value. */
  isReadOnlyBy(value: Value, ...nodes: readonly (Node | undefined)[]): boolean {
    return !this.results.has(value) && this.of(value).every((node) => nodes.includes(node))
  }
}

function findChain(node: Node, readers: Readers): Chain | undefined {
  const norm = callOf(node, 'batchNorm')
  if (norm === undefined || norm.inputs.some(({ type }) => type.dtype !== 'f32')) return undefined
  const [y] = norm.outputs
  const relu = readers.of(y).find((reader): reader is Node<'maximum'> => isRelu(reader, y))
  if (relu === undefined) return undefined
  return findPooled(norm, relu, readers) ?? findPlain(norm, relu, readers)
}

function isRelu(node: Node, argument: Value): boolean {
  if (node.operation !== 'maximum') return false
  return splatNumber(node.inputs[node.inputs[0] === argument ? 1 : 0]) === 0
}

/** With its pool, where that is all that is asked of ReLU's result. */
function findPooled(norm: Node<'composite'>, relu: Node<'maximum'>, readers: Readers): Chain | undefined {
  const [rectified] = relu.outputs
  const pool = readers.of(rectified).map((reader) => poolOf(reader)).find((found) => found !== undefined) // prettier-ignore
  if (pool === undefined) return undefined
  const gradient = findGradient(norm, relu, pool.node, readers)
  const isWhole =
    readers.isReadOnlyBy(norm.outputs[0], relu, gradient?.mask) &&
    readers.isReadOnlyBy(rectified, pool.node, gradient?.mask, gradient?.poolGradient)
  return isWhole ? { norm, relu, pool: pool.node, window: pool.window, gradient } : undefined
}

function findPlain(norm: Node<'composite'>, relu: Node<'maximum'>, readers: Readers): Chain | undefined {
  const gradient = findGradient(norm, relu, undefined, readers)
  if (!readers.isReadOnlyBy(norm.outputs[0], relu, gradient?.mask)) return undefined
  return { norm, relu, pool: undefined, window: [1, 1], gradient }
}

/** A max pool of images by windows side by side that cover them. */
function poolOf(node: Node): { readonly node: Node<'reduceWindow'>; readonly window: Window } | undefined {
  if (node.operation !== 'reduceWindow' || node.attributes.kind !== 'maximum') return undefined
  const { window } = node.attributes
  const { shape } = node.inputs[0].type
  if (shape.length !== 4 || window[0] !== 1 || window[3] !== 1) return undefined
  const isTiled = shape.every((size, dim) => size % window[dim] === 0)
  return isTiled && isSideBySide(node.attributes) ? { node, window: [window[1], window[2]] } : undefined
}

function isSideBySide(attributes: ReduceWindowAttributes): boolean {
  const { window, strides, padding, baseDilation, windowDilation } = attributes
  const isOne = (size: number): boolean => size === 1
  return (
    window.every((size, dim) => strides[dim] === size) &&
    padding.every(([low, high]) => low === 0 && high === 0) &&
    baseDilation.every(isOne) &&
    windowDilation.every(isOne)
  )
}

/** The gradient by which nothing but this chain goes back. The mask asks ReLU's result, or its argument. */
function findGradient(
  norm: Node<'composite'>,
  relu: Node<'maximum'>,
  pool: Node<'reduceWindow'> | undefined,
  readers: Readers,
): GradientChain | undefined {
  const normGradient = readers.of(norm.inputs[0]).map((node) => callOf(node, 'batchNormGradient')).find((node) => node && isGradientOf(node, norm)) // prettier-ignore
  const select = normGradient && producedBy(normGradient.inputs[0], 'select')
  const mask = select && producedBy(select.inputs[0], 'compare')
  if (mask === undefined || mask.attributes.direction !== 'GT') return undefined
  const isMask =
    (mask.inputs[0] === relu.outputs[0] || mask.inputs[0] === norm.outputs[0]) && splatNumber(mask.inputs[1]) === 0
  if (!isMask || splatNumber(select!.inputs[2]) !== 0) return undefined
  if (!readers.isReadOnlyBy(select!.outputs[0], normGradient)) return undefined
  const isMaskAlone = readers.isReadOnlyBy(mask.outputs[0], select)
  if (mask.inputs[0] === norm.outputs[0] && !isMaskAlone) return undefined
  const found = { poolGradient: undefined, mask, select: select!, normGradient: normGradient! }
  if (pool === undefined) return found
  const poolGradient = callOf(select!.inputs[1].node, 'maxPoolGradient')
  const isPoolGradient = poolGradient?.inputs[1] === relu.outputs[0] && poolGradient.inputs[2] === pool.outputs[0]
  const isAlone = isMaskAlone && readers.isReadOnlyBy(select!.inputs[1], select)
  return isPoolGradient && isAlone ? { ...found, poolGradient } : undefined
}

function isGradientOf({ inputs, attributes }: Node<'composite'>, norm: Node<'composite'>): boolean {
  const [, x, weight, mean, variance] = inputs
  const isSame = x === norm.inputs[0] && weight === norm.inputs[1] && mean === norm.outputs[1] && variance === norm.outputs[2] // prettier-ignore
  return isSame && epsilonOf(attributes) === epsilonOf(norm.attributes)
}

function callOf(node: Node, name: CompositeCall['name']): Node<'composite'> | undefined {
  return node.operation === 'composite' && node.attributes.name === name ? node : undefined
}

function epsilonOf(call: CompositeCall): number {
  return (call as CompositeCall<'batchNorm' | 'batchNormGradient'>).attributes.epsilon
}

type Replacement = (inputs: readonly Value[], builder: GraphBuilder) => readonly Value[]

/** Each node that goes into a composite is replaced by what it worked on: so the last one is given what the first was. */
function addReplacements(chain: Chain, replacements: Map<Node, Replacement>): void {
  const { norm, relu, pool, gradient } = chain
  const attributes = { epsilon: epsilonOf(norm.attributes), window: chain.window }
  let bias: Value
  replacements.set(norm, (inputs, builder) => {
    bias = inputs[2]
    const call: CompositeCall = { name: 'batchNormRelu', attributes }
    return builder.add('composite', inputs, call, { decomposition: forwardOf(chain), location: norm.location })
  })
  replacements.set(relu, (inputs) => [inputs[relu.inputs.indexOf(norm.outputs[0])]])
  if (pool !== undefined) replacements.set(pool, ([y]) => [y])
  if (gradient === undefined) return
  const { poolGradient, select, normGradient } = gradient
  if (poolGradient !== undefined) replacements.set(poolGradient, ([dy]) => [dy])
  // In a chain without a pool others may read the mask, which asks a result that is still there.
  if (pool !== undefined || gradient.mask.inputs[0] === norm.outputs[0]) replacements.set(gradient.mask, ([y]) => [y])
  replacements.set(select, ([, dy]) => [dy])
  replacements.set(normGradient, ([dy, x, weight, mean, variance], builder) => {
    const call: CompositeCall = { name: 'batchNormReluGradient', attributes }
    const operands = [dy, x, weight, bias, mean, variance]
    const decomposition = backwardOf(chain, gradient)
    return builder.add('composite', operands, call, { decomposition, location: normGradient.location })
  })
}

/** (x, weight, bias) -> (y, mean, variance) */
function forwardOf({ norm, pool }: Chain): Graph {
  const builder = new GraphBuilder('batchNormRelu')
  const operands = norm.inputs.map(({ type }, index) => builder.parameter(['x', 'weight', 'bias'][index], type))
  const { attributes, decomposition } = norm
  const [normal, mean, variance] = builder.add('composite', operands, attributes, { decomposition })
  const y = poolBy(pool, rectify(normal, builder), builder)
  return builder.build([y, mean, variance].map((value, index) => ({ name: `output${index}`, value })))
}

/** (dy, x, weight, bias, mean, variance) -> (dx, dweight, dbias) */
function backwardOf({ norm, pool }: Chain, { poolGradient, normGradient }: GradientChain): Graph {
  const builder = new GraphBuilder('batchNormReluGradient')
  const [x, , , mean, variance] = [...norm.inputs, ...norm.outputs.slice(1)].map(({ type }) => type)
  const [, weight, bias] = norm.inputs.map(({ type }) => type)
  const dyType = (pool ?? norm).outputs[0].type
  const types = { dy: dyType, x, weight, bias, mean, variance }
  const given = Object.entries(types).map(([name, type]) => builder.parameter(name, type))
  const rectified = rectify(normalize(given.slice(1), epsilonOf(norm.attributes), builder), builder)
  let dy = given[0]
  if (poolGradient !== undefined) {
    const operands = [dy, rectified, poolBy(pool, rectified, builder)]
    const { attributes, decomposition } = poolGradient
    dy = builder.add('composite', operands, attributes, { decomposition })[0]
  }
  const zeros = splat(0, rectified, builder)
  const [mask] = builder.add('compare', [rectified, zeros], { direction: 'GT' })
  const [masked] = builder.add('select', [mask, dy, zeros], {})
  const { attributes, decomposition } = normGradient
  const operands = [masked, given[1], given[2], given[4], given[5]]
  const results = builder.add('composite', operands, attributes, { decomposition })
  return builder.build(results.map((value, index) => ({ name: `output${index}`, value })))
}

/** (x - mean) / sqrt(variance + epsilon) * weight + bias */
function normalize([x, weight, bias, mean, variance]: readonly Value[], epsilon: number, builder: GraphBuilder): Value {
  const { shape } = x.type
  const spread = (value: Value): Value => builder.add('broadcastInDim', [value], { shape, dims: [shape.length - 1] })[0]
  const binary = (operation: 'add' | 'subtract' | 'multiply', left: Value, right: Value): Value =>
    builder.add(operation, [left, right], {})[0]
  const [inverse] = builder.add('rsqrt', [binary('add', variance, splat(epsilon, variance, builder))], {})
  const normal = binary('multiply', binary('subtract', x, spread(mean)), spread(inverse))
  return binary('add', binary('multiply', normal, spread(weight)), spread(bias))
}

function rectify(value: Value, builder: GraphBuilder): Value {
  return builder.add('maximum', [value, splat(0, value, builder)], {})[0]
}

function poolBy(pool: Node<'reduceWindow'> | undefined, value: Value, builder: GraphBuilder): Value {
  return pool === undefined ? value : builder.add('reduceWindow', [value], pool.attributes)[0]
}

/** A number everywhere, in the type of another value. */
function splat(number: number, { type }: Value, builder: GraphBuilder): Value {
  const [scalar] = builder.add('constant', [], { value: tensorData(type.dtype, [], [number]) })
  return repeatScalar(scalar, type.shape, builder)
}
