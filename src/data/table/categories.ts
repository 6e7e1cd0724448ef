/** The different texts in columns of categories, sorted. */
import { TalwegError } from '../../core/errors.js'
import type { TableDatabase } from './database.js'
import { query } from './describe.js'
import { relationOf, textOf, type FileForm } from './relation.js'

const numSampledRows = 20_480

/**
 * @returns for each column its texts, sorted by code unit
 * @throws INVALID_DATA where a column has more than `maxCategories`, as a column of names or numbers of things has
 */
export async function findCategories(
  database: TableDatabase,
  files: readonly FileForm[],
  names: readonly string[],
  options: { missingValues: readonly string[]; maxCategories: number },
): Promise<string[][]> {
  if (names.length === 0) return []
  const found = names.map(() => new Set<string>())
  for (const form of files) {
    // A sample first: a column of a million different texts is refused without gathering them.
    for (const limit of [`LIMIT ${numSampledRows}`, '']) {
      const rows = await distinctTexts(database, form, names, options.missingValues, limit)
      for (const [index, texts] of rows.entries()) {
        for (const text of texts) found[index].add(text)
        if (found[index].size > options.maxCategories)
          throw tooMany(form, names[index], found[index], options.maxCategories)
      }
    }
  }
  return found.map((texts) => [...texts].sort())
}

async function distinctTexts(
  database: TableDatabase,
  form: FileForm,
  names: readonly string[],
  missingValues: readonly string[],
  limit: string,
): Promise<string[][]> {
  const texts = names.map((name, index) => `${textOf(form, form.names.indexOf(name), missingValues)} AS text${index}`)
  const rows = `SELECT ${texts.join(', ')} FROM ${relationOf(form, new Set(), missingValues)} ${limit}`
  const lists = names.map((_, index) => `list(DISTINCT text${index}) FILTER (text${index} IS NOT NULL)`)
  const [found] = await query(database, form, `SELECT ${lists.join(', ')} FROM (${rows})`)
  return found.map((list) => (list ?? []) as string[])
}

function tooMany({ file }: FileForm, name: string, texts: ReadonlySet<string>, maxCategories: number): TalwegError {
  const [first, second] = texts
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'table',
    problem: `the column has more than ${maxCategories} different texts (${JSON.stringify(first)}, ${JSON.stringify(second)}, …), too many for categories`,
    hint: 'leave it out by exclude (--exclude), or raise maxCategories',
    place: { file: file.path, column: name },
  })
}
