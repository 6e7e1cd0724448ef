/**
 * Arithmetic over jax-js without its ownership rules.
 *
 * jax-js counts references: passing an array to a function gives it away, and using it twice takes a `.ref`. Formulas of
 * twenty operations written so are hard to get right. Here every operation takes a reference of its own, each array that
 * is made is noted in a `Scope`, and closing the scope releases all of them but the results. Under `jit`, where the
 * arrays are tracers, all of that costs nothing at run time.
 *
 * Two things in jax-js shape this file (0.1.25):
 * - Its kernels' simplifier adds up constants across nested additions, also of floats: (x + 1) - 1 becomes x. Formulas
 *   that live on rounding must not be written so.
 * - A scalar made while tracing becomes a literal in the kernels, and `pad` and `concatenate` mistake a broadcast
 *   literal for one that fills the padding too. So literals appear only as operands of arithmetic (`Operand`); what may
 *   reach other operations is made by `Scope.full`, which makes arrays.
 */
import { DType as DeviceDType, lax, numpy as np, vjp, type Array as DeviceArray } from '@jax-js/jax'
import { isFloat, type DType } from '../../core/dtype.js'
import { invariant } from '../../core/errors.js'
import { numElements, type Shape, type TensorData } from '../../core/shape.js'
import { deviceDTypes, type PortableDType } from './dtypes.js'

/** A number stands for a literal of the other operand's element type. */
export type Operand = Term | number

export type Reduction = 'add' | 'multiply' | 'maximum' | 'minimum'

/** What the program tells of a term, for rules that do better with it. */
export interface Knowledge {
  /** What it holds. */
  readonly constant?: TensorData
  /** Whether it is the result of arithmetic that `jit` may repeat wherever it is read. */
  readonly isInline?: boolean
}

/** The arrays made while one rule runs. */
export class Scope {
  private readonly made: DeviceArray[] = []

  /** Takes over an array. */
  own(array: DeviceArray, dtype: PortableDType): Term {
    this.made.push(array)
    return new Term(array, dtype, this)
  }

  /** Looks at an array that somebody else owns. */
  borrow(array: DeviceArray, dtype: PortableDType, knowledge: Knowledge): Term {
    return new Term(array, dtype, this, knowledge)
  }

  /** A tensor filled with one number, as an array even where it has one element. */
  full(shape: Shape, value: number, dtype: PortableDType): Term {
    const device = deviceDTypes[dtype]
    const fill = dtype === 'bool' ? value !== 0 : value
    if (shape.length > 0) return this.own(np.full([...shape], fill, { dtype: device }), dtype)
    return this.own(np.full([1], fill, { dtype: device }), dtype).reshape([])
  }

  /** 0, 1, …, count - 1. */
  iota(count: number, dtype: PortableDType): Term {
    if (isFloat(dtype)) return this.iota(count, 'i32').as(dtype)
    return this.own(np.arange(0, count, 1, { dtype: deviceDTypes[dtype] }), dtype)
  }

  /** A vector of numbers known while tracing. */
  vector(values: Int32Array<ArrayBuffer>, dtype: 'i32' | 'bool'): Term {
    return this.own(np.array(values, { dtype: deviceDTypes[dtype] }), dtype)
  }

  concatenate(terms: readonly Term[], dim: number): Term {
    const [first] = terms
    if (terms.length === 1) return first
    return this.own(np.concatenate(terms.map(({ array }) => array.ref), dim), first.dtype) // prettier-ignore
  }

  /** Releases everything but the results, which the caller then owns. */
  close(results: readonly Term[]): DeviceArray[] {
    const kept = results.map(({ array }) => array.ref)
    for (const array of this.made) array.dispose()
    return kept
  }
}

export class Term {
  constructor(
    readonly array: DeviceArray,
    readonly dtype: PortableDType,
    readonly scope: Scope,
    readonly knowledge: Knowledge = {},
  ) {}

