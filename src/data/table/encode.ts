/** From a table's values to the matrix: a design applied to the rows of a chunk. */
import { invariant } from '../../core/errors.js'
import type { HostArray } from '../../core/dtype.js'
import type { FeatureDesign, TableDesign, TargetDesign } from './design.js'
import { missing } from './rows.js'

/** Where rows are written: feature f of row r goes to `data[(firstRow + r) * stride + f]`. */
export interface RowPlace {
  readonly data: Float32Array
  readonly stride: number
  readonly firstRow: number
}

/**
 * Writes the features of the rows `selected[0 … count)`.
 *
 * @param columns the values of the design's inputs, in its order
 */
export function encodeFeatures(
  { features, inputs }: TableDesign,
  columns: readonly Float64Array[],
  selected: Int32Array,
  count: number,
  into: RowPlace,
): void {
  for (const [index, feature] of features.entries()) {
    encodeFeature(feature, inputs[feature.input].fill ?? NaN, columns[feature.input], selected, count, into, index)
  }
}

function encodeFeature(
  feature: FeatureDesign,
  fill: number,
  values: Float64Array,
  selected: Int32Array,
  count: number,
  { data, stride, firstRow }: RowPlace,
  index: number,
): void {
  const { role, category, mean, scale } = feature
  const zero = (0 - mean) / scale
  const one = (1 - mean) / scale
  let place = firstRow * stride + index
  for (let row = 0; row < count; row++, place += stride) {
    const value = values[selected[row]]
    if (role === 'missing') data[place] = value === missing ? one : zero
    else if (role === 'value') data[place] = ((value === missing ? fill : value) - mean) / scale
    else data[place] = (value === missing ? fill : value) === category ? one : zero
  }
}

/** Writes the targets: numbers for regression, class numbers for classification. */
export function encodeTargets(
  target: TargetDesign,
  values: Float64Array,
  selected: Int32Array,
  count: number,
  into: HostArray,
  firstRow: number,
): void {
  if (target.task === 'regression') {
    for (let row = 0; row < count; row++) into[firstRow + row] = (values[selected[row]] - target.offset) / target.scale
    return
  }
  const classOf = target.values === null ? undefined : new Map(target.values.map((value, index) => [value, index]))
  for (let row = 0; row < count; row++) {
    const value = values[selected[row]]
    const label = classOf === undefined ? value : classOf.get(value)
    invariant(label !== undefined, `class ${value} is known`)
    into[firstRow + row] = label
  }
}
