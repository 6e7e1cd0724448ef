import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { BatchReader, readInOrder } from '../../src/data/reader.js'
import type { DataSource, JsonValue } from '../../src/data/source.js'
import { table, type TableOptions } from '../../src/data/table.js'
import { describeTable } from '../../src/data/table/describe.js'
import { toTableUnits, type TableDesign } from '../../src/data/table/design.js'
import { prepareRows, restoreTableDesign } from '../../src/data/table/predict.js'
import type { FilePaths } from '../../src/data/files.js'
import { assertFails, rowsOf, temporaryFile, temporaryFolder, writeTable } from './support.js'

const plain = { target: 'y', standardize: false } as const

interface Rows {
  features: number[][]
  targets: number[]
}

async function rowsIn(source: DataSource | undefined): Promise<Rows> {
  const rows: Rows = { features: [], targets: [] }
  if (source === undefined) return rows
  for await (const { features, targets } of readInOrder(source, 7)) {
    rows.features.push(...rowsOf(features.data, features.shape[1]))
    rows.targets.push(...targets.data)
  }
  return rows
}

async function load(paths: FilePaths, options: TableOptions): Promise<Rows & { names: string[]; design: TableDesign }> {
  const source = await table(paths, options)
  return { ...(await rowsIn(source)), names: source.design.features.map(({ name }) => name), design: source.design }
}

function near(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6): void {
  assert.equal(found.length, expected.length)
  for (let index = 0; index < expected.length; index++) {
    assert.ok(
      Math.abs(found[index] - expected[index]) <= tolerance,
      `[${index}]: ${found[index]}, not ${expected[index]}`,
    )
  }
}

test('the same table in every format is the same matrix', async (t) => {
  const folder = temporaryFolder(t)
  const file = (name: string) => path.join(folder, name)
  const select = `SELECT * FROM (VALUES (1, 0.5, true, 'red', 10.25), (-2, 1e-3, false, 'blue', 11), (3, 7, true, 'red', -4)) v(a, b, c, color, y)`
  await writeTable(file('t.csv'), select)
  await writeTable(file('t.tsv'), select, `(DELIMITER '\t')`)
  await writeTable(file('semicolon.csv'), select, `(DELIMITER ';')`)
  await writeTable(file('t.csv.gz'), select)
  await writeTable(file('t.parquet'), select)
  await writeTable(file('t.jsonl'), select)
  await writeTable(file('t.json'), select, '(ARRAY true)')
  await writeTable(file('t.json.gz'), select)
  for (const name of readdirSync(folder)) {
    const { features, targets, names } = await load(file(name), plain)
    assert.deepEqual(names, ['a', 'b', 'c', 'color=red'], name)
    const small = Math.fround(1e-3)
    assert.deepEqual(
      features,
      [
        [1, 0.5, 1, 1],
        [-2, small, 0, 0],
        [3, 7, 1, 1],
      ],
      name,
    )
    assert.deepEqual(targets, [10.25, 11, -4], name)
  }
})

test('every numeric type of Parquet is a number, decimals and large integers too', async (t) => {
  const file = path.join(temporaryFolder(t), 'types.parquet')
  const columns = [
    'TINYINT',
    'USMALLINT',
    'INTEGER',
    'UBIGINT',
    'HUGEINT',
    'FLOAT',
    'DOUBLE',
    'DECIMAL(9,2)',
    'DECIMAL(30,3)',
    'BOOLEAN',
  ]
  const select = columns.map((type, index) => `unnest([1, 0, 1])::${type} AS c${index}`).join(', ')
  await writeTable(file, `SELECT ${select}, unnest([5, 6, 9]) AS y`)
  const { features } = await load(file, plain)
  assert.deepEqual(
    features,
    [1, 0, 1].map((value) => columns.map(() => value)),
  )
})

test('files of a pattern follow each other by name, their columns in any order', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(path.join(folder, 'part-b.csv'), 'y,x\n30,3\n')
  writeFileSync(path.join(folder, 'part-a.csv'), 'x,y\n1,10\n2,20\n')
  writeFileSync(path.join(folder, 'part-c.csv.gz'), gzipSync('x,y\n4,40\n'))
  const { features, targets } = await load(path.join(folder, 'part-*'), plain)
  assert.deepEqual(features, [[1], [2], [3], [4]])
  assert.deepEqual(targets, [10, 20, 30, 40])
})

