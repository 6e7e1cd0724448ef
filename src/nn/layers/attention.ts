/**
 * Multi-head attention, with a key-value cache for generating text. Sources: Vaswani et al., "Attention is all you need",
 * 2017; fewer heads of keys and values than of queries: Ainslie et al., "GQA", 2023.
 */
import { TalwegError } from '../../core/errors.js'
import type { Shape } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import { currentPlace } from '../../graph/location.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { attention, attentionWithDropout } from '../../ops/composites/attention.js'
import { iota } from '../../ops/creation.js'
import { add, and, lessEqual } from '../../ops/elementwise.js'
import { apply } from '../../ops/lift.js'
import { reshape, sliceDim } from '../../ops/movement.js'
import { dropout } from '../../ops/random.js'
import { zeros, type Initializer } from '../initializers.js'
import { Module } from '../module.js'
import { isTraining } from '../parameter.js'
import { Linear } from './linear.js'

export interface MultiHeadAttentionOptions {
  readonly width: number
  readonly heads: number
  /** Heads of keys and values, each for as many heads of queries in a row; as many as `heads` by default. */
  readonly keyValueHeads?: number
  /** Row t looks at columns up to t only. */
  readonly causal?: boolean
  readonly bias?: boolean
  /** Rate at which elements of the result are dropped while training. */
  readonly dropout?: number
  /** Rate at which a row's weights of columns are dropped while training: they are in memory then. */
  readonly weightDropout?: number
  readonly weightInitializer?: Initializer
  readonly outputInitializer?: Initializer
}

/** Keys and values of places already seen, [B, context, keyValueHeads, D] each. */
export interface KeyValueCache {
  readonly key: AnyTensor
  readonly value: AnyTensor
}

export interface CachedOptions {
  readonly turn?: Turn
  readonly visible?: number
  /** `bool` [B|1, visible]: false at places at which none looks. */
  readonly mask?: Tensor<Shape, 'bool'>
}

/** What queries and keys go through before their product. */
export type Turn = (heads: AnyTensor) => AnyTensor

const unturned: Turn = (heads) => heads

/**
 * Attention of a sequence to itself, f32 [B, T, width] to [B, T, width].
 *
 * @example new nn.MultiHeadAttention({ width: 256, heads: 8, keyValueHeads: 2, causal: true, bias: false })
 */
export class MultiHeadAttention extends Module {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly output: Linear
  readonly heads: number
  readonly keyValueHeads: number
  readonly causal: boolean
  readonly dropout: number
  readonly weightDropout: number

  constructor(options: MultiHeadAttentionOptions) {
    super()
    const {
      width,
      heads,
      causal = false,
      bias = true,
      weightInitializer,
      outputInitializer = weightInitializer,
      keyValueHeads = heads,
    } = options
    checkHeads('MultiHeadAttention', width, heads, keyValueHeads)
    const { dropout = 0, weightDropout = 0 } = options
    checkOptions('MultiHeadAttention', {
      dropout: [dropout, ranges.share],
      weightDropout: [weightDropout, ranges.share],
    })
    const linear = { bias, weightInitializer, biasInitializer: zeros() }
    this.query = new Linear(width, width, linear)
    const keyWidth = keyValueHeads * (width / heads)
    this.key = new Linear(width, keyWidth, linear)
    this.value = new Linear(width, keyWidth, linear)
    this.output = new Linear(width, width, { ...linear, weightInitializer: outputInitializer })
    this.heads = heads
    this.keyValueHeads = keyValueHeads
    this.causal = causal
    this.dropout = dropout
    this.weightDropout = weightDropout
  }

  /**
   * @param x [B, T, width]
   * @param mask `bool` [B|1, H|1, T|1, T]: where false, the row does not look at the column
   * @param turn what queries and keys [B, T, heads, D] go through, such as rotary positions
   */
  forward(x: AnyTensor, mask?: Tensor<Shape, 'bool'>, turn: Turn = unturned): AnyTensor {
    const [query, key] = [this.split(this.query, x), this.split(this.key, x)]
    const value = this.split(this.value, x)
    return this.finish(this.mix(turn(query), turn(key), value, mask), x)
  }

  /**
   * The same for the places from `position` on, given the cache of those before.
   *
   * @param position `i32` scalar
   * @param options.mask where some are padding
   * @param options.visible places of the cache that may be looked at, from its start: all by default. To be known to be
   * enough, so that the rest need not be read.
   */
  forwardCached(
    x: AnyTensor,
    cache: KeyValueCache,
    position: AnyTensor,
    { turn = unturned, visible = cache.key.shape[1], mask: given }: CachedOptions = {},
  ): { output: AnyTensor; cache: KeyValueCache } {
    const [, length] = x.shape
    const places = add(iota([length]), position) as AnyTensor
    const query = turn(this.split(this.query, x))
    const key = writeAt(cache.key, places, turn(this.split(this.key, x)))
    const value = writeAt(cache.value, places, this.split(this.value, x))
    const columns = iota([length, visible], 1) as AnyTensor
    const seen = lessEqual(columns, reshape(places, [length, 1])) as Tensor<Shape, 'bool'>
    const before = reshape(seen, [1, 1, length, visible]) as AnyTensor
    const mask = (given === undefined ? before : and(before, reshape(given as AnyTensor, [-1, 1, 1, visible]))) as Tensor<Shape, 'bool'> // prettier-ignore
    const mixed = attention(query, sliceDim(key, 1, 0, visible), sliceDim(value, 1, 0, visible), { mask })
    return { output: this.finish(mixed, x), cache: { key, value } }
  }

  private split(projection: Linear, x: AnyTensor): AnyTensor {
    const [batch, length, width] = x.shape
    return reshape(projection.forward(x as Tensor<Shape, 'f32'>), [batch, length, -1, width / this.heads])
  }

  private mix(query: AnyTensor, key: AnyTensor, value: AnyTensor, mask?: Tensor<Shape, 'bool'>): AnyTensor {
    const { causal, weightDropout } = this
    if (weightDropout === 0 || !isTraining()) return attention(query, key, value, { causal, mask })
    return attentionWithDropout(query, key, value, weightDropout, { causal, mask })
  }

  private finish(mixed: AnyTensor, x: AnyTensor): AnyTensor {
    const output = this.output.forward(reshape(mixed, x.shape) as Tensor<Shape, 'f32'>)
    return isTraining() ? dropout(output, this.dropout) : output
  }
}

/** @throws INVALID_SETTING where heads would not be equally wide, or not serve equally many others */
export function checkHeads(operation: string, width: number, heads: number, keyValueHeads = heads): void {
  checkOptions(operation, {
    width: [width, ranges.count],
    heads: [heads, ranges.count],
    keyValueHeads: [keyValueHeads, ranges.count],
  })
  const fail = (problem: string, hint: string): never => {
    throw new TalwegError({ code: 'INVALID_SETTING', operation, problem, hint, place: currentPlace() })
  }
  if (width % heads !== 0)
    fail(
      `width ${width} is not divisible by ${heads} heads`,
      'choose a width that is a multiple of the number of heads',
    )
  if (heads % keyValueHeads !== 0)
    fail(`${heads} heads can't share ${keyValueHeads} heads of keys and values`, 'choose a number that divides heads')
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