  get shape(): Shape {
    return this.array.shape
  }

  // Arithmetic, each on operands of one element type, which broadcast as NumPy's do.

  add(other: Operand): Term {
    return this.made(np.add(this.array.ref, this.given(other)))
  }

  multiply(other: Operand): Term {
    return this.made(np.multiply(this.array.ref, this.given(other)))
  }

  /** For floats jax-js has a subtraction only inside kernels, made of x + (-1 * y). */
  subtract(other: Operand): Term {
    if (typeof other === 'number') return this.add(-other)
    return isFloat(this.dtype) ? this.add(other.multiply(-1)) : this.made(np.subtract(this.array.ref, other.array.ref))
  }

  /** -1 * x, since jax-js' own 0 - x loses the sign of zero. */
  negate(): Term {
    return isFloat(this.dtype) ? this.multiply(-1) : this.made(np.negative(this.array.ref))
  }

  reciprocal(): Term {
    return this.made(np.reciprocal(this.array.ref))
  }

  /** Towards zero. The divisor must not be 0: WebAssembly traps there. */
  integerQuotient(divisor: Operand): Term {
    return this.made(this.array.ref.div(this.given(divisor)))
  }

  /** With the sign of the dividend. The divisor must not be 0. */
  integerRemainder(divisor: Operand): Term {
    return this.made(this.array.ref.mod(this.given(divisor)))
  }

  sqrt(): Term {
    return this.made(np.sqrt(this.array.ref))
  }

  floor(): Term {
    return this.made(np.floor(this.array.ref))
  }

  ceil(): Term {
    return this.made(np.ceil(this.array.ref))
  }

  maximum(other: Operand): Term {
    return this.made(np.maximum(this.array.ref, this.given(other)))
  }

  minimum(other: Operand): Term {
    return this.made(np.minimum(this.array.ref, this.given(other)))
  }

  abs(): Term {
    return this.maximum(this.negate())
  }

  // Bits of integers and booleans.

  and(other: Operand): Term {
    return this.made(np.bitwiseAnd(this.array.ref, this.given(other)))
  }

  or(other: Operand): Term {
    return this.made(np.bitwiseOr(this.array.ref, this.given(other)))
  }

  xor(other: Operand): Term {
    return this.made(np.bitwiseXor(this.array.ref, this.given(other)))
  }

  /** By less than 32. */
  shiftLeft(amount: Operand): Term {
    return this.made(np.leftShift(this.array.ref, this.given(amount)))
  }

  /** Puts in zeros, whatever the sign. By less than 32. */
  shiftRight(amount: Operand): Term {
    return this.made(np.rightShift(this.array.ref, this.given(amount)))
  }

  // Comparisons. jax-js cannot order booleans.

  lessThan(other: Operand): Term {
    return this.made(np.less(this.array.ref, this.given(other)), 'bool')
  }

  greaterThan(other: Operand): Term {
    return this.made(np.greater(this.array.ref, this.given(other)), 'bool')
  }

  equals(other: Operand): Term {
    return this.made(np.equal(this.array.ref, this.given(other)), 'bool')
  }

  notEquals(other: Operand): Term {
    return this.made(np.notEqual(this.array.ref, this.given(other)), 'bool')
  }

  /** On booleans: `whenTrue` where this holds. One of the two must be a term, which gives the element type. */
  choose(whenTrue: Operand, whenFalse: Operand): Term {
    const typed = typeof whenTrue === 'number' ? whenFalse : whenTrue
    invariant(typeof typed !== 'number', 'a choice between two literals has no element type')
    return typed.made(np.where(this.array.ref, typed.given(whenTrue), typed.given(whenFalse)))
  }

  /** To another element type: floats towards zero and to the nearest integer there is, NaN to 0. */
  as(dtype: PortableDType): Term {
    return dtype === this.dtype ? this : this.made(np.astype(this.array.ref, deviceDTypes[dtype]), dtype)
  }

