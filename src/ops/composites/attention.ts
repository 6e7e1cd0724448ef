/**
 * Scaled dot-product attention. Sources: Vaswani et al., "Attention is all you need", 2017; the backward pass from the
 * output and the log of the sum of exponentials, as in Dao et al., "FlashAttention", 2022, so that no matrix of
 * T x S probabilities need be kept.
 */
import type { Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { add, and, divide, exp, log, maximum, multiply, subtract, where } from '../elementwise.js'
import { lowerTriangle } from '../indexing.js'
import { broadcastTo } from '../lift.js'
import { expandDim, reshape, transpose } from '../movement.js'
import { dotGeneral } from '../products.js'
import { max, sum } from '../reductions.js'
import { dropout } from '../random.js'
import { composite, stopGradient } from '../structure.js'
import { softmax } from './softmax.js'

export interface AttentionOptions {
  /** Row t looks at columns up to t + S - T. */
  readonly causal?: boolean
  /** What scores are multiplied by; 1 / sqrt(D) by default. */
  readonly scale?: number
  /** `bool` [B|1, H|1, T|1, S]: where false, the row does not look at the column. */
  readonly mask?: Tensor<Shape, 'bool'>
}

/** Stands for minus infinity, so that no infinity is subtracted from another. */
const lowest = -1e30
const tiny = 1e-30

interface Settings {
  readonly causal: boolean
  readonly scale: number
}

/**
 * softmax(scale * query keyᵀ, masked) value, head by head.
 *
 * @param query [B, T, H, D]
 * @param key [B, S, G, D], where G divides H
 * @param value [B, S, G, D]
 * @returns [B, T, H, D]
 */
export function attention(
  query: AnyTensor,
  key: AnyTensor,
  value: AnyTensor,
  options: AttentionOptions = {},
): AnyTensor {
  const { causal = false, scale = 1 / Math.sqrt(query.shape[3]), mask } = options
  const inputs = mask === undefined ? [query, key, value] : [query, key, value, mask]
  const [out] = composite('attention', { causal, scale, masked: mask !== undefined }, inputs, (q, k, v, m) => {
    const numGroups = q.shape[2] / k.shape[2]
    const { scores, allowed } = maskedScores(q, k, m as Tensor<Shape, 'bool'> | undefined, { causal, scale })
    const visible = allowed === undefined ? scores : where(allowed, scores, lowest)
    const largest = stopGradient(max(visible, -1, { keepDims: true }))
    const raised = exp(subtract(visible, largest))
    const weights = allowed === undefined ? raised : where(allowed, raised, 0)
    const total = maximum(sum(weights, -1, { keepDims: true }), tiny)
    const mixed = mix(divide(weights, total), repeatHeads(v, numGroups))
    const logSum = add(log(total), largest)
    return [mixed, reshape(logSum, logSum.shape.slice(0, 3))]
  })
  return out
}

/**
 * The same with weights dropped at `rate` and the rest divided by 1 - rate. As they are drawn anew, no kernel that keeps none of
 * them will do: they are in memory, [B, H, T, S].
 */
export function attentionWithDropout(
  query: AnyTensor,
  key: AnyTensor,
  value: AnyTensor,
  rate: number,
  options: AttentionOptions = {},
): AnyTensor {
  const { causal = false, scale = 1 / Math.sqrt(query.shape[3]), mask } = options
  const { scores, allowed } = maskedScores(query, key, mask, { causal, scale })
  const all = softmax(allowed === undefined ? scores : where(allowed, scores, lowest))
  // Of a row that looks nowhere, all are alike.
  const weights = mask === undefined ? all : where(allowed!, all, 0)
  return mix(dropout(weights, rate), repeatHeads(value, query.shape[2] / key.shape[2]))
}

/** scale * query keyᵀ [B, H, T, S], and where a row may look. */
function maskedScores(
  q: AnyTensor,
  k: AnyTensor,
  mask: Tensor<Shape, 'bool'> | undefined,
  { causal, scale }: Settings,
) {
  const repeated = repeatHeads(k, q.shape[2] / k.shape[2])
  const products = dotGeneral(q, repeated, {
    leftBatch: [0, 2],
    rightBatch: [0, 2],
    leftContracting: [3],
    rightContracting: [3],
  })
  const scores = multiply(products, scale)
  const [numRows, numColumns] = scores.shape.slice(2)
  const triangle = causal
    ? (broadcastTo(lowerTriangle(numRows, numColumns, numColumns - numRows), scores.shape) as Tensor<Shape, 'bool'>)
    : undefined
  const given = mask && (broadcastTo(mask, scores.shape) as Tensor<Shape, 'bool'>)
  const allowed =
    triangle !== undefined && given !== undefined
      ? (and(triangle, given) as Tensor<Shape, 'bool'>)
      : (triangle ?? given)
  return { scores, allowed }
}

/** [B, S, G, D] -> [B, S, G * times, D], each head `times` times in a row. */
function repeatHeads(x: AnyTensor, times: number): AnyTensor {
  if (times === 1) return x
  const [batch, length, heads, width] = x.shape
  const spread = broadcastTo(expandDim(x, 3), [batch, length, heads, times, width])
  return reshape(spread, [batch, length, heads * times, width])
}

/** The reverse of `repeatHeads` for gradients: sums over the copies. */
function sumHeads(x: AnyTensor, times: number): AnyTensor {
  if (times === 1) return x
  const [batch, length, heads, width] = x.shape
  return sum(reshape(x, [batch, length, heads / times, times, width]), 3)
}

/** Weights [B, H, T, S] by values [B, S, H, D]: [B, T, H, D]. */
function mix(weights: AnyTensor, values: AnyTensor): AnyTensor {
  const mixed = dotGeneral(weights, values, {
    leftBatch: [0, 1],
    rightBatch: [0, 2],
    leftContracting: [3],
    rightContracting: [1],
  })
  return transpose(mixed, [0, 2, 1, 3])
}

export interface AttentionGradientInputs {
  readonly dout: AnyTensor
  readonly query: AnyTensor
  readonly key: AnyTensor
  readonly value: AnyTensor
  readonly mask: AnyTensor | undefined
  readonly out: AnyTensor
  readonly logSumExp: AnyTensor
}

/**
 * With p = exp(scores - logSumExp) and d = sum(dout out): ds = p (dout valueᵀ - d);
 * dquery = scale ds key; dkey = scale dsᵀ query; dvalue = pᵀ dout.
 */
export function attentionGradient(inputs: AttentionGradientInputs, settings: Settings): AnyTensor[] {
  const { dout, query, key, value, mask, out, logSumExp } = inputs
  const operands = [dout, query, key, value, ...(mask === undefined ? [] : [mask]), out, logSumExp]
  return composite('attentionGradient', { ...settings, masked: mask !== undefined }, operands, (...all) => {
    const [dOut, q, k, v] = all
    const given = mask === undefined ? undefined : (all[4] as Tensor<Shape, 'bool'>)
    const [o, logSum] = all.slice(-2)
    const times = q.shape[2] / k.shape[2]
    const { scores, allowed } = maskedScores(q, k, given, settings)
    const raised = exp(subtract(allowed === undefined ? scores : where(allowed, scores, lowest), expandDim(logSum, -1)))
    const p = allowed === undefined ? raised : where(allowed, raised, 0)
    const dp = dotGeneral(dOut, repeatHeads(v, times), {
      leftBatch: [0, 2],
      rightBatch: [0, 2],
      leftContracting: [3],
      rightContracting: [3],
    })
    const correction = expandDim(transpose(sum(multiply(dOut, o), -1), [0, 2, 1]), -1)
    const ds = multiply(multiply(p, subtract(dp, correction)), settings.scale)
    const dq = mix(ds, repeatHeads(k, times))
    return [dq, sumHeads(mixTransposed(ds, q), times), sumHeads(mixTransposed(p, dOut), times)]
  })
}

/** Weights [B, H, T, S], transposed, by rows [B, T, H, D]: [B, S, H, D]. */
function mixTransposed(weights: AnyTensor, rows: AnyTensor): AnyTensor {
  const mixed = dotGeneral(weights, rows, {
    leftBatch: [0, 1],
    rightBatch: [0, 2],
    leftContracting: [2],
    rightContracting: [1],
  })
  return transpose(mixed, [0, 2, 1, 3])
}
