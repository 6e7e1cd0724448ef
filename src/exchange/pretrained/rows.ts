/**
 * Names and layouts, ours and theirs. A family has a table of rows; each says of which of Talweg's parameters a tensor of
 * theirs is made and how it lies. `{}` stands for a number that both names have, such as a layer's, and `{+1}` in theirs for one
 * that is counted from 1 there. Reading and writing both go by the same rows.
 */
import { invariant, TalwegError } from '../../core/errors.js'
import type { Shape } from '../../core/shape.js'
import type { AnyParameter, Module } from '../../nn/index.js'
import { theirShape, type Layout } from './layout.js'

/** Parts that may be made anew when a model is loaded for another task. */
export type Part = 'classifier' | 'pooler'

export interface Row {
  readonly theirs: string
  /** One parameter, or several that lie in theirs side by side (along the last dimension of ours). */
  readonly ours: string | readonly string[]
  readonly layout?: Layout
  readonly part?: Part
}

/** A row applied to one place of a model. */
export interface Pairing {
  /** Name and shape in their files. */
  readonly theirs: string
  readonly shape: Shape
  readonly layout: Layout
  readonly part: Part | undefined
  readonly ours: readonly { readonly path: string; readonly parameter: AnyParameter }[]
}

/**
 * Every tensor that the files of a model have. Rows for parts that the model has not (a head of its own, biases) stand for
 * nothing; but each parameter must be in one, apart from LoRA's.
 *
 * @throws INVALID_SETTING where one is not
 */
export function pairUp(model: Module, rows: readonly Row[]): Pairing[] {
  const parameters = new Map([...model.namedParameters()].filter(([path]) => !isOfAdapter(path)))
  const left = new Set(parameters.keys())
  const pairings = rows.flatMap((row) => pairRow(row, parameters))
  for (const { theirs, ours } of pairings) {
    for (const { path } of ours) invariant(left.delete(path), `${path} is in one row of its family's table (${theirs})`)
  }
  if (left.size === 0) return pairings
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'pretrained',
    problem: `${[...left].join(', ')} of ${model.constructor.name} has no place in files of its family`,
    hint: 'save a model of nn itself, or export yours as ONNX',
  })
}

/** What LoRA has put beside a weight, with which it is merged when it is written. */
function isOfAdapter(path: string): boolean {
  return /\.adapter\.(down|up)$/.test(path)
}

function pairRow(
  { theirs, ours, layout = 'same', part }: Row,
  parameters: ReadonlyMap<string, AnyParameter>,
): Pairing[] {
  const patterns = [ours].flat()
  const first = new RegExp(`^${patterns[0].replaceAll('.', '\\.').replaceAll('{}', '(\\d+)')}$`)
  return Array.from(parameters.keys()).flatMap((found): Pairing[] => {
    const match = first.exec(found)
    if (match === null) return []
    const numbers = match.slice(1)
    const parts = patterns.map((pattern) => {
      const path = fill(pattern, numbers)
      const parameter = parameters.get(path)
      invariant(parameter !== undefined, `a model with ${found} has ${path}`)
      return { path, parameter }
    })
    const { shape } = parts[0].parameter.type
    const width = parts.reduce((sum, { parameter }) => sum + parameter.type.shape[shape.length - 1], 0)
    const joined = parts.length === 1 ? shape : [...shape.slice(0, -1), width]
    return [{ theirs: fill(theirs, numbers), shape: theirShape(joined, layout), layout, part, ours: parts }]
  })
}

/** Puts the numbers in place of `{}` and `{+1}`, in order. */
function fill(pattern: string, numbers: readonly string[]): string {
  let next = 0
  return pattern.replaceAll(/\{(?:\+(\d+))?\}/g, (_, more: string | undefined) =>
    String(Number(numbers[next++]) + Number(more ?? 0)),
  )
}

/** Rows of a layer that has a weight and a bias, both by the same names; a bias that a model lacks stands for nothing. */
export function affine(theirs: string, ours: string, layout: Layout = 'transposed'): Row[] {
  return [
    { theirs: `${theirs}.weight`, ours: `${ours}.weight`, layout },
    { theirs: `${theirs}.bias`, ours: `${ours}.bias` },
  ]
}
