/** Predictions of a fitted model for the rows of a table, a chunk of rows at a time, in double precision. */
import { invariant } from '../../core/errors.js'
import { prepareRows } from '../../data/index.js'
import type { FittedModel } from './fit.js'

export interface Prediction {
  /** A number for linear regression, else the likeliest class. */
  readonly value: number | string
  /** For each class, in the order of `classesOf`. */
  readonly probabilities?: readonly number[]
}

/** The classes that a model tells apart; none for linear regression. */
export function classesOf({ design }: FittedModel): readonly string[] {
  return design.target.task === 'classification' ? design.target.classes : []
}

/**
 * One prediction a row, in order.
 *
 * @throws INVALID_DATA where columns don't match those trained on, or a row can't be used
 */
export async function* predictRows(fitted: FittedModel, file: string): AsyncGenerator<Prediction[]> {
  const { design, weights, intercept } = fitted
  const { features } = design
  const numOutputs = intercept.length
  // Rows come standardised: value = (x - mean) / scale, so w x = (w scale) value + w mean.
  const scaled = features.map(({ name, scale }) => weights[name].map((weight) => weight * scale))
  const base = intercept.map((start, output) =>
    features.reduce((sum, { name, mean }) => sum + weights[name][output] * mean, start),
  )
  for await (const { features: values, numRows } of prepareRows(file, design)) {
    const predictions: Prediction[] = []
    for (let row = 0; row < numRows; row++) {
      const scores = [...base]
      for (let feature = 0; feature < features.length; feature++) {
        const value = values[row * features.length + feature]
        for (let output = 0; output < numOutputs; output++) scores[output] += scaled[feature][output] * value
      }
      predictions.push(predictionOf(fitted, scores))
    }
    yield predictions
  }
}

function predictionOf({ kind, design: { target } }: FittedModel, scores: readonly number[]): Prediction {
  if (kind === 'linear') return { value: scores[0] }
  invariant(target.task === 'classification', 'a classifier has classes')
  const all = kind === 'logistic' ? [0, scores[0]] : scores
  const largest = Math.max(...all)
  const powers = all.map((score) => Math.exp(score - largest))
  const sum = powers.reduce((left, right) => left + right, 0)
  const best = all.indexOf(largest)
  return {
    value: target.values?.[best] !== undefined && target.kind === 'number' ? target.values[best] : target.classes[best],
    probabilities: powers.map((power) => power / sum),
  }
}
