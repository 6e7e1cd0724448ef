/**
 * A table's design: how its columns become the numbers that a model sees. Made once from the training table, kept as JSON
 * with the run, and applied again, unchanged, to any table that predictions are wanted for.
 *
 * - A column of numbers or booleans is one feature.
 * - A column of categories is one feature a category but the first ("reference coding"), because with an intercept all
 *   of them together would be linearly dependent. Without an intercept the first such column keeps all its categories.
 * - Standardised features have mean 0 and standard deviation 1 over the training rows, indicators included. Without an
 *   intercept they are not centred, which would bring one in, but scaled to a root mean square of 1.
 */
import type { TableColumn } from './describe.js'
import type { ColumnSurvey } from './survey.js'

/** What to do about missing values; none given means that the first one is an error. */
export type MissingPolicy = 'error' | 'drop' | 'mean' | 'indicator'

export type InputDesign =
  | { readonly name: string; readonly kind: 'number' | 'boolean'; readonly fill: number | null }
  | {
      readonly name: string
      readonly kind: 'category'
      /** Sorted. */
      readonly categories: readonly string[]
      /** The category that a missing value is taken for. */
      readonly fill: number | null
    }

export interface FeatureDesign {
  /** `age`, `color=red`, `age:missing`. */
  readonly name: string
  /** Which input it comes from. */
  readonly input: number
  /** The number itself; 1 where it is missing, else 0; 1 where it is the category, else 0. */
  readonly role: 'value' | 'missing' | 'category'
  readonly category?: number
  /** The feature is (number - mean) / scale. */
  readonly mean: number
  readonly scale: number
}

export type TargetDesign =
  | {
      readonly name: string
      readonly task: 'regression'
      readonly kind: 'number' | 'boolean'
      /** Over the training rows, in the column's own units. */
      readonly mean: number
      readonly standardDeviation: number
      /** The number trained on is (target - offset) / scale. */
      readonly offset: number
      readonly scale: number
    }
  | {
      readonly name: string
      readonly task: 'classification'
      readonly kind: 'number' | 'boolean' | 'category'
      /** Sorted: class k is `classes[k]`. */
      readonly classes: readonly string[]
      /** The numbers that the classes are in the table, where it holds numbers. */
      readonly values: readonly number[] | null
    }

export interface TableDesign {
  readonly version: 1
  readonly inputs: readonly InputDesign[]
  /** The columns of the matrix, in order. */
  readonly features: readonly FeatureDesign[]
  readonly target: TargetDesign
  readonly missing: MissingPolicy
  readonly missingValues: readonly string[]
  readonly intercept: boolean
  readonly standardize: boolean
}

export interface FeatureOptions {
  readonly missing: MissingPolicy
  readonly intercept: boolean
  readonly standardize: boolean
}

/** The inputs and features for columns that were surveyed. */
export function designFeatures(
  columns: readonly TableColumn[],
  surveys: readonly ColumnSurvey[],
  options: FeatureOptions,
): Pick<TableDesign, 'inputs' | 'features'> {
  const inputs: InputDesign[] = []
  const features: FeatureDesign[] = []
  let keepsAll = !options.intercept
  for (const [input, column] of columns.entries()) {
    const survey = surveys[input]
    inputs.push(inputOf(column, survey, options.missing))
    if (column.kind === 'category') {
      features.push(...categoryFeatures(column.name, input, survey, keepsAll ? 0 : 1, options))
      keepsAll = false
    } else {
      features.push(valueFeature(column.name, input, survey, options))
    }
    if (options.missing === 'indicator' && survey.numMissing > 0) {
      const share = survey.numMissing / survey.numRows
      features.push({ name: `${column.name}:missing`, input, role: 'missing', ...indicatorScaling(share, options) })
    }
  }
  return { inputs, features }
}

function inputOf({ name, kind }: TableColumn, survey: ColumnSurvey, missing: MissingPolicy): InputDesign {
  const fills = missing === 'mean' || (missing === 'indicator' && survey.numMissing > 0)
  if (kind !== 'category')
    return { name, kind: kind === 'boolean' ? 'boolean' : 'number', fill: fills ? survey.mean : null }
  // A missing category with an indicator of its own is no other category as well.
  const fill = missing === 'mean' ? mostFrequent(survey) : null
  return { name, kind, categories: survey.categories, fill }
}

function mostFrequent({ categoryCounts }: ColumnSurvey): number {
  return categoryCounts.indexOf(Math.max(...categoryCounts))
}

function valueFeature(
  name: string,
  input: number,
  survey: ColumnSurvey,
  { intercept, standardize }: FeatureOptions,
): FeatureDesign {
  const plain = { name, input, role: 'value' as const, mean: 0, scale: 1 }
  if (!standardize) return plain
  const { mean, sumOfSquares, numRows, isConstant } = survey
  // Missing values stand at the mean: they add rows, but nothing to the squares about it.
  const variance = isConstant ? 0 : sumOfSquares / numRows
  const scale = Math.sqrt(intercept ? variance : variance + mean ** 2)
  return { ...plain, mean: intercept ? mean : 0, scale: scale > 0 ? scale : 1 }
}

function categoryFeatures(
  name: string,
  input: number,
  survey: ColumnSurvey,
  first: number,
  options: FeatureOptions,
): FeatureDesign[] {
  const { categories, categoryCounts, numMissing, numRows } = survey
  const filled = options.missing === 'mean' ? mostFrequent(survey) : -1
  return categories.slice(first).map((text, index) => {
    const category = first + index
    const share = (categoryCounts[category] + (category === filled ? numMissing : 0)) / numRows
    return { name: `${name}=${text}`, input, role: 'category', category, ...indicatorScaling(share, options) }
  })
}

/** For a feature that is 1 in this share of the rows and 0 elsewhere: variance p(1-p), mean square p. */
function indicatorScaling(share: number, { intercept, standardize }: FeatureOptions): { mean: number; scale: number } {
  if (!standardize) return { mean: 0, scale: 1 }
  const scale = Math.sqrt(intercept ? share * (1 - share) : share)
  return { mean: intercept ? share : 0, scale: scale > 0 ? scale : 1 }
}

/**
 * A linear model's weights in the units of the table's own columns, whatever standardisation did.
 *
 * With z = (x - m) / s and y = (t - o) / c trained on: t = o + c (b + Σ w z), so the weight of x is c w / s and the intercept
 * o + c (b - Σ w m / s).
 *
 * @param weights f64[features, outputs], row-major
 * @param intercepts f64[outputs]; zeros where there is none
 */
export function toTableUnits(
  { features, target }: TableDesign,
  weights: ArrayLike<number>,
  intercepts: ArrayLike<number>,
): { weights: Record<string, number[]>; intercepts: number[] } {
  const numOutputs = intercepts.length
  const { offset, scale } = target.task === 'regression' ? target : { offset: 0, scale: 1 }
  const own = Array.from(intercepts, (intercept) => offset + scale * intercept)
  const byName: Record<string, number[]> = {}
  for (const [index, feature] of features.entries()) {
    byName[feature.name] = own.map((_, output) => (scale * weights[index * numOutputs + output]) / feature.scale)
    for (let output = 0; output < numOutputs; output++) own[output] -= byName[feature.name][output] * feature.mean
  }
  return { weights: byName, intercepts: own }
}
