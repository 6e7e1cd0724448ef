/** Multi-head attention, with a key-value cache for generating text. */
import { TalwegError } from '../../core/errors.js'
import type { Shape } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import { currentPlace } from '../../graph/location.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { attention } from '../../ops/composites/attention.js'
import { iota } from '../../ops/creation.js'
import { add, lessEqual } from '../../ops/elementwise.js'
import { apply } from '../../ops/lift.js'
import { reshape } from '../../ops/movement.js'
import { dropout } from '../../ops/random.js'
import { zeros, type Initializer } from '../initializers.js'
import { Module } from '../module.js'
import { isTraining } from '../parameter.js'
import { Linear } from './linear.js'

export interface MultiHeadAttentionOptions {
  readonly width: number
  readonly heads: number
  /** Row t looks at columns up to t only. */
  readonly causal?: boolean
  readonly bias?: boolean
  /** Rate at which elements of the result are dropped while training. */
  readonly dropout?: number
  readonly weightInitializer?: Initializer
  readonly outputInitializer?: Initializer
}

/** Keys and values of places already seen, [B, context, H, D] each. */
export interface KeyValueCache {
  readonly key: AnyTensor
  readonly value: AnyTensor
}

export class MultiHeadAttention extends Module {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly output: Linear
  readonly heads: number
  readonly causal: boolean
  readonly dropout: number

  constructor(options: MultiHeadAttentionOptions) {
    super()
    const {
      width,
      heads,
      causal = false,
      bias = true,
      weightInitializer,
      outputInitializer = weightInitializer,
    } = options
    checkHeads('MultiHeadAttention', width, heads)
    checkOptions('MultiHeadAttention', { dropout: [options.dropout, ranges.share] })
    const linear = { bias, weightInitializer, biasInitializer: zeros() }
    this.query = new Linear(width, width, linear)
    this.key = new Linear(width, width, linear)
    this.value = new Linear(width, width, linear)
    this.output = new Linear(width, width, { ...linear, weightInitializer: outputInitializer })
    this.heads = heads
    this.causal = causal
    this.dropout = options.dropout ?? 0
  }

  /**
   * @param x [B, T, width]
   * @param mask `bool` [B|1, H|1, T|1, T]: where false, the row does not look at the column
   */
  forward(x: AnyTensor, mask?: Tensor<Shape, 'bool'>): AnyTensor {
    const mixed = attention(this.split(this.query, x), this.split(this.key, x), this.split(this.value, x), {
      causal: this.causal,
      mask,
    })
    return this.finish(mixed, x)
  }

  /**
   * The same for the places from `position` on, given the cache of those before.
   *
   * @param position `i32` scalar
   */
  forwardCached(x: AnyTensor, cache: KeyValueCache, position: AnyTensor): { output: AnyTensor; cache: KeyValueCache } {
    const [, length] = x.shape
    const places = add(iota([length]), position) as AnyTensor
    const key = writeAt(cache.key, places, this.split(this.key, x))
    const value = writeAt(cache.value, places, this.split(this.value, x))
    const columns = iota([length, key.shape[1]], 1) as AnyTensor
    const seen = lessEqual(columns, reshape(places, [length, 1])) as Tensor<Shape, 'bool'>
    const mask = reshape(seen, [1, 1, length, key.shape[1]]) as Tensor<Shape, 'bool'>
    const mixed = attention(this.split(this.query, x), key, value, { mask })
    return { output: this.finish(mixed, x), cache: { key, value } }
  }

  private split(projection: Linear, x: AnyTensor): AnyTensor {
    const [batch, length, width] = x.shape
    return reshape(projection.forward(x as Tensor<Shape, 'f32'>), [batch, length, this.heads, width / this.heads])
  }

  private finish(mixed: AnyTensor, x: AnyTensor): AnyTensor {
    const output = this.output.forward(reshape(mixed, x.shape) as Tensor<Shape, 'f32'>)
    return isTraining() ? dropout(output, this.dropout) : output
  }
}

/** @throws INVALID_SETTING where heads would not be equally wide */
export function checkHeads(operation: string, width: number, heads: number): void {
  checkOptions(operation, { width: [width, ranges.count], heads: [heads, ranges.count] })
  if (width % heads === 0) return
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation,
    problem: `width ${width} is not divisible by ${heads} heads`,
    hint: 'choose a width that is a multiple of the number of heads',
    place: currentPlace(),
  })
}

/** Puts rows [B, n, H, D] at `places` [n] of dimension 1. */
function writeAt(cache: AnyTensor, places: AnyTensor, rows: AnyTensor): AnyTensor {
  return apply('scatter', [cache, places, rows], {
    updateWindowDims: [0, 2, 3],
    insertedWindowDims: [1],
    scatterDimsToOperandDims: [1],
    indexVectorDim: 1,
    kind: 'replace',
  })
}