test('names may hold anything: patterns in paths, quotes, line breaks and two cases in headers', async (t) => {
  const file = temporaryFile(t, "odd [1] * 'name'.csv", ` a ,A,"the ""y"", of\nrows"\n1,2,3\n4,5,7\n`)
  const { features, targets, names } = await load(file, { target: 'the "y", of\nrows', standardize: false })
  assert.deepEqual(names, ['a', 'A'])
  assert.deepEqual(features, [
    [1, 2],
    [4, 5],
  ])
  assert.deepEqual(targets, [3, 7])
  const json = temporaryFile(t, 'a.jsonl', `{"it's":1,"y":2}\n{"it's":2,"y":4}\n`)
  assert.deepEqual((await load(json, plain)).features, [[1], [2]])
})

test('a byte order mark, empty lines and Windows line ends are no data', async (t) => {
  const file = temporaryFile(t, 'a.csv', '\ufeff\r\nx,y\r\n1,2\r\n\r\n3,4\r\n\r\n')
  const { features, targets, names } = await load(file, plain)
  assert.deepEqual(names, ['x'])
  assert.deepEqual(
    [features, targets],
    [
      [[1], [3]],
      [2, 4],
    ],
  )
})

test('categories are sorted and coded against the first; without an intercept the first column keeps all', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'color,size,y\nred,L,1.5\nblue,S,2\ngreen,L,3\nblue,M,4\n')
  const coded = await load(file, plain)
  assert.deepEqual(coded.names, ['color=green', 'color=red', 'size=M', 'size=S'])
  assert.deepEqual(coded.features, [
    [0, 1, 0, 0],
    [0, 0, 0, 1],
    [1, 0, 0, 0],
    [0, 0, 1, 0],
  ])
  const all = await load(file, { ...plain, intercept: false })
  assert.deepEqual(all.names, ['color=blue', 'color=green', 'color=red', 'size=M', 'size=S'])
})

test('codes that mix letters and digits are categories, and numbers can be declared so', async (t) => {
  const mixed = temporaryFile(t, 'a.csv', 'flat,y\n1,5\nB2,6\nC3,7\n')
  assert.deepEqual((await load(mixed, plain)).names, ['flat=B2', 'flat=C3'])
  const zip = temporaryFile(t, 'a.csv', 'zip,y\n01234,5\n99999,6\n01234,7\n')
  assert.deepEqual((await load(zip, plain)).names, ['zip'])
  const declared = await load(zip, { ...plain, categorical: ['zip'] })
  assert.deepEqual(declared.names, ['zip=99999'])
  assert.deepEqual(declared.features, [[0], [1], [0]])
})

test('standardised features have mean 0 and deviation 1, also far from zero; constants stay', async (t) => {
  const values = Array.from({ length: 5000 }, (_, index) => 1.7e9 + ((index * 7919) % 1000) / 10)
  const lines = values.map((value, index) => `${value},${index % 3 === 0 ? 'a' : 'b'},4.5,${index}`)
  const file = temporaryFile(t, 'a.csv', `time,kind,same,y\n${lines.join('\n')}\n`)
  const { features, design } = await load(file, { target: 'y' })
  for (const feature of [0, 1]) {
    const column = features.map((row) => row[feature])
    const mean = column.reduce((sum, value) => sum + value, 0) / column.length
    const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length
    near([mean, variance], [0, 1], 1e-5)
  }
  assert.ok(features.every((row) => row[2] === 0))
  assert.equal(design.features[2].scale, 1)
  const mean = values.reduce((sum, value) => sum + (value - 1.7e9), 0) / values.length
  near([design.features[0].mean - 1.7e9], [mean])
})

test('without an intercept features are scaled and not centred', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'x,y\n3,1\n4,2.5\n')
  const { features, design } = await load(file, { target: 'y', intercept: false })
  const scale = Math.sqrt((9 + 16) / 2)
  near([design.features[0].mean, design.features[0].scale], [0, scale])
  near(features.flat(), [3 / scale, 4 / scale])
})