  /** The same bits under another type: f32, i32 and u32. */
  bits(dtype: PortableDType): Term {
    return dtype === this.dtype ? this : this.made(lax.bitcastConvertType(this.array.ref, deviceDTypes[dtype]), dtype)
  }

  // Movement. All of it is views in jax-js, computed into the index expressions of the kernels that read.

  reshape(shape: Shape): Term {
    return this.made(np.reshape(this.array.ref, [...shape]))
  }

  transpose(permutation: readonly number[]): Term {
    return this.made(np.transpose(this.array.ref, [...permutation]))
  }

  /**
   * The same numbers in memory, so that what computes them is not repeated for each reader's elements: as the largest of
   * one, since `jit` stores what reductions give. Booleans stay as they are; their reductions go wrong in jax-js.
   */
  stored(): Term {
    if (this.dtype === 'bool') return this
    return this.reshape([...this.shape, 1]).reduce('maximum', this.shape.length)
  }

  /** NumPy's: sizes of 1 are repeated, dimensions are added in front. */
  broadcastTo(shape: Shape): Term {
    return this.made(np.broadcastTo(this.array.ref, [...shape]))
  }

  reverse(dims: readonly number[]): Term {
    return dims.length === 0 ? this : this.made(np.flip(this.array.ref, [...dims]))
  }

  slice(starts: readonly number[], limits: readonly number[]): Term {
    if (starts.every((start, dim) => start === 0 && limits[dim] === this.shape[dim])) return this
    return this.made(this.array.ref.slice(...starts.map((start, dim): [number, number] => [start, limits[dim]])))
  }

  /** With zeros. */
  pad(low: readonly number[], high: readonly number[]): Term {
    if ([...low, ...high].every((count) => count === 0)) return this
    return this.made(np.pad(this.array.ref, low.map((count, dim): [number, number] => [count, high[dim]]))) // prettier-ignore
  }

  reduce(kind: Reduction, dim: number): Term {
    const reduced = { add: np.sum, multiply: np.prod, maximum: np.max, minimum: np.min }[kind]
    return this.made(reduced(this.array.ref, dim))
  }

  /**
   * Elements by their coordinates in the first dimensions: one `i32` term for each, broadcast together. They must be
   * inside. Result: `[...coordinates' shape, ...other dimensions]`.
   */
  gather(coordinates: readonly Term[]): Term {
    return this.made(this.array.ref.slice(...coordinates.map(({ array }) => array.ref)))
  }

  /**
   * What the transpose of `gather` makes of updates: zeros of this term's shape, to which each update is added at its
   * place, in order; those outside are dropped. jax-js has it (a routine in JavaScript) but exports it only as a derivative,
   * and can't compile it where an operand is a view.
   */
  scatterSum(coordinates: readonly Term[], updates: Term): Term {
    const stored = coordinates.map((coordinate) => coordinate.stored())
    const pick = (array: DeviceArray): DeviceArray => array.slice(...stored.map((index) => index.array.ref))
    const [picked, transposed] = vjp(pick, [this.array.ref])
    picked.dispose()
    const [sum] = transposed(updates.stored().array.ref) as [DeviceArray]
    transposed.dispose()
    return this.made(sum)
  }

  private made(array: DeviceArray, dtype: PortableDType = this.dtype): Term {
    return this.scope.own(array, dtype)
  }

  private given(other: Operand): DeviceArray {
    if (typeof other !== 'number') return other.array.ref
    const value = this.dtype === 'bool' ? other !== 0 : other
    return np.full([], value, { dtype: deviceDTypes[this.dtype] })
  }
}

/** Whether a term is known to be filled with one number. */
export function isFilledWith({ knowledge: { constant } }: Term, value: number): boolean {
  return constant !== undefined && constant.data.every((element) => element === value)
}

export function isEmpty({ shape }: Term): boolean {
  return numElements(shape) === 0
}

export type { DeviceArray, DType }
export { DeviceDType }
