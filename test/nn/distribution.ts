/** Whether numbers are drawn from a distribution: bounds, mean, variance, and the whole of it by Kolmogorov and Smirnov's test. */
import assert from 'node:assert/strict'

export interface Distribution {
  readonly mean: number
  readonly variance: number
  /** The fourth central moment divided by the squared variance, which says how far a sample's variance may be off. */
  readonly kurtosis: number
  readonly low: number
  readonly high: number
  /** Probability of a number up to this one. */
  readonly cumulative: (x: number) => number
}

export function uniform(low: number, high: number): Distribution {
  return {
    mean: (low + high) / 2,
    variance: (high - low) ** 2 / 12,
    kurtosis: 9 / 5,
    low,
    high,
    cumulative: (x) => (x - low) / (high - low),
  }
}

export function normal(standardDeviation: number, mean = 0): Distribution {
  return {
    mean,
    variance: standardDeviation ** 2,
    kurtosis: 3,
    low: -Infinity,
    high: Infinity,
    cumulative: (x) => standardNormal((x - mean) / standardDeviation),
  }
}

/** A normal one of mean 0 without what is further out than two standard deviations. */
export function truncatedNormal(standardDeviation: number): Distribution {
  const inside = standardNormal(2) - standardNormal(-2)
  const density = Math.exp(-2) / Math.sqrt(2 * Math.PI)
  const variance = 1 - (4 * density) / inside
  const fourth = 3 * variance - (16 * density) / inside
  return {
    mean: 0,
    variance: variance * standardDeviation ** 2,
    kurtosis: fourth / variance ** 2,
    low: -2 * standardDeviation,
    high: 2 * standardDeviation,
    cumulative: (x) => (standardNormal(x / standardDeviation) - standardNormal(-2)) / inside,
  }
}

/** By the series of erf; good to 1e-8 up to five standard deviations, beyond which there is nothing to tell. */
function standardNormal(z: number): number {
  if (Math.abs(z) > 5) return z > 0 ? 1 : 0
  const x = z / Math.SQRT2
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return 0.5 + sum / Math.sqrt(Math.PI)
}

/** Of true samples, fewer than one in a hundred thousand is this many standard errors off. */
const allowedErrors = 4.5

export function assertDistributed(data: ArrayLike<number>, expected: Distribution, what: string): void {
  const numbers = Float64Array.from(data).sort()
  const count = numbers.length
  // The type's rounding may take a number to the bound itself, or a last place beyond.
  const slack = 1e-6 * Math.sqrt(expected.variance)
  assert.ok(numbers[0] >= expected.low - slack, `${what}: ${numbers[0]} is below ${expected.low}`)
  assert.ok(numbers[count - 1] <= expected.high + slack, `${what}: ${numbers[count - 1]} is above ${expected.high}`)
  const mean = numbers.reduce((sum, x) => sum + x, 0) / count
  const meanError = Math.sqrt(expected.variance / count)
  assert.ok(
    Math.abs(mean - expected.mean) <= allowedErrors * meanError,
    `${what}: the mean is ${mean}, not ${expected.mean}`,
  )
  const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (count - 1)
  const varianceError = expected.variance * Math.sqrt((expected.kurtosis - 1) / count)
  assert.ok(
    Math.abs(variance - expected.variance) <= allowedErrors * varianceError,
    `${what}: the variance is ${variance}, not ${expected.variance}`,
  )
  let distance = 0
  numbers.forEach((x, index) => {
    const probability = expected.cumulative(x)
    distance = Math.max(distance, (index + 1) / count - probability, probability - index / count)
  })
  // Exceeded by one true sample in ten thousand.
  assert.ok(distance <= 2.23 / Math.sqrt(count), `${what}: ${distance} from the distribution`)
}

/** Correlation of two samples. */
export function correlation(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const [a, b] = [left, right].map((data) => {
    const numbers = Float64Array.from(data)
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length
    return numbers.map((x) => x - mean)
  })
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, index) => sum + value * y[index], 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