test('weights go back to the units of the columns', async (t) => {
  const lines = Array.from({ length: 50 }, (_, row) => {
    const [a, b] = [row * 10, (row * row) % 17]
    const red = row % 4 === 0
    return `${a},${b},${red ? 'red' : 'blue'},${3 + 0.5 * a - 2 * b + (red ? 10 : 0)}`
  })
  const file = temporaryFile(t, 'a.csv', `a,b,color,y\n${lines.join('\n')}\n`)
  const { features, targets, design } = await load(file, { target: 'y', standardizeTarget: true })
  assert.equal(design.target.task, 'regression')
  if (design.target.task !== 'regression') return
  // The exact weights of the standardised problem, from the known ones.
  const { scale, offset } = design.target
  const weights = [0.5, -2, 10].map((weight, index) => (weight * design.features[index].scale) / scale)
  for (const [row, target] of targets.entries()) {
    near([features[row].reduce((sum, value, index) => sum + value * weights[index], 0)], [target], 1e-5)
  }
  const own = toTableUnits(design, weights, [0])
  near([own.weights.a[0], own.weights.b[0], own.weights['color=red'][0], own.intercepts[0]], [0.5, -2, 10, 3], 1e-9)
  assert.ok(Math.abs(offset) > 0)
})

test('missing values: dropped, taken for the mean or most frequent, or said by an indicator', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'x,color,y\n1,red,1.5\n,red,2\n5,,3\n6,blue,4\n')
  const dropped = await table(file, { ...plain, missing: 'drop' })
  assert.equal(dropped.numDropped, 2)
  assert.deepEqual(await rowsIn(dropped), {
    features: [
      [1, 1],
      [6, 0],
    ],
    targets: [1.5, 4],
  })
  const mean = await load(file, { ...plain, missing: 'mean' })
  assert.deepEqual(mean.features, [
    [1, 1],
    [4, 1],
    [5, 1],
    [6, 0],
  ])
  const indicator = await load(file, { ...plain, missing: 'indicator' })
  assert.deepEqual(indicator.names, ['x', 'x:missing', 'color=red', 'color:missing'])
  assert.deepEqual(indicator.features, [
    [1, 0, 1, 0],
    [4, 1, 1, 0],
    [5, 0, 0, 1],
    [6, 0, 0, 0],
  ])
  const standardised = await load(file, { target: 'y', missing: 'mean' })
  // Filled, x is 1, 4, 5, 6: mean 4, variance 14/4.
  const deviation = Math.sqrt(14 / 4)
  near(
    standardised.features.map(([x]) => x),
    [-3 / deviation, 0, 1 / deviation, 2 / deviation],
  )
})

test('texts that mean missing are taken so in every format', async (t) => {
  const options = { ...plain, missing: 'mean', missingValues: ['NA', '-'] } as const
  for (const file of [
    temporaryFile(t, 'a.csv', 'x,y\n1,2\nNA,3\n-,4\n3,5\n'),
    temporaryFile(t, 'a.jsonl', '{"x":1,"y":2}\n{"x":"NA","y":3}\n{"x":"-","y":4}\n{"x":3,"y":5}\n'),
  ]) {
    assert.deepEqual((await load(file, options)).features, [[1], [2], [2], [3]])
  }
})

test('targets: text, booleans and 0/1 are classes, other numbers a quantity unless declared', async (t) => {
  const load1 = async (values: readonly string[], options: Partial<TableOptions> = {}) => {
    const lines = values.map((value, index) => `${index},${value}`)
    return table(temporaryFile(t, 'a.csv', `x,y\n${lines.join('\n')}\n`), { ...plain, ...options })
  }
  const text = await load1(['red', 'blue', 'red'])
  assert.deepEqual((await rowsIn(text)).targets, [1, 0, 1])
  assert.equal(text.element.targets.dtype, 'i32')
  assert.equal(text.numClasses, 2)
  assert.deepEqual(text.design.target.task === 'classification' && text.design.target.classes, ['blue', 'red'])
  const booleans = await load1(['true', 'false', 'true'])
  assert.deepEqual(booleans.design.target.task === 'classification' && booleans.design.target.classes, [
    'false',
    'true',
  ])
  assert.deepEqual((await rowsIn(booleans)).targets, [1, 0, 1])
  const binary = await load1(['1', '0', '1'])
  assert.equal(binary.numClasses, 2)
  const quantity = await load1(['1', '2', '3'])
  assert.equal(quantity.numClasses, undefined)
  assert.equal(quantity.element.targets.dtype, 'f32')
  const declared = await load1(['30', '7', '30', '-1'], { task: 'classification' })
  assert.deepEqual(declared.design.target.task === 'classification' && declared.design.target.classes, [
    '-1',
    '7',
    '30',
  ])
  assert.deepEqual((await rowsIn(declared)).targets, [2, 1, 2, 0])
  assert.equal((await load1(['1', '0', '1'], { task: 'regression' })).numClasses, undefined)
})

