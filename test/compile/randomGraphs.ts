/** Random graphs over all that the passes touch, for property tests. */
import fc from 'fast-check'
import { numElements, tensorType, type Shape } from '../../src/core/shape.js'
import { GraphBuilder, type Graph, type NamedValue, type Value } from '../../src/graph/index.js'
import { tensorData } from '../../src/core/shape.js'

/** Numbers that drive the choices: the same give the same graph. */
export const graphChoices = fc.array(fc.nat(1_000_000), { minLength: 30, maxLength: 160 })

const sizes = [1, 2, 3, 4, 1, 2, 3, 0]

export interface RandomGraph {
  readonly graph: Graph
  readonly state: Readonly<Record<string, string>>
}

/** A graph of f32 values (booleans and bf16 in between), with some parameters that are state. */
export function randomGraph(choices: readonly number[]): RandomGraph {
  const maker = new Maker(choices)
  return maker.make()
}

class Maker {
  private place = 0
  private readonly builder = new GraphBuilder('random')
  private readonly values: Value[] = []

  constructor(private readonly choices: readonly number[]) {}

  make(): RandomGraph {
    const numParameters = 2 + this.choose(3)
    for (let index = 0; index < numParameters; index++) {
      this.values.push(this.builder.parameter(`x${index}`, tensorType('f32', this.shape())))
    }
    while (this.place < this.choices.length) this.grow()
    return this.finish()
  }

  private finish(): RandomGraph {
    const results: NamedValue[] = []
    const state: Record<string, string> = {}
    const parameters = this.values.filter(({ node }) => node.operation === 'parameter')
    parameters.forEach((parameter, index) => {
      const same = this.values.filter(
        ({ type }) => type.dtype === 'f32' && type.shape.join() === parameter.type.shape.join(),
      )
      results.push({ name: `new${index}`, value: same[(index * 7 + this.values.length) % same.length] })
      if (index % 2 === 0) state[`x${index}`] = `new${index}`
    })
    for (const [index, value] of this.values.slice(-3).entries()) results.push({ name: `y${index}`, value })
    return { graph: this.builder.build(results), state }
  }

  private choose(count: number): number {
    const choice = this.choices[this.place++ % this.choices.length]
    return choice % count
  }

  private shape(): Shape {
    return Array.from({ length: this.choose(4) }, () => sizes[this.choose(sizes.length)])
  }

  private pick(test: (value: Value) => boolean = () => true): Value | undefined {
    const fitting = this.values.filter((value) => value.type.dtype === 'f32' && test(value))
    // Recent values more often, so that chains become long.
    if (fitting.length === 0) return undefined
    return this.choose(2) === 0
      ? fitting[fitting.length - 1 - this.choose(Math.min(4, fitting.length))]
      : fitting[this.choose(fitting.length)]
  }

  private grow(): void {
    const x = this.pick()!
    const grown = growths[this.choose(growths.length)](x, {
      builder: this.builder,
      choose: (count) => this.choose(count),
      another: (shape) => this.pick(({ type }) => type.shape.join() === shape.join()) ?? x,
    })
    if (grown !== undefined && numElements(grown.type.shape) <= 256) this.values.push(grown)
  }
}

interface Context {
  readonly builder: GraphBuilder
  readonly choose: (count: number) => number
  /** A value of a shape. */
  readonly another: (shape: Shape) => Value
}

type Growth = (x: Value, context: Context) => Value | undefined

const constants = [0, -0, 1, -1, 2, 0.5, 4]

function splat(shape: Shape, value: number, { builder }: Context): Value {
  const [scalar] = builder.add('constant', [], { value: tensorData('f32', [], [value]) })
  return shape.length === 0 ? scalar : builder.add('broadcastInDim', [scalar], { shape, dims: [] })[0]
}

const unary: Growth = (x, { builder, choose }) => {
  const operations = ['negate', 'abs', 'tanh', 'logistic', 'sine', 'sign', 'floor'] as const
  return builder.add(operations[choose(operations.length)], [x], {})[0]
}

const binary: Growth = (x, { builder, choose, another }) => {
  const operations = ['add', 'subtract', 'multiply', 'maximum', 'minimum'] as const
  return builder.add(operations[choose(operations.length)], [x, another(x.type.shape)], {})[0]
}

const withConstant: Growth = (x, context) => {
  const operations = ['add', 'subtract', 'multiply', 'maximum', 'divide', 'power'] as const
  const operation = operations[context.choose(operations.length)]
  const value = constants[context.choose(constants.length)]
  if ((operation === 'divide' && value === 0) || (operation === 'power' && value !== 1 && value !== 2)) return undefined
  const constant = splat(x.type.shape, value, context)
  return context.builder.add(operation, context.choose(2) === 0 || operation === 'divide' || operation === 'power' ? [x, constant] : [constant, x], {})[0] // prettier-ignore
}

