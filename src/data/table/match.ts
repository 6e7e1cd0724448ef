/** Another table for a design made from the training table: the same columns, of the same kinds. */
import { TalwegError } from '../../core/errors.js'
import type { FilePaths } from '../files.js'
import { unknownColumn } from './choose.js'
import type { TableDatabase } from './database.js'
import { describe, nameOfKind, type ColumnKind, type TableDescription } from './describe.js'
import type { TableDesign } from './design.js'

/**
 * The description of a table that has the columns of a design. Others that it has are left alone.
 *
 * @param withTarget whether it must have the target too
 * @throws INVALID_DATA naming the file and the column that is missing or of another kind
 */
export async function matchTable(
  database: TableDatabase,
  paths: FilePaths,
  design: TableDesign,
  withTarget: boolean,
): Promise<TableDescription> {
  const { inputs, target, missingValues } = design
  const wanted: { name: string; kind: ColumnKind }[] = withTarget ? [...inputs, target] : [...inputs]
  const categorical = wanted.filter(({ kind }) => kind === 'category').map(({ name }) => name)
  const description = await describe(database, paths, { categorical, missingValues })
  const [{ file }] = description.files
  for (const { name, kind } of wanted) {
    const column = description.columns.find((other) => other.name === name)
    const names = description.columns.map((other) => other.name)
    if (column === undefined) throw unknownColumn(names, name, 'the column that the model needs', file.path)
    // Without a value it is of any kind; whether values may be missing is seen when its rows are read.
    if (column.kind === kind || column.kind === 'empty') continue
    throw new TalwegError({
      code: 'INVALID_DATA',
      operation: 'table',
      problem: `the column holds ${nameOfKind[column.kind]}, and held ${nameOfKind[kind]} in training`,
      hint: 'give a table of the same form as the one trained on',
      place: { file: file.path, column: name },
    })
  }
  return description
}
