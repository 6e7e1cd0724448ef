/** The bench's arithmetic and the form of what it prints. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkAgreement, largestDifference, trailingMeans, type LossAt } from '../../bench/run/agreement.js'
import { barsOf } from '../../bench/run/bars.js'
import { readOptions } from '../../bench/run/options.js'
import { formatLine, formatTable } from '../../bench/run/report.js'
import { mergeResults, type KeptResult } from '../../bench/run/resultFile.js'
import { median, pairwise, type SystemResult } from '../../bench/run/statistics.js'
import { systemsOf } from '../../bench/run/systems.js'

test('the median of an even number of values is the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([4, 1, 10, 2]), 3)
})

test('ratios are taken pair by pair, not of the medians', () => {
  const talweg = [1, 2, 4]
  const { secondsPerStep, ratio } = pairwise([3, 2, 6], talweg)
  assert.deepEqual(secondsPerStep, { median: 3, minimum: 2 })
  assert.deepEqual(ratio, { median: 1.5, minimum: 1, maximum: 3 })
})

const result: SystemResult = {
  case: 'gpt-1m',
  precision: 'bf16',
  system: 'torch-eager',
  secondsPerStep: { median: 0.0125, minimum: 0.012 },
  ratio: { median: 2.5, minimum: 2.25, maximum: 3 },
  firstStepSeconds: 1.5,
  peakMemoryBytes: 400e6,
}

test('a line of JSON has these names, in this order', () => {
  assert.equal(
    formatLine(result),
    '{"case":"gpt-1m","precision":"bf16","system":"torch-eager","secondsPerStep":{"median":0.0125,"minimum":0.012},' +
      '"ratio":{"median":2.5,"minimum":2.25,"maximum":3},"firstStepSeconds":1.5,"peakMemoryBytes":400000000}',
  )
})

test('the table shows times in a unit that suits them, and nothing where nothing was measured', () => {
  const [, row, short] = formatTable([
    result,
    { ...result, secondsPerStep: { median: 2.5e-7, minimum: 2e-7 }, firstStepSeconds: null, peakMemoryBytes: null },
  ]).split('\n')
  assert.match(row, /^gpt-1m +bf16 +torch-eager +12\.50 ms +12\.00 ms +2\.50 +2\.25 – 3\.00 +1\.500 s +400 MB$/)
  assert.match(short, /^gpt-1m +bf16 +torch-eager +250 ns +200 ns +2\.50 +2\.25 – 3\.00$/)
})

test('losses are compared at the steps that both systems tell', () => {
  const every: LossAt[] = [1, 2, 3, 4, 5].map((step) => [step, 10 - step])
  assert.deepEqual(largestDifference([[1, 9], [5, 5]], every), { step: 1, part: 0 }) // prettier-ignore
  const { step, part } = largestDifference([[1, 9], [5, 5.5]], every) // prettier-ignore
  assert.equal(step, 5)
  assert.ok(Math.abs(part - 0.5 / 5.5) < 1e-12)
})

test('in bf16 curves are compared: one batch may differ where the mean over ten steps does not', () => {
  assert.deepEqual(trailingMeans([[1, 2], [2, 4], [3, 9]], 2), [[1, 2], [2, 3], [3, 6.5]]) // prettier-ignore
  const flat: LossAt[] = Array.from({ length: 30 }, (_, index) => [index + 1, 3])
  const bumped: LossAt[] = flat.map(([step, loss]) => [step, step === 22 ? loss * 1.05 : loss])
  assert.ok(checkAgreement('case', 'peer', flat, bumped, 'bf16') < 6e-3)
  assert.throws(() => checkAgreement('case', 'peer', flat, bumped, 'f32'), /at step 22/)
  const drifted: LossAt[] = flat.map(([step, loss]) => [step, step > 12 ? loss * 1.02 : loss])
  assert.throws(() => checkAgreement('case', 'peer', flat, drifted, 'bf16'), /differ by 2\.0e-2/)
})

test('a system that computes something else fails the case, and so does one that tells nothing to compare', () => {
  const losses: LossAt[] = [[1, 4], [2, 3]] // prettier-ignore
  assert.ok(checkAgreement('case', 'peer', losses, [[2, 3.0001]], 'f32') < 1e-4)
  assert.throws(() => checkAgreement('case', 'peer', losses, [[2, 3.01]], 'f32'), /at step 2 .* differ by 3\.3e-3/)
  assert.ok(checkAgreement('case', 'peer', losses, [[2, 3.01]], 'bf16') > 1e-3)
  assert.throws(() => checkAgreement('case', 'peer', losses, [[2, NaN]], 'bf16'), /does not compute the same/)
  assert.throws(() => checkAgreement('case', 'peer', losses, [[3, 1]], 'f32'), /tells no loss/)
})

test('a case measured again takes the place of what was kept of it', () => {
  const kept = (system: string, date: string): KeptResult => ({
    ...result,
    system,
    version: null,
    date,
    commit: 'abc',
    threads: 2,
    pairs: 7,
    coreLatencyNanoseconds: [26, 26],
  })
  const merged = mergeResults([kept('talweg', 'old'), kept('jax', 'old')], [kept('jax', 'new'), kept('tfjs', 'new')])
  assert.deepEqual(
    merged.map(({ system, date }) => `${system} ${date}`),
    ['talweg old', 'jax new', 'tfjs new'],
  )
})

test('the beginning of a name chooses cases, and a peer is chosen with all its forms', () => {
  const names = (...args: string[]): string[] => readOptions(args).cases.map(({ name }) => name)
  assert.deepEqual(names('mlp'), ['mlp-32', 'mlp-128', 'mlp-1024'])
  assert.deepEqual(names('gpt-1m', 'startup'), ['gpt-1m', 'startup-version', 'startup-first-step'])
  const [example] = readOptions(['gpt-10m']).cases
  const systems = (precision: 'f32' | 'bf16', peers?: string[]): string[] =>
    systemsOf(example, precision, peers).map(({ name }) => name)
  assert.deepEqual(systems('f32', ['torch']), ['torch-eager', 'torch-compile'])
  assert.deepEqual(systems('f32', ['torch-eager', 'jax']), ['torch-eager', 'jax'])
  assert.ok(systems('f32').includes('tfjs') && !systems('bf16').includes('tfjs'))
})

test('a case, a peer or a number that makes no sense is refused', () => {
  assert.throws(() => readOptions([]), /no case is named/)
  assert.throws(() => readOptions(['gpt-1']), /there is no case "gpt-1"/)
  assert.throws(() => readOptions(['mlp', '--peers', 'torch,theano']), /there is no peer "theano"/)
  assert.throws(() => readOptions(['mlp', '--pairs', '0']), /--pairs is 0/)
})

test('the picture shows the fastest form of each peer', () => {
  const shown = (system: string, median: number): SystemResult => ({
    ...result,
    system,
    ratio: { median, minimum: median, maximum: median },
  })
  const bars = barsOf([shown('talweg', 1), shown('torch-eager', 1.5), shown('torch-compile', 1.25), shown('jax-js', 9)])
  assert.deepEqual(
    bars.map(({ group, system, label }) => `${group}: ${system} ${label}`),
    ['gpt-1m, bf16: Talweg 12.5 ms', 'gpt-1m, bf16: PyTorch 1.25×', 'gpt-1m, bf16: jax-js 9.00×'],
  )
})
