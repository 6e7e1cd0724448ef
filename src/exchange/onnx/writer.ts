/** An ONNX graph while it is written: its nodes in order, its constants, and the name of each value of ours. */
import { invariant, TalwegError } from '../../core/errors.js'
import type { Shape, TensorData } from '../../core/shape.js'
import type { Node, Value } from '../../graph/index.js'
import { bytesOf } from '../safetensors/writer.js'
import { attributeTypes, dataTypes, int64Type, type AttributeProto, type NodeProto } from './schema.js'
import { fixedSize, placeOf, type Dim, type SymbolicSizes, type Term } from './sizes.js'

/** Numbers that are in the file. */
export interface Initializer {
  readonly name: string
  readonly dataType: number
  readonly dims: Shape
  readonly bytes: Uint8Array
}

export type AttributeValue = number | string | readonly number[] | { readonly float: number }

/**
 * A value's name. ONNX repeats dimensions of 1 itself where two operands meet, so a broadcast is only written out for those
 * who need all of it: until then the name is `loose`, of the operand as it was (with dimensions of 1 put in where needed).
 */
interface Operand {
  readonly name: string
  readonly isLoose: boolean
}

/** Where a size is to be had: from a dimension of an input. */
export interface SizeSource {
  readonly input: string
  readonly dim: number
}

export class OnnxWriter {
  readonly nodes: NodeProto[] = []
  readonly initializers: Initializer[] = []
  readonly #operands = new Map<Value, Operand>()
  readonly #taken = new Set<string>()
  /** Constants and sizes that are there already, by what they are. */
  readonly #known = new Map<string, string>()

  constructor(
    readonly sizes: SymbolicSizes,
    private readonly sources: ReadonlyMap<string, SizeSource>,
    private readonly used: ReadonlySet<Value>,
  ) {}

  /** Adds a node; the name of its first result. */
  add(opType: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    return this.addMany(opType, inputs, attributes, 1)[0]
  }

  addMany(
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>>,
    numOutputs: number,
  ): string[] {
    const name = this.newName(opType)
    const output = Array.from({ length: numOutputs }, (_, index) => (index === 0 ? name : `${name}.${index}`))
    const attribute = Object.entries(attributes).map(([key, value]) => attributeOf(key, value))
    this.nodes.push({ input, output, name, opType, attribute })
    return output
  }

  /** A name that nothing has yet. */
  newName(wanted: string): string {
    let name = wanted
    for (let count = 1; this.#taken.has(name); count++) name = `${wanted}_${count}`
    this.#taken.add(name)
    return name
  }

  initializer(wanted: string, dataType: number, dims: Shape, bytes: Uint8Array): string {
    const name = this.newName(wanted)
    this.initializers.push({ name, dataType, dims, bytes })
    return name
  }

  tensor(wanted: string, data: TensorData): string {
    return this.initializer(wanted, dataTypes[data.dtype], data.shape, bytesOf(data))
  }

  /** A vector of 64-bit integers, as shapes and axes are given. */
  ints(numbers: readonly number[]): string {
    return this.once(`ints ${numbers.join()}`, () => {
      const bytes = new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer)
      return this.initializer('shape', int64Type, [numbers.length], bytes)
    })
  }

  /** Sizes as a vector of 64-bit integers. */
  vector(dims: readonly Dim[]): string {
    const parts: string[] = []
    let fixed: number[] = []
    const flush = (): void => {
      if (fixed.length > 0) parts.push(this.ints(fixed))
      fixed = []
    }
    for (const dim of dims) {
      const size = fixedSize(dim)
      if (size !== undefined) {
        fixed.push(size)
        continue
      }
      flush()
      parts.push(this.size(dim))
    }
    flush()
    if (parts.length === 0) return this.ints([])
    return parts.length === 1
      ? parts[0]
      : this.once(`vector ${parts.join()}`, () => this.add('Concat', parts, { axis: 0 }))
  }

  /** One size, as a vector of one. */
  private size(dim: Dim): string {
    return this.once(`size ${JSON.stringify(dim)}`, () =>
      dim.map((term) => this.term(term)).reduce((sum, term) => this.add('Add', [sum, term])),
    )
  }

  private term({ factor, symbols }: Term): string {
    if (symbols.length === 0) return this.ints([factor])
    return this.once(`term ${factor} ${symbols.join()}`, () => {
      const product = symbols.map((each) => this.symbol(each)).reduce((name, each) => this.add('Mul', [name, each]))
      return factor === 1 ? product : this.add('Mul', [product, this.ints([factor])])
    })
  }

  private symbol(symbol: string): string {
    const source = this.sources.get(symbol)
    invariant(source !== undefined, `an input has the ${symbol}`)
    const { input, dim } = source
    return this.once(`symbol ${symbol}`, () => this.add('Shape', [input], { start: dim, end: dim + 1 }))
  }

  private once(key: string, make: () => string): string {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const name = make()
    this.#known.set(key, name)
    return name
  }

  /** Says what a value is called. */
  name(value: Value, name: string, isLoose = false): void {
    this.#operands.set(value, { name, isLoose })
  }

  /** A value with all its elements. */
  full(value: Value): string {
    const { name, isLoose } = this.operand(value)
    if (!isLoose) return name
    const shape = this.vector(this.dimsOf(value))
    const expanded = this.add('Expand', [name, shape])
    this.name(value, expanded)
    return expanded
  }

  /** Values that meet element by element: at least one of them with all its elements. */
  meeting(values: readonly Value[]): string[] {
    const found = values.map((value) => this.operand(value))
    if (found.some(({ isLoose }) => !isLoose) || found.length === 0) return found.map(({ name }) => name)
    return [this.full(values[0]), ...found.slice(1).map(({ name }) => name)]
  }

  private operand(value: Value): Operand {
    const operand = this.#operands.get(value)
    invariant(operand !== undefined, `${value.node.operation} has been written`)
    return operand
  }

  dimsOf({ node, index }: Value): Dim[] {
    return this.sizes.dims(node, (each) => each.outputs[index].type.shape)
  }

  isUsed(value: Value): boolean {
    return this.used.has(value)
  }
}

function attributeOf(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') return { name, type: attributeTypes.i, i: value }
  if (typeof value === 'string') return { name, type: attributeTypes.s, s: new TextEncoder().encode(value) }
  if ('float' in value) return { name, type: attributeTypes.f, f: value.float }
  return { name, type: attributeTypes.ints, ints: value }
}

/** An operation that ONNX has no like of. */
export function unsupported(node: Node, why: string): TalwegError {
  return new TalwegError({
    code: 'UNSUPPORTED_BY_ENGINE',
    operation: 'onnx',
    problem: `${node.operation} can't be exported: ${why}`,
    place: placeOf(node),
  })
}