test('a fraction is held out: its rows are not in the means, and together the rows are the table', async (t) => {
  const lines = Array.from({ length: 200 }, (_, row) => `${row},${row + 0.5}`)
  const file = temporaryFile(t, 'a.csv', `x,y\n${lines.join('\n')}\n`)
  const source = await table(file, { ...plain, validation: 0.1 })
  const [training, validation] = [await rowsIn(source), await rowsIn(source.validation)]
  assert.equal(validation.features.length, 20)
  const all = [...training.features.flat(), ...validation.features.flat()].sort((a, b) => a - b)
  assert.deepEqual(
    all,
    Array.from({ length: 200 }, (_, row) => row),
  )
  for (const [index, [x]] of validation.features.entries()) assert.equal(validation.targets[index], x + 0.5)
  const { target } = source.design
  const mean = training.targets.reduce((sum, value) => sum + value, 0) / training.targets.length
  near([target.task === 'regression' ? target.mean : NaN], [mean])
})

test('held-out rows from another file use the training design', async (t) => {
  const file = temporaryFile(t, 'train.csv', 'x,color,y\n1,red,1.5\n3,blue,2\n')
  const other = temporaryFile(t, 'test.csv', 'color,y,x\nblue,9,2\n')
  const source = await table(file, { target: 'y', validation: other })
  assert.deepEqual(await rowsIn(source.validation), { features: [[0, -1]], targets: [9] })
  const unseen = temporaryFile(t, 'test.csv', 'color,y,x\nblue,9,2\npink,1,2\n')
  await assertFails('INVALID_DATA', ['"pink"', 'blue, red', 'test.csv', 'row 2', 'column "color"'], () =>
    table(file, { target: 'y', validation: unseen }),
  )
})

test('rows in a file are the rows in memory, in any order, and nothing is left behind', async (t) => {
  const cacheFolder = temporaryFolder(t)
  const lines = Array.from({ length: 5000 }, (_, row) => `${Math.sin(row)},${row % 7 === 0 ? 'a' : 'b'},${row % 5}`)
  const file = temporaryFile(t, 'a.csv', `x,kind,y\n${lines.join('\n')}\n`)
  for (const task of ['regression', 'classification'] as const) {
    const options = { target: 'y', task, validation: 0.2, cacheFolder }
    const inMemory = await table(file, options)
    const inFile = await table(file, { ...options, maxBytesInMemory: 1000 })
    assert.ok(inMemory.resident !== undefined && inFile.resident === undefined)
    assert.equal(inFile.fingerprint, inMemory.fingerprint)
    assert.deepEqual(await rowsIn(inFile), await rowsIn(inMemory))
    assert.deepEqual(await rowsIn(inFile.validation), await rowsIn(inMemory.validation))
    const readers = [inMemory, inFile].map((source) => new BatchReader(source, { seed: 3, batchSize: 64 }))
    for (let batch = 0; batch < 20; batch++) assert.deepEqual(readers[0].nextSync(), readers[1].nextSync())
    assert.deepEqual(readdirSync(path.join(cacheFolder, 'tables')), [])
    await inFile.close()
  }
})

