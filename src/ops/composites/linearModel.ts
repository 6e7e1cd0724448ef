/**
 * Linear and logistic regression as composites: the objective with its gradient over all rows, which need only be read once for
 * both, and many steps of stochastic descent, each of which would be too small for a call of its own.
 */
import type { LinearModelKind } from '../../core/operations.js'
import type { Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { add, convert, divide, multiply, sigmoid, softplus, square, subtract } from '../elementwise.js'
import { takeRows } from '../indexing.js'
import { concatenate, reshape, sliceDim, transpose } from '../movement.js'
import { matmul } from '../products.js'
import { sum } from '../reductions.js'
import { composite } from '../structure.js'

export interface LinearGradient {
  /** [], summed over the rows. */
  readonly loss: AnyTensor
  /** [F, 1] */
  readonly weights: AnyTensor
  /** [1] */
  readonly intercept: AnyTensor
}

/**
 * Σ (z - t)² / 2, or Σ log(1 + exp z) - t z, with z = x · w + b, and its gradient.
 *
 * @param features [N, F]
 * @param targets [N]: numbers, or for `logistic` classes 0 and 1
 * @param weights [F, 1]
 * @param intercept [1]
 */
export function linearGradient(
  model: LinearModelKind,
  features: AnyTensor,
  targets: AnyTensor,
  weights: AnyTensor,
  intercept: AnyTensor,
): LinearGradient {
  const [loss, dweights, dintercept] = composite(
    'linearGradient',
    { model },
    [features, targets, weights, intercept],
    (...operands) => {
      const { losses, weightGradient, errors } = gradientOver(model, operands[0], operands[1], operands[2], operands[3])
      return [sum(losses), weightGradient, reshape(sum(errors), [1])] as AnyTensor[]
    },
  )
  return { loss, weights: dweights, intercept: dintercept }
}

export interface LinearDescent {
  readonly weights: AnyTensor
  readonly intercept: AnyTensor
  /** [K]: each step's mean loss before it. */
  readonly losses: AnyTensor
}

/**
 * w ← w - rate / B Σ dloss / dw, step by step, over the rows that `order` names.
 *
 * @param rows features [N, F] and targets [N]
 * @param order i32 [K, B]
 * @param rates [K]
 * @param parameters weights [F, 1] and intercept [1], which moves where `hasIntercept` says so
 */
export function linearDescent(
  model: LinearModelKind,
  rows: { readonly features: AnyTensor; readonly targets: AnyTensor },
  order: Tensor<Shape, 'i32'>,
  rates: AnyTensor,
  parameters: { readonly weights: AnyTensor; readonly intercept: AnyTensor },
  hasIntercept: boolean,
): LinearDescent {
  const inputs = [rows.features, rows.targets, order, rates, parameters.weights, parameters.intercept]
  const [weights, intercept, losses] = composite(
    'linearDescent',
    { model, intercept: hasIntercept },
    inputs,
    (...operands) => descend(model, operands, hasIntercept),
  )
  return { weights, intercept, losses }
}

function descend(
  model: LinearModelKind,
  [features, targets, order, rates, ...parameters]: readonly AnyTensor[],
  hasIntercept: boolean,
): AnyTensor[] {
  const [numSteps, batchSize] = order.shape
  let [weights, intercept] = parameters
  const losses: AnyTensor[] = []
  for (let step = 0; step < numSteps; step++) {
    const places = reshape(sliceDim(order, 0, step, step + 1), [batchSize]) as Tensor<Shape, 'i32'>
    const [x, t] = [takeRows(features as Tensor, places), takeRows(targets as Tensor, places)] as AnyTensor[]
    const gradient = gradientOver(model, x, t, weights, intercept)
    const move = divide(reshape(sliceDim(rates, 0, step, step + 1), []), batchSize) as AnyTensor
    losses.push(reshape(divide(sum(gradient.losses), batchSize), [1]) as AnyTensor)
    weights = subtract(weights, multiply(gradient.weightGradient, move)) as AnyTensor
    if (hasIntercept) intercept = subtract(intercept, multiply(sum(gradient.errors), move)) as AnyTensor
  }
  return [weights, intercept, concatenate(losses, 0)]
}

interface RowGradients {
  /** [N] */
  readonly losses: AnyTensor
  /** [N]: the losses' derivatives by the scores. */
  readonly errors: AnyTensor
  readonly weightGradient: AnyTensor
}

function gradientOver(
  model: LinearModelKind,
  features: AnyTensor,
  targets: AnyTensor,
  weights: AnyTensor,
  intercept: AnyTensor,
): RowGradients {
  const numRows = features.shape[0]
  const scores: AnyTensor = reshape(add(matmul(features, weights), intercept), [numRows])
  const aims: AnyTensor = convert(targets, features.dtype)
  const isLinear = model === 'linear'
  const errors: AnyTensor = subtract(isLinear ? scores : (sigmoid(scores) as AnyTensor), aims)
  const losses: AnyTensor = isLinear
    ? multiply(square(errors), 0.5)
    : subtract(softplus(scores), multiply(scores, aims) as AnyTensor)
  const weightGradient: AnyTensor = matmul(transpose(features), reshape(errors, [numRows, 1]))
  return { losses, errors, weightGradient }
}