const choice: Growth = (x, { builder, choose, another }) => {
  const other = another(x.type.shape)
  const [isLess] = builder.add('compare', [x, other], { direction: choose(2) === 0 ? 'LT' : 'GE' })
  const [predicate] = choose(2) === 0 ? [isLess] : builder.add('not', [isLess], {})
  return builder.add('select', [predicate, x, other], {})[0]
}

const twice: Growth = (x, { builder }) => {
  const [narrow] = builder.add('convert', [x], { dtype: 'i32' })
  const [wide] = builder.add('convert', [narrow], { dtype: 'f64' })
  return builder.add('convert', [wide], { dtype: 'f32' })[0]
}

const reshape: Growth = (x, { builder, choose }) => {
  const { shape } = x.type
  const options = [
    [numElements(shape)],
    [...shape, 1],
    [1, ...shape],
    shape.filter((size) => size !== 1),
    [...shape].reverse(),
  ]
  return builder.add('reshape', [x], { shape: options[choose(options.length)] })[0]
}

const transpose: Growth = (x, { builder, choose }) => {
  const dims = x.type.shape.map((_, dim) => dim)
  const by = dims.length === 0 ? 0 : choose(dims.length)
  return builder.add('transpose', [x], { permutation: [...dims.slice(by), ...dims.slice(0, by)] })[0]
}

const slice: Growth = (x, { builder, choose }) => {
  const { shape } = x.type
  const starts = shape.map((size) => (size === 0 ? 0 : choose(size)))
  const limits = shape.map((size, dim) => (size === 0 ? 0 : starts[dim] + 1 + choose(size - starts[dim])))
  return builder.add('slice', [x], { starts, limits, strides: shape.map(() => 1 + choose(2)) })[0]
}

const concatenate: Growth = (x, { builder, choose, another }) => {
  if (x.type.shape.length === 0) return undefined
  return builder.add('concatenate', [x, another(x.type.shape)], { dim: choose(x.type.shape.length) })[0]
}

const broadcast: Growth = (x, { builder, choose }) => {
  if (x.type.shape.length > 2) return undefined
  const front = sizes[choose(sizes.length)]
  return builder.add('broadcastInDim', [x], {
    shape: [front, ...x.type.shape],
    dims: x.type.shape.map((_, dim) => dim + 1),
  })[0]
}

const reduce: Growth = (x, { builder, choose }) => {
  const { shape } = x.type
  const dims = shape.map((_, dim) => dim).filter(() => choose(2) === 0)
  return builder.add('reduce', [x], { kind: choose(2) === 0 ? 'add' : 'maximum', dims })[0]
}

/** The product of a matrix and its own transpose, or of the like. */
const product: Growth = (x, { builder, choose, another }) => {
  const rank = x.type.shape.length
  if (rank === 0) return undefined
  const dim = choose(rank)
  const contracting = {
    leftContracting: [dim],
    rightContracting: [dim],
    leftBatch: [],
    rightBatch: [],
    dtype: 'f32' as const,
  }
  const [result] = builder.add('dotGeneral', [x, another(x.type.shape)], contracting)
  return builder.add('tanh', [result], {})[0]
}

const productOfTransposed: Growth = (x, { builder, choose }) => {
  const [left] = builder.add('transpose', [x], { permutation: x.type.shape.map((_, dim) => dim).reverse() })
  if (x.type.shape.length < 2) return undefined
  const last = x.type.shape.length - 1
  const contracting = {
    leftContracting: [last],
    rightContracting: [0],
    leftBatch: [],
    rightBatch: [],
    dtype: 'f32' as const,
  }
  const [result] = builder.add('dotGeneral', [left, x], contracting)
  const permutation = result.type.shape.map((_, dim) => dim).reverse()
  return choose(2) === 0 ? result : builder.add('transpose', [result], { permutation })[0]
}

const bias: Growth = (x, { builder, another }) => {
  const { shape } = x.type
  if (shape.length < 2) return undefined
  const row = another([shape[shape.length - 1]])
  if (row.type.shape.length !== 1 || row.type.shape[0] !== shape[shape.length - 1]) return undefined
  const [spread] = builder.add('broadcastInDim', [row], { shape, dims: [shape.length - 1] })
  return builder.add('add', [x, spread], {})[0]
}

const iota: Growth = (x, { builder }) => {
  if (x.type.shape.length === 0) return undefined
  const [index] = builder.add('iota', [], { type: x.type, dim: 0 })
  return builder.add('add', [x, index], {})[0]
}

const barrier: Growth = (x, { builder, another }) =>
  builder.add('optimizationBarrier', [x, another(x.type.shape)], {})[1]

const growths: readonly Growth[] = [
  unary, unary, binary, binary, binary, withConstant, withConstant, choice, twice, reshape, transpose, slice, concatenate, broadcast,
  reduce, product, productOfTransposed, bias, iota, barrier,
] // prettier-ignore
