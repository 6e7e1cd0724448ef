/**
 * The models that `fit` knows, as traced functions: what a row is scored as, what a row costs, how curved that is.
 *
 *     linear    h = x·w + b                 J = 1/(2m) Σ (h - y)²
 *     logistic  P(second class) = σ(z)      J = 1/m Σ softplus(z) - t z        z = x·w + b
 *     softmax   P(class k) = softmax(z)_k   J = 1/m Σ log Σ exp(z) - z_target   z = x·W + b
 */
import type { DType } from '../../core/dtype.js'
import type { Shape, TensorType } from '../../core/shape.js'
import { tensorType } from '../../core/shape.js'
import type { TableDesign } from '../../data/index.js'
import type { AnyTensor, NamedType, Tensor } from '../../graph/index.js'
import {
  add,
  convert,
  logSumExp,
  matmul,
  multiply,
  oneHot,
  reshape,
  softplus,
  square,
  subtract,
  sum,
} from '../../ops/index.js'

export const modelKinds = ['linear', 'logistic', 'softmax'] as const
export type ModelKind = (typeof modelKinds)[number]

export type FloatType = 'f32' | 'f64'

/** A model of one table: everything that its graphs depend on. */
export interface FitModel {
  readonly kind: ModelKind
  readonly numFeatures: number
  /** Columns of the weights: classes for softmax, else 1. */
  readonly numOutputs: number
  readonly hasIntercept: boolean
  readonly dtype: FloatType
}

/** Text, booleans and 0/1 are classes: two of them logistic, more of them softmax. Other numbers are a quantity: linear. */
export function chooseKind({ target }: TableDesign, wanted: ModelKind | undefined): ModelKind {
  if (target.task === 'regression') return 'linear'
  return wanted ?? (target.classes.length === 2 ? 'logistic' : 'softmax')
}

/**
 * The largest factor c for which the objective's Hessian is at most c XᵀX/m: 1 exactly for squares; σ(1-σ) ≤ 1/4; the softmax's
 * covariance ≤ 1/2. Source: Böhning, "Multinomial logistic regression algorithm", 1992.
 */
export const curvature: { readonly [K in ModelKind]: number } = { linear: 1, logistic: 1 / 4, softmax: 1 / 2 }

/** The type in which a class or a quantity is fed. */
export function targetType({ kind, dtype }: FitModel): DType {
  return kind === 'linear' ? dtype : 'i32'
}

/** `weights` and, where there is one, `intercept`. */
export function parametersOf({ numFeatures, numOutputs, hasIntercept, dtype }: FitModel): NamedType[] {
  const weights = { name: 'weights', type: tensorType(dtype, [numFeatures, numOutputs]) }
  return hasIntercept ? [weights, { name: 'intercept', type: tensorType(dtype, [numOutputs]) }] : [weights]
}

export function rowTypes(model: FitModel, numRows: number): { features: TensorType; targets: TensorType } {
  return {
    features: tensorType(model.dtype, [numRows, model.numFeatures]),
    targets: tensorType(targetType(model), [numRows]),
  }
}

/**
 * The objective of some rows, summed and not yet divided by how many there are.
 *
 * @param features [rows, features]
 * @param targets [rows]
 * @param parameters as `parametersOf` has them
 */
export function sumOfLosses(
  { kind, numOutputs, dtype }: FitModel,
  features: AnyTensor,
  targets: AnyTensor,
  [weights, intercept]: readonly AnyTensor[],
): AnyTensor {
  const products: AnyTensor = matmul(features, weights)
  const scores: AnyTensor = intercept === undefined ? products : add(products, intercept)
  if (kind === 'softmax') {
    const aim = oneHot(targets as Tensor<Shape, 'i32'>, numOutputs, dtype)
    return subtract(sum(logSumExp(scores, -1)), sum(multiply(scores, aim)))
  }
  const column = reshape(scores, [features.shape[0]])
  if (kind === 'linear') return multiply(sum(square(subtract(column, targets) as AnyTensor)), 0.5)
  const wanted = convert(targets, dtype) as AnyTensor
  return sum(subtract(softplus(column), multiply(column, wanted)) as AnyTensor)
}
