/**
 * A wrong shape is a compile error, and its message says why: the TypeScript compiler is run over snippets as a user
 * would write them. `shapes.ts` is compiled along: it holds what must compile, and what must not, side by side.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'

const root = path.resolve(import.meta.dirname, '../..')

const preamble = `import { ops, type Tensor } from '${root}/src/index.js'
declare const x: Tensor<[number, 256]>
declare const wrong: Tensor<[512, 10]>
declare const right: Tensor<[256, 10]>
declare const bias: Tensor<[12]>
declare const unknown: Tensor
`

const numPreambleLines = preamble.split('\n').length - 1

/** Each snippet's one wrong line comes last. */
const refused: Readonly<Record<string, readonly [line: string, message: RegExp]>> = {
  'a product by method': ['x.matmul(wrong)', /inner dimensions differ: 256 and 512/],
  'a product by function': ['ops.matmul(x, wrong)', /inner dimensions differ: 256 and 512/],
  'a product of a product': ['x.matmul(right).matmul(right)', /inner dimensions differ: 10 and 256/],
  'a sum': ['x.matmul(right).add(bias)', /sizes differ: 10 and 12/],
  'a sum by function': ['ops.add(ops.matmul(x, right), bias)', /sizes differ: 10 and 12/],
}

const accepted: Readonly<Record<string, string>> = {
  'a product that fits': 'x.matmul(right).tanh()',
  'a product with a tensor of unknown rank': 'x.matmul(unknown).matmul(right)',
  'a sum that is broadcast': 'x.matmul(right).add(1).multiply(unknown)',
}

const folder = mkdtempSync(path.join(tmpdir(), 'talweg-types-'))
const shapesFile = path.join(root, 'test/types/shapes.ts')
let output = ''

function fileOf(what: string): string {
  return `${what.replaceAll(' ', '-')}.ts`
}

before(() => {
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
  const lines = [...Object.entries(refused).map(([what, [line]]) => [what, line]), ...Object.entries(accepted)]
  for (const [what, line] of lines) writeFileSync(path.join(folder, fileOf(what)), preamble + line + '\n')
  const files = [...lines.map(([what]) => fileOf(what)), shapesFile]
  const typeRoots = [path.join(root, 'node_modules/@types')]
  const compilerOptions = { noUnusedLocals: false, noEmit: true, typeRoots }
  writeFileSync(
    path.join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: path.join(root, 'tsconfig.json'), compilerOptions, include: [], files }),
  )
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' })
  assert.equal(stderr, '')
  output = stdout
})

after(() => rmSync(folder, { recursive: true }))

/** What the compiler says about a file: its first lines, and those that are indented under them. */
function diagnostics(file: string): string[] {
  return output.split(/\n(?=\S)/).filter((message) => message.includes(`${file}(`))
}

for (const [what, [, pattern]] of Object.entries(refused)) {
  test(`${what} of unlike sizes does not compile, and the message gives both`, () => {
    const messages = diagnostics(fileOf(what))
    assert.equal(messages.length, 1, output)
    assert.match(messages[0], pattern)
    assert.match(messages[0], new RegExp(`\\(${numPreambleLines + 1},`))
  })
}

for (const what of Object.keys(accepted)) {
  test(`${what} compiles`, () => assert.deepEqual(diagnostics(fileOf(what)), []))
}

test('every expectation in shapes.ts holds', () => assert.deepEqual(diagnostics(path.basename(shapesFile)), []))
