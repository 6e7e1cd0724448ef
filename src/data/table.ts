/**
 * Tables: CSV, TSV, Parquet and JSON, in one file or many, as samples `{ features: f32[features], targets }`.
 *
 * Two passes over the rows, each streamed: a survey (how many, means, categories), from which the design follows, and
 * the load, which applies it. Memory is the prepared rows plus a fixed amount; where the rows don't fit, they go to a file.
 */
import os from 'node:os'
import path from 'node:path'
import { TalwegError } from '../core/errors.js'
import { resolveCacheFolder } from './cacheFolder.js'
import type { FilePath, FilePaths } from './files.js'
import { fingerprintFiles } from './fingerprint.js'
import { ValidationSplit } from './split.js'
import { findCategories } from './table/categories.js'
import { chooseColumns, designTarget, type ColumnChoice, type Task } from './table/choose.js'
import { withDatabase, type TableDatabase } from './table/database.js'
import { countRows, describe, type TableColumn } from './table/describe.js'
import { designFeatures, type MissingPolicy, type TableDesign } from './table/design.js'
import { loadRows, type LoadedRows } from './table/load.js'
import { matchTable } from './table/match.js'
import type { FileForm } from './table/relation.js'
import type { ReadColumn } from './table/rows.js'
import { surveyRows, type TableSurvey } from './table/survey.js'
import { TableSource } from './table/tableSource.js'
import { checkTableOptions } from './table/options.js'

export interface TableOptions extends ColumnChoice {
  /**
   * What to do about missing values in features: `drop` the row; take the column's `mean` (the most frequent category);
   * or that and a feature that says so (`indicator`; for categories, one more category). Default `error`.
   */
  readonly missing?: MissingPolicy
  /** Texts that mean a missing value, beside the empty field and null. Default none. */
  readonly missingValues?: readonly string[]
  /** The most categories that a column may have. Default 1,000. */
  readonly maxCategories?: number
  /** Features with mean 0 and standard deviation 1. Default true. */
  readonly standardize?: boolean
  /** Targets so too, for regression. Default false. */
  readonly standardizeTarget?: boolean
  /** Whether the model has an intercept, which decides how categories are coded. Default true. */
  readonly intercept?: boolean
  /** Default `auto`: text, booleans, and numbers that are all 0 or 1 are classes, other numbers a quantity. */
  readonly task?: Task
  /** Held-out rows: a fraction, or another table. */
  readonly validation?: number | FilePath
  /** Prepared rows larger than this go to a file. Default: half of the memory that is free to this process. */
  readonly maxBytesInMemory?: number
  /** Where that file goes; see `resolveCacheFolder`. */
  readonly cacheFolder?: string
}

/**
 * Samples `{ features: f32[features], targets: f32[] }`, or `targets: i32[]` for classes, from a table.
 *
 * @param paths a file, a pattern such as `part-*.parquet`, or several, whose rows follow each other
 * @example
 * await data.table('houses.csv', { target: 'price', missing: 'mean', validation: 0.1 })
 * @throws FILE_NOT_FOUND, INVALID_FILE, INVALID_DATA naming file, row and column
 */
export async function table(paths: FilePaths, options: TableOptions): Promise<TableSource> {
  checkTableOptions(options)
  return withDatabase(async (database) => {
    const { validation = 0, missingValues = [] } = options
    const description = await describe(database, paths, { categorical: options.categorical, missingValues })
    const chosen = chooseColumns(description, options)
    const split = new ValidationSplit(typeof validation === 'number' ? validation : 0)
    const { design, survey } = await makeDesign(database, description.files, chosen, split, options)
    const heldOutFiles =
      typeof validation === 'number' ? undefined : (await matchTable(database, validation, design, true)).files
    const numFeatures = design.features.length
    const rowBytes = 4 * (numFeatures + 1)
    const { maxBytesInMemory = freeBytes() / 2 } = options
    const isLarge = (survey.numTrainingRows + survey.numValidationRows) * rowBytes > maxBytesInMemory
    const folder = isLarge ? path.join(resolveCacheFolder(options.cacheFolder), 'tables') : undefined
    const loaded = await loadRows(database, description.files, design, { ...survey, split, folder })
    const heldOut =
      heldOutFiles === undefined ? loaded.validation : await loadAll(database, heldOutFiles, design, folder)
    const files = [...description.files, ...(heldOutFiles ?? [])].map(({ file }) => file.path)
    const identity = fingerprintFiles(files)
    const validationSource = heldOut.numRows === 0 ? undefined : new TableSource(heldOut, design, identity)
    return new TableSource(loaded.training, design, identity, validationSource, survey.numDropped)
  })
}

async function makeDesign(
  database: TableDatabase,
  files: readonly FileForm[],
  { inputs, target }: { inputs: readonly TableColumn[]; target: TableColumn },
  split: ValidationSplit,
  options: TableOptions,
): Promise<{ design: TableDesign; survey: TableSurvey }> {
  const { missing = 'error', missingValues = [], maxCategories = 1000, task = 'auto' } = options
  const { intercept = true, standardize = true, standardizeTarget = false } = options
  const columns = [...inputs, target]
  const texts = columns.filter(({ kind }) => kind === 'category').map(({ name }) => name)
  const categories = await findCategories(database, files, texts, { missingValues, maxCategories })
  const read = columns.map((column): ReadColumn => {
    const { name, kind } = column
    const isTarget = column === target
    if (kind === 'category') return { name, kind, categories: categories[texts.indexOf(name)], isTarget }
    return { name, kind: kind === 'boolean' ? 'boolean' : 'number', isTarget }
  })
  const survey = await surveyRows(database, files, read, { missing, missingValues, split })
  const features = designFeatures(inputs, survey.columns, { missing, intercept, standardize })
  const [{ file }] = files
  if (features.features.length === 0) throw noFeatures(file.path)
  const targetDesign = designTarget(target, survey.columns[inputs.length], survey, {
    task,
    intercept,
    standardizeTarget,
    file: file.path,
  })
  return {
    design: { version: 1, ...features, target: targetDesign, missing, missingValues, intercept, standardize },
    survey,
  }
}

function noFeatures(file: string): TalwegError {
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: 'the columns beside the target hold one and the same category in every row',
    hint: 'give a column that differs between rows',
    place: { file },
  })
}

/** All rows of a held-out table. */
async function loadAll(
  database: TableDatabase,
  files: readonly FileForm[],
  design: TableDesign,
  folder: string | undefined,
): Promise<LoadedRows> {
  const numTrainingRows = await countRows(database, files)
  const options = { split: new ValidationSplit(0), numTrainingRows, numValidationRows: 0, folder }
  const { training } = await loadRows(database, files, design, options)
  return training
}

/** What is free on the machine, or in the container that the process is held to. */
function freeBytes(): number {
  const limit = process.constrainedMemory()
  const free = os.freemem()
  return limit > 0 ? Math.min(free, Math.max(0, limit - process.memoryUsage.rss())) : free
}
