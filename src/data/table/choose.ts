/** Which columns of a table are features and which is the target, and what the target is to be predicted as. */
import { TalwegError } from '../../core/errors.js'
import { nearest } from '../../core/nearest.js'
import { nameOfKind, type TableColumn, type TableDescription } from './describe.js'
import type { TargetDesign } from './design.js'
import { maxClasses, type ColumnSurvey, type TableSurvey } from './survey.js'

export type Task = 'auto' | 'regression' | 'classification'

export interface ColumnChoice {
  readonly target: string
  /** Default: all but the target and `exclude`. */
  readonly features?: readonly string[]
  readonly exclude?: readonly string[]
  /** Columns to take for categories though they look like numbers. */
  readonly categorical?: readonly string[]
}

/** @throws INVALID_DATA naming the column, and the nearest one where it doesn't exist */
export function chooseColumns(
  description: TableDescription,
  { target, features, exclude = [], categorical = [] }: ColumnChoice,
): { inputs: TableColumn[]; target: TableColumn } {
  const targetColumn = columnNamed(description, target, 'the target')
  for (const name of exclude) columnNamed(description, name, 'the column to leave out')
  for (const name of categorical) columnNamed(description, name, 'the column of categories')
  const names =
    features ?? description.columns.map(({ name }) => name).filter((name) => name !== target && !exclude.includes(name))
  const inputs = [...new Set(names)].map((name) => columnNamed(description, name, 'the feature'))
  const file = description.files[0].file.path
  const invalid = (problem: string, hint: string, column?: string) =>
    new TalwegError({ code: 'INVALID_DATA', operation: 'table', problem, hint, place: { file, column } })
  if (names.includes(target)) throw invalid('the target is among the features', 'leave it out of them', target)
  if (inputs.length === 0)
    throw invalid('there is no column beside the target to predict it from', 'give a table with at least one', target)
  if (description.columns.every(({ kind }) => kind === 'empty')) {
    throw invalid('there are no rows that hold a value', 'give a table with a header and at least one row')
  }
  for (const { name, kind } of [...inputs, targetColumn]) {
    if (kind === 'number' || kind === 'boolean' || kind === 'category') continue
    const leaveOut = name === target ? 'choose another target' : 'leave it out by exclude (--exclude)'
    const turn = kind === 'date' ? ', or turn it into numbers such as days since a date' : ''
    throw invalid(`the column holds ${nameOfKind[kind]}, which can't be trained on`, leaveOut + turn, name)
  }
  return { inputs, target: targetColumn }
}

function columnNamed({ columns, files }: TableDescription, name: string, what: string): TableColumn {
  const found = columns.find((column) => column.name === name)
  if (found !== undefined) return found
  throw unknownColumn(
    columns.map((column) => column.name),
    name,
    what,
    files[0].file.path,
  )
}

export function unknownColumn(names: readonly string[], name: string, what: string, file: string): TalwegError {
  const meant = nearest(name, names)
  const all = names.slice(0, 12).join(', ') + (names.length > 12 ? ', …' : '')
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: `${what} "${name}" is no column of the table, which has ${all}`,
    hint: meant === undefined ? undefined : `did you mean "${meant}"`,
    place: { file },
  })
}

/**
 * Text and booleans are classes; numbers are a quantity, unless they are all 0 or 1 or `task` says otherwise.
 *
 * @throws INVALID_DATA where the target doesn't allow the task
 */
export function designTarget(
  column: TableColumn,
  survey: ColumnSurvey,
  { targetValues }: TableSurvey,
  options: { task: Task; intercept: boolean; standardizeTarget: boolean; file: string },
): TargetDesign {
  const { name } = column
  const kind = column.kind === 'category' || column.kind === 'boolean' ? column.kind : 'number'
  const invalid = (problem: string, hint: string) =>
    new TalwegError({
      code: 'INVALID_DATA',
      operation: 'table',
      problem,
      hint,
      place: { file: options.file, column: name },
    })
  const isBinary = targetValues?.every((value) => value === 0 || value === 1) ?? false
  const isClasses = options.task === 'classification' || (options.task === 'auto' && (kind !== 'number' || isBinary))
  if (!isClasses) {
    if (kind === 'category')
      throw invalid('the target holds text, and regression predicts a number', 'use classification')
    return { name, task: 'regression', kind, ...scalingOf(survey, options) }
  }
  if (targetValues === undefined) {
    throw invalid(`the target has more than ${maxClasses} different values, too many for classes`, 'use regression')
  }
  if (targetValues.length < 2 && options.task === 'auto' && kind === 'number') {
    return { name, task: 'regression', kind, ...scalingOf(survey, options) }
  }
  if (targetValues.length < 2) throw invalid('the target is the same in every row', 'give rows of at least two classes')
  if (kind === 'category') return { name, task: 'classification', kind, classes: survey.categories, values: null }
  const classes = targetValues.map((value) => (kind === 'boolean' ? String(value === 1) : String(value)))
  return { name, task: 'classification', kind, classes, values: targetValues }
}

function scalingOf(
  { mean, sumOfSquares, numRows }: ColumnSurvey,
  { intercept, standardizeTarget }: { intercept: boolean; standardizeTarget: boolean },
): { mean: number; standardDeviation: number; offset: number; scale: number } {
  const variance = sumOfSquares / numRows
  const scale = standardizeTarget ? Math.sqrt(intercept ? variance : variance + mean ** 2) : 1
  const offset = standardizeTarget && intercept ? mean : 0
  return { mean, standardDeviation: Math.sqrt(variance), offset, scale: scale > 0 ? scale : 1 }
}
