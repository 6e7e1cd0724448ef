/** The command line itself: help, version, flags, and what is said about wrong ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { talweg, temporaryFolder } from './support/talweg.js'

const folder = temporaryFolder('command')

test('--version prints the version, and answers at once', async () => {
  const { version } = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8')) as {
    version: string
  }
  const times: number[] = []
  for (let count = 0; count < 3; count++) {
    const start = performance.now()
    const { code, stdout } = await talweg(folder, '--version')
    times.push(performance.now() - start)
    assert.equal(code, 0)
    assert.equal(stdout, `${version}\n`)
  }
  assert(Math.min(...times) < 500, `it took ${times.join(', ')} ms`)
})

test('--help lists the commands; a command’s own lists its flags and the exit codes; no command is a wrong request', async () => {
  const general = await talweg(folder, '--help')
  assert.equal(general.code, 0)
  for (const name of ['train', 'sample', 'inspect', 'compare', 'doctor'])
    assert.match(general.stdout, new RegExp(`\\b${name}\\b`))
  const help = await talweg(folder, 'train', '--help')
  assert.equal(help.code, 0)
  for (const flag of ['--learning-rate', '--lr', '--batch-size', '--resume', '--set', '--settings', '--json', '143'])
    assert(help.stdout.includes(flag), flag)
  assert(!/\[(string|boolean|array)\]/.test(help.stdout), 'N, X and FILE say what a flag takes')
  const none = await talweg(folder)
  assert.equal(none.code, 2)
  assert.equal(none.stdout, '')
})

const wrong: readonly [what: string, args: readonly string[], message: RegExp][] = [
  ['an unknown command', ['trian', 'x.ts'], /no command "trian".*did you mean train/],
  ['a flag before the command', ['--steps', '3', 'train'], /no flag --steps before a command/],
  ['an unknown flag', ['train', 'x.ts', '--step', '3'], /no flag --step\..*did you mean --steps/],
  [
    'an unknown flag with a value',
    ['train', 'x.ts', '--leraning-rate=3'],
    /no flag --leraning-rate\..*--learning-rate/,
  ],
  ['an unknown short flag', ['train', 'x.ts', '-z'], /no flag -z/],
  [
    'text for a number',
    ['train', 'x.ts', '--steps', 'many'],
    /--steps is "many"; it takes a whole number of at least 1/,
  ],
  ['a fraction for a whole number', ['train', 'x.ts', '--steps', '1.5'], /--steps is "1.5"/],
  ['a negative rate', ['train', 'x.ts', '--lr=-1'], /--learning-rate is "-1"/],
  ['a flag without its value', ['train', 'x.ts', '--steps'], /--steps has no value/],
  ['another choice', ['train', 'x.ts', '--precision', 'f16'], /--precision is "f16"; it takes f32, bf16/],
  ['an engine with a slip', ['train', 'x.ts', '--engine', 'nativ'], /did you mean native/],
  ['a boolean that is neither', ['train', 'x.ts', '--resume=maybe'], /--resume is "maybe"; it takes true or false/],
  ['no file', ['train'], /FILE is missing/],
  ['two files', ['train', 'a.ts', 'b.ts'], /"b.ts" is one argument too many/],
  ['a range without its end', ['train', 'x.ts', '--elastic', '2'], /--elastic is "2"; it takes MIN:MAX/],
  [
    'more workers than may be',
    ['train', 'x.ts', '--workers=4', '--elastic=1:2'],
    /--workers is 4, and --elastic is 1:2/,
  ],
  ['an assignment without a value', ['train', 'x.ts', '--set', 'steps'], /key=value/],
  ['steps and epochs', ['train', 'x.ts', '--steps', '2', '--epochs', '1'], /both --steps and --epochs/],
]

for (const [index, [what, args, message]] of wrong.entries()) {
  const isJson = index % 2 === 1
  test(`${what}: exit code 2 and one message${isJson ? ', also with --json' : ''}`, async () => {
    const { code, stdout, stderr } = await talweg(folder, ...args, ...(isJson ? ['--json'] : []))
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, message)
    assert.equal(stderr.trim().split('\n').length, 1, stderr)
  })
}

test('doctor names each engine and launcher, whether it works, and what installs it', async () => {
  const { code, stdout } = await talweg(folder, 'doctor', '--json')
  assert.equal(code, 0)
  const found = JSON.parse(stdout) as Record<
    'engines' | 'launchers',
    { name: string; works: boolean; detail: string; install?: string }[]
  >
  assert.deepEqual(found.engines.map(({ name }) => name), ['native', 'portable', 'reference']) // prettier-ignore
  assert.deepEqual(found.launchers.map(({ name }) => name), ['mpirun', 'slurm', 'kubernetes']) // prettier-ignore
  assert.equal(found.engines.find(({ name }) => name === 'reference')?.works, true)
  for (const { works, detail, install, name } of [...found.engines, ...found.launchers]) {
    assert.notEqual(detail, '')
    if (!works && name !== 'portable' && name !== 'reference') assert.match(install ?? '', /\S/, name)
  }
})