test('another table is prepared by the design that a run folder kept', async (t) => {
  const file = temporaryFile(t, 'train.csv', 'x,color,y\n1,red,1.5\n3,blue,2\n5,red,4\n')
  const source = await table(file, { target: 'y' })
  const kept = JSON.parse(JSON.stringify(source.describe())) as JsonValue
  const design = restoreTableDesign(kept)
  const rows: number[][] = []
  for await (const { features, numRows } of prepareRows(file, design))
    rows.push(...rowsOf(features.subarray(0, 2 * numRows), 2))
  assert.deepEqual(rows, (await rowsIn(source)).features)
  const refuse = (content: string, parts: string[]) =>
    assertFails('INVALID_DATA', parts, async () => {
      for await (const rowsRead of prepareRows(temporaryFile(t, 'new.csv', content), design))
        assert.ok(rowsRead.numRows > 0)
    })
  await refuse('x,colour\n1,red\n', ['"color"', 'did you mean "colour"', 'new.csv'])
  await refuse('x,color\nlow,red\nhigh,red\n', ['holds text', 'held numbers', 'column "x"'])
  await refuse('x,color\n1,red\n2,green\n', ['"green"', 'row 2', 'column "color"'])
  await refuse('x,color\n1,red\n,red\n', ['missing', '--missing mean', 'row 2', 'column "x"'])
  await refuse('x,color\n,red\n,red\n', ['missing', 'row 1', 'column "x"'])
  await assertFails('INVALID_FILE', ['no design'], () => restoreTableDesign({ kind: 'arrays' }))
})

test('a design with means fills what is missing in another table, one with indicators only where it learnt to', async (t) => {
  const file = temporaryFile(t, 'train.csv', 'x,z,y\n1,2,1.5\n,4,2\n5,6,4\n')
  const other = temporaryFile(t, 'new.csv', 'x,z\n,8\n')
  const gap = temporaryFile(t, 'gap.csv', 'x,z\n1,\n')
  const prepared = async (missing: 'mean' | 'indicator', from: string) => {
    const { design } = await table(file, { ...plain, missing })
    for await (const { features } of prepareRows(from, design))
      return Array.from(features.subarray(0, design.features.length))
    return []
  }
  assert.deepEqual(await prepared('mean', other), [3, 8])
  assert.deepEqual(await prepared('mean', gap), [1, 4])
  assert.deepEqual(await prepared('indicator', other), [3, 1, 8])
  await assertFails('INVALID_DATA', ['missing', 'column "z"'], () => prepared('indicator', gap))
})

test('describing a table gives kinds, types and the number of rows', async (t) => {
  const file = temporaryFile(t, 'a.csv', 'n,b,c,d,e\n1,true,red,2024-01-01,\n2.5,FALSE,12 red,2024-02-01 10:00:00,\n')
  const { columns, numRows } = await describeTable(file)
  assert.equal(numRows, 2)
  assert.deepEqual(
    columns.map(({ name, kind }) => `${name} ${kind}`),
    ['n number', 'b boolean', 'c category', 'd date', 'e empty'],
  )
})

test('a column whose first values come late is judged by them', async (t) => {
  const lines = Array.from({ length: 25_000 }, (_, row) => `${row < 24_000 ? '' : row},${row}`)
  const file = temporaryFile(t, 'a.csv', `x,y\n${lines.join('\n')}\n`)
  const { columns } = await describeTable(file)
  assert.equal(columns[0].kind, 'number')
  const source = await table(file, { ...plain, missing: 'drop' })
  assert.equal(source.numSamples, 1000)
})

test('means and deviations are those of the whole column, over chunks and files', async (t) => {
  const folder = temporaryFolder(t)
  const select = (from: number, to: number) =>
    `SELECT i * 1.0 AS x, i % 11 AS z, i * 0.5 AS y FROM range(${from}, ${to}) r(i)`
  await writeTable(path.join(folder, 'a.parquet'), select(0, 7001), '(ROW_GROUP_SIZE 2048)')
  await writeTable(path.join(folder, 'b.parquet'), select(7001, 10_000))
  const { design, numSamples } = await table(path.join(folder, '*.parquet'), { target: 'y' })
  assert.equal(numSamples, 10_000)
  near([design.features[0].mean, design.features[0].scale], [4999.5, Math.sqrt((10_000 ** 2 - 1) / 12)], 1e-8)
})

test('the fingerprint follows the rows and the options', async (t) => {
  const a = temporaryFile(t, 'a.csv', 'x,y\n1,2\n3,4\n')
  const b = temporaryFile(t, 'b.csv', 'x,y\n1,2\n3,5\n')
  const print = async (file: string, options: Partial<TableOptions> = {}) =>
    (await table(file, { target: 'y', ...options })).fingerprint
  const prints = [
    await print(a),
    await print(b),
    await print(a, { standardize: false }),
    await print(a, { validation: 0.5 }),
  ]
  assert.equal(new Set(prints).size, 4)
  assert.equal(await print(a), prints[0])
})
