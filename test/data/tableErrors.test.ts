/** A table that can't be used is refused by one message that names file, row and column. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { table } from '../../src/data/table.js'
import { assertFails, temporaryFile, temporaryFolder, writeTable } from './support.js'

const target = { target: 'y' }

test('a missing target names the nearest column', async (t) => {
  const file = temporaryFile(t, 'houses.csv', 'area,rooms,price\n1,2,3\n')
  await assertFails(
    'INVALID_DATA',
    ['the target "prize"', 'area, rooms, price', 'did you mean "price"', 'houses.csv'],
    () => table(file, { target: 'prize' }),
  )
  await assertFails('INVALID_DATA', ['the feature "Room"', '"rooms"'], () =>
    table(file, { target: 'price', features: ['Room'] }),
  )
  await assertFails('INVALID_DATA', ['leave out', '"are"', '"area"'], () =>
    table(file, { target: 'price', exclude: ['are'] }),
  )
  await assertFails('INVALID_DATA', ['target is among the features'], () =>
    table(file, { target: 'price', features: ['area', 'price'] }),
  )
})

test('one text in a column of numbers names file, row, column and the text', async (t) => {
  for (const [content, row] of [
    ['x,y\n1,2\n3,4\nabc,6\n', 3],
    ['x,y\nabc,2\n3,4\n', 1],
    ['x,y\r\n1,2\r\n\r\nabc,4\r\n5,6\r\n', 2],
  ] as const) {
    const file = temporaryFile(t, 'a.csv', content)
    const error = await assertFails('INVALID_DATA', ['"abc" is no number', 'a.csv', 'column "x"'], () =>
      table(file, target),
    )
    assert.deepEqual(error.place, { file, row, column: 'x' })
    assert.equal(error.exitCode, 2)
  }
})

test('a text far behind the rows that the kinds are judged by is found, and so is one in the target', async (t) => {
  const lines = Array.from({ length: 30_000 }, (_, index) => `${index},${2 * index}`)
  lines[25_000] = '1.2.3,4'
  const inFeature = temporaryFile(t, 'long.csv', `x,y\n${lines.join('\n')}\n`)
  await assertFails('INVALID_DATA', ['"1.2.3"', 'row 25001', 'column "x"'], () => table(inFeature, target))
  lines[25_000] = '7,oops'
  const inTarget = temporaryFile(t, 'long.csv', `x,y\n${lines.join('\n')}\n`)
  await assertFails('INVALID_DATA', ['"oops"', 'row 25001', 'column "y"'], () => table(inTarget, target))
})

test('infinities, NaN and numbers beyond f32 are refused in every format', async (t) => {
  const folder = temporaryFolder(t)
  for (const [text, says] of [
    ['inf', 'not finite'],
    ['-Infinity', 'not finite'],
    ['nan', 'no number'],
    ['1e39', 'beyond the range of f32'],
  ] as const) {
    const csv = temporaryFile(t, 'a.csv', `x,y\n1,2\n3,4\n${text},5\n`)
    await assertFails('INVALID_DATA', [says, 'row 3', 'column "x"', 'a.csv'], () => table(csv, target))
    const parquet = path.join(folder, 'a.parquet')
    await writeTable(parquet, `SELECT unnest([1, 3, '${text}'::DOUBLE]) AS x, 1.5 AS y`)
    await assertFails('INVALID_DATA', [says, 'row 3', 'column "x"', 'a.parquet'], () => table(parquet, target))
  }
  const json = temporaryFile(t, 'a.jsonl', '{"x":1,"y":2}\n{"x":3,"y":1}\n{"x":"Infinity","y":2}\n')
  await assertFails('INVALID_DATA', ['"Infinity" is not finite', 'row 3', 'column "x"'], () => table(json, target))
  const text = temporaryFile(t, 'b.json', '[{"x":1,"y":2},{"x":"abc","y":1},{"x":2,"y":1}]')
  await assertFails('INVALID_DATA', ['"abc" is no number', 'row 2', 'column "x"'], () => table(text, target))
})

test('a missing value without a policy names its place, in every format', async (t) => {
  const hint = ['value is missing', '--missing drop, mean or indicator', 'row 2', 'column "x"']
  for (const file of [
    temporaryFile(t, 'a.csv', 'x,y\n1,2\n,4\n5,6\n'),
    temporaryFile(t, 'a.csv', 'x,y\n1,2\n"",4\n5,6\n'),
    temporaryFile(t, 'a.tsv', 'x\ty\n1\t2\n\t4\n5\t6\n'),
    temporaryFile(t, 'a.csv', 'x,y\nred,2\n,4\nblue,6\n'),
    temporaryFile(t, 'a.json', '[{"x":1,"y":2},{"x":null,"y":4},{"x":5,"y":6}]'),
    temporaryFile(t, 'a.jsonl', '{"x":1,"y":2}\n{"y":4}\n{"x":5,"y":6}\n'),
  ]) {
    await assertFails('INVALID_DATA', [...hint, path.basename(file)], () => table(file, target))
  }
  const parquet = path.join(temporaryFolder(t), 'a.parquet')
  await writeTable(parquet, 'SELECT unnest([1, NULL, 3]) AS x, 1.5 AS y')
  await assertFails('INVALID_DATA', hint, () => table(parquet, target))
})

test('a missing target is an error unless rows are dropped', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'x,y\n1,2\n3,\n5,6\n')
  for (const missing of ['error', 'mean', 'indicator'] as const) {
    await assertFails('INVALID_DATA', ['it is the target', '--missing drop', 'row 2', 'column "y"'], () =>
      table(file, { target: 'y', missing }),
    )
  }
  assert.equal((await table(file, { target: 'y', missing: 'drop' })).numSamples, 2)
})

test('placeholders for missing values are no numbers, and the hint says how to allow them', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'x,y\nNA,2\nNA,4\n5,6\n')
  await assertFails('INVALID_DATA', ['"NA" is no number', 'missingValues', 'row 1'], () => table(file, target))
  const allowed = await table(file, { target: 'y', missing: 'drop', missingValues: ['NA'] })
  assert.equal(allowed.numSamples, 1)
  assert.equal(allowed.numDropped, 2)
})

test('rows are counted as records, also where fields hold line breaks', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'note,x,y\n"one\ntwo\nthree",1,2\n"a ""b"", c",3,4\n"d\n",bad,6\n"d\n",7,6\n')
  await assertFails('INVALID_DATA', ['"bad"', 'row 3', 'column "x"'], () => table(file, target))
})

test('rows are counted file by file in a pattern', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(path.join(folder, 'part-1.csv'), 'x,y\n1,2\n3,4\n')
  writeFileSync(path.join(folder, 'part-2.csv'), 'y,x\n5,1\n6,2\n7,what\n')
  await assertFails('INVALID_DATA', ['part-2.csv', '"what"', 'row 3', 'column "x"'], () =>
    table(path.join(folder, 'part-*.csv'), target),
  )
})

test('rows of the wrong length, open quotes and stray text name their row', async (t) => {
  const refuse = (content: string, parts: string[]) =>
    assertFails('INVALID_DATA', ['a.csv', ...parts], () => table(temporaryFile(t, 'a.csv', content), target))
  await refuse('x,y\n1,2\n3\n', ['row 2', '1 fields', 'header has 2'])
  await refuse('x,y\n"1\n",2\n3,4,5\n', ['row 2', '3 fields'])
  await refuse('x,y\n1,2\n3,"4\n5,6\n', ['row 2', 'never closed'])
  await refuse('x,y\n1,2\n"3"4,5\n', ['row 2', 'closing quote'])
  await refuse('x,y\n1,2\n3\nabc,5\n', ['row 2', '1 fields'])
  const zipped = temporaryFile(t, 'a.csv.gz', gzipSync('x,y\n1,2\n3\n'))
  await assertFails('INVALID_DATA', ['row 2', '1 fields'], () => table(zipped, target))
})

test('headers that name no columns, or one twice, are refused', async (t) => {
  const refuse = (content: string, parts: string[]) =>
    assertFails('INVALID_DATA', ['a.csv', ...parts], () => table(temporaryFile(t, 'a.csv', content), target))
  await refuse('x,y,x\n1,2,3\n', ['columns 1 and 3 are both named "x"'])
  await refuse(',x,y\n0,1,2\n', ['column 1 has no name', 'index=False'])
  await refuse('1,2,3\n4,5,6\n', ['looks like numbers'])
  await refuse('\n\n\n', ['no header'])
})

test('empty files, files without rows and tables of one column are refused', async (t) => {
  await assertFails('INVALID_DATA', ['file is empty', 'a.csv'], () => table(temporaryFile(t, 'a.csv', ''), target))
  await assertFails('INVALID_DATA', ['no rows', 'a.csv'], () => table(temporaryFile(t, 'a.csv', 'x,y\n'), target))
  await assertFails('INVALID_DATA', ['no column beside'], () => table(temporaryFile(t, 'a.csv', 'y\n1\n'), target))
  await assertFails('INVALID_DATA', ['no record'], () => table(temporaryFile(t, 'a.json', '[]'), target))
  await assertFails('INVALID_DATA', ['no record'], () => table(temporaryFile(t, 'a.json', '[1,2]'), target))
  const parquet = path.join(temporaryFolder(t), 'none.parquet')
  await writeTable(parquet, 'SELECT 1 AS x, 2 AS y WHERE false')
  await assertFails('INVALID_DATA', ['no rows', 'none.parquet'], () => table(parquet, target))
  const gaps = temporaryFile(t, 'a.csv', 'x,z,y\n1,,2\n,3,4\n')
  await assertFails('INVALID_DATA', ['all 2 rows have a missing value'], () =>
    table(gaps, { target: 'y', missing: 'drop' }),
  )
})

test('missing files, folders and unknown formats are named', async (t) => {
  await assertFails('FILE_NOT_FOUND', ['"nowhere.csv"'], () => table('nowhere.csv', target))
  await assertFails('FILE_NOT_FOUND', ['no file matches', 'nowhere-*.csv'], () => table('nowhere-*.csv', target))
  const folder = temporaryFolder(t)
  mkdirSync(path.join(folder, 'a.csv'))
  await assertFails('INVALID_FILE', ['is a folder'], () => table(path.join(folder, 'a.csv'), target))
  await assertFails('INVALID_FILE', ['a.xlsx', '.csv, .tsv'], () => table(temporaryFile(t, 'a.xlsx', 'x'), target))
})

test('damaged files and other encodings are named', async (t) => {
  const parquet = temporaryFile(t, 'a.parquet', 'PAR1 and then nothing of use, PAR1')
  await assertFails('INVALID_FILE', ["can't be read", 'a.parquet'], () => table(parquet, target))
  const json = temporaryFile(t, 'a.jsonl', '{"x":1,"y":2}\n{"x":\n')
  await assertFails('INVALID_FILE', ["can't be read", 'a.jsonl'], () => table(json, target))
  const latin = temporaryFile(t, 'a.csv', Buffer.from('x,y\ncaf\xe9,2\n', 'latin1'))
  await assertFails('INVALID_FILE', ['UTF-8', 'a.csv'], () => table(latin, target))
  const zipped = gzipSync(`x,y\n${'1,2\n'.repeat(5000)}`)
  const flipped = zipped.with(zipped.length - 6, zipped[zipped.length - 6] ^ 1)
  for (const content of [zipped.subarray(0, zipped.length - 20), flipped]) {
    const damaged = temporaryFile(t, 'a.csv.gz', content)
    await assertFails('INVALID_FILE', ['gzip file is not whole', 'a.csv.gz'], () => table(damaged, target))
  }
})

test('columns that are no numbers and no categories are refused with a way out', async (t) => {
  const dates = temporaryFile(t, 'a.csv', 'day,x,y\n2024-01-01,1,2\n2024-01-02,3,4\n')
  await assertFails('INVALID_DATA', ['dates', 'exclude', 'column "day"'], () => table(dates, target))
  assert.equal((await table(dates, { target: 'y', exclude: ['day'] })).numSamples, 2)
  const nested = temporaryFile(t, 'a.jsonl', '{"x":{"a":1},"z":1,"y":2}\n{"x":{"a":2},"z":2,"y":3}\n')
  await assertFails('INVALID_DATA', ['lists or records', 'column "x"'], () => table(nested, target))
  const empty = temporaryFile(t, 'a.csv', 'x,z,y\n,1,2\n,3,4\n')
  await assertFails('INVALID_DATA', ['no values', 'column "x"'], () => table(empty, target))
  const names = Array.from({ length: 1200 }, (_, index) => `person ${index},${index},1`).join('\n')
  await assertFails('INVALID_DATA', ['more than 1000 different texts', 'column "name"'], () =>
    table(temporaryFile(t, 'a.csv', `name,x,y\n${names}\n`), target),
  )
  const one = temporaryFile(t, 'a.csv', 'x,y\nred,2\nred,4\n')
  await assertFails('INVALID_DATA', ['one and the same category'], () => table(one, target))
})

test('files of a pattern with other columns or other kinds are named', async (t) => {
  const folder = temporaryFolder(t)
  const write = (name: string, content: string) => writeFileSync(path.join(folder, name), content)
  const files = path.join(folder, '*.csv')
  write('a.csv', 'x,y\n1,2\n')
  write('b.csv', 'y\n2\n')
  await assertFails('INVALID_DATA', ['b.csv', 'lacks the column "x"'], () => table(files, target))
  write('b.csv', 'x,y,z\n1,2,3\n')
  await assertFails('INVALID_DATA', ['b.csv', 'column "z"', 'a.csv'], () => table(files, target))
  const parquets = [path.join(folder, '1.parquet'), path.join(folder, '2.parquet')]
  await writeTable(parquets[0], 'SELECT 1 AS x, 2 AS y')
  await writeTable(parquets[1], `SELECT 'one' AS x, 2 AS y`)
  await assertFails('INVALID_DATA', ['2.parquet', 'text here', 'numbers'], () => table(parquets, target))
})

test('a target that does not suit the task is refused', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'x,y\n1,red\n2,blue\n')
  await assertFails('INVALID_DATA', ['holds text', 'column "y"'], () =>
    table(file, { target: 'y', task: 'regression' }),
  )
  const many = Array.from({ length: 1500 }, (_, index) => `${index},${index / 7}`).join('\n')
  await assertFails('INVALID_DATA', ['too many for classes'], () =>
    table(temporaryFile(t, 'a.csv', `x,y\n${many}\n`), { target: 'y', task: 'classification' }),
  )
  const same = temporaryFile(t, 'a.csv', 'x,y\n1,red\n2,red\n')
  await assertFails('INVALID_DATA', ['the same in every row'], () => table(same, target))
})

test('nothing is written, whatever fails', async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'a.csv')
  writeFileSync(file, 'x,y\n1,2\nabc,3\n')
  const before = readdirSync('.').join()
  await assertFails('INVALID_DATA', ['"abc"'], () =>
    table(file, { target: 'y', cacheFolder: folder, maxBytesInMemory: 0 }),
  )
  assert.deepEqual(readdirSync(folder), ['a.csv'])
  assert.equal(readdirSync('.').join(), before)
})

test('the row of a fault is right whatever texts stand before it', async (t) => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', ' ', ',', '"', '\n', '\r\n', 'é', '🙂', ';'),
    maxLength: 12,
  })
  const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`
  const file = temporaryFile(t, 'a.csv', '')
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { minLength: 1, maxLength: 30 }),
      fc.nat(),
      fc.boolean(),
      async (texts, place, isRagged) => {
        const bad = place % texts.length
        const lines = texts.map(
          (value, row) => `${quoted(value)},${row === bad ? (isRagged ? '1,2' : 'bad') : row},${row}`,
        )
        // Enough numbers that the column is one of numbers.
        writeFileSync(file, `note,x,y\n${lines.join('\n')}\n${'z,1,2\n'.repeat(30)}`)
        const options = { target: 'y', features: ['x'] }
        const error = await assertFails('INVALID_DATA', [isRagged ? '4 fields' : '"bad"'], () => table(file, options))
        assert.equal(error.place?.row, bad + 1)
      },
    ),
    { numRuns: 40, seed: 7 },
  )
})
