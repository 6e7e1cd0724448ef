/**
 * Faults: stopped, killed, damaged, without space. Whatever happens, a resumed run ends with the bits of one that never
 * stopped, and what was saved before stays whole.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { listCheckpoints, loadNewestWhole, verifyCheckpoint } from '../../src/train/checkpoint/index.js'
import {
  linesOf,
  start,
  talweg,
  temporaryFolder,
  tinyTraining,
  writeFiles,
  type Finished,
} from '../cli/support/talweg.js'

const folder = temporaryFolder('faults')
const steps = 3000
const last = 'checkpoints/step-00003000'
const args = [
  `--steps=${steps}`,
  '--checkpoint-every=50',
  '--keep=4',
  '--set=reportEvery=60',
  '--set=validateEvery=600',
] as const

before(async () => {
  writeFiles(folder, { 'tiny.ts': tinyTraining })
  const { code, stderr } = await talweg(folder, 'train', 'tiny.ts', '--run=whole', ...args)
  assert.equal(code, 0, stderr)
})

/** Random moments that are the same in every run of the tests. */
function moments(seed: number): () => number {
  let state = seed
  return () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31
}

/** Every file of the last checkpoint, and every report apart from what the clock has measured. */
function assertSameEnd(run: string): void {
  for (const name of ['model.safetensors', 'optimizer.safetensors', 'manifest.json']) {
    const read = (of: string): Buffer => readFileSync(path.join(folder, of, last, name))
    assert(read(run).equals(read('whole')), `${name} of ${run} has the bits of the run that never stopped`)
  }
  const reports = (of: string): unknown[] => {
    const lines = linesOf({ stdout: readFileSync(path.join(folder, of, 'metrics.jsonl'), 'utf8') } as Finished)
    return lines.map(({ secondsElapsed: _seconds, samplesPerSecond: _rate, ...report }) => report)
  }
  assert.deepEqual(reports(run), reports('whole'))
}

async function assertAllWhole(run: string): Promise<void> {
  for (const { folder: checkpoint } of await listCheckpoints(path.join(folder, run, 'checkpoints'))) {
    assert(!('damage' in (await verifyCheckpoint(checkpoint))), `${checkpoint} is whole`)
  }
}

/** Runs, interrupting with a signal after a random while, until the training is done. */
async function runInterrupted(
  run: string,
  signal: NodeJS.Signals,
  code: number | string,
  random: () => number,
): Promise<number> {
  let numStops = 0
  for (let attempt = 0; ; attempt++) {
    const resume = existsSync(path.join(folder, run, 'training.json')) ? ['--resume'] : []
    const running = start(folder, ['train', 'tiny.ts', `--run=${run}`, '--json', ...args, ...resume])
    if (attempt < 4) {
      // Some stops come before the first step, most of them while it trains.
      if (random() < 0.75) await running.until(/"step":|parameters, /)
      await new Promise((resolve) => setTimeout(resolve, 120 * random()))
      running.process.kill(signal)
    }
    const finished = await running.finished
    await assertAllWhole(run)
    if (finished.code === 0) return numStops
    numStops++
    assert([code, signal].includes(finished.code), `exit code ${finished.code}: ${finished.stderr}`)
  }
}

test('killed at random moments and resumed: the bits of a run that never stopped', async () => {
  const numStops = await runInterrupted('killed', 'SIGKILL', 'SIGKILL', moments(1))
  assert(numStops >= 2, `it was killed ${numStops} times`)
  assertSameEnd('killed')
})

test('stopped by SIGTERM at random moments and resumed: the bits of a run that never stopped', async () => {
  const numStops = await runInterrupted('stopped', 'SIGTERM', 143, moments(2))
  assert(numStops >= 2, `it was stopped ${numStops} times`)
  assertSameEnd('stopped')
})

test('SIGTERM, SIGINT and preemption save a checkpoint and have exit codes of their own', async () => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGUSR2', 75],
  ] as const) {
    const run = `by-${signal}`
    const running = start(folder, [
      'train',
      'tiny.ts',
      `--run=${run}`,
      '--json',
      '--steps=1000000',
      '--checkpoint-every=1000000',
      '--set=validateEvery=1000000',
    ])
    await running.until('"step":')
    running.process.kill(signal)
    const finished = await running.finished
    assert.equal(finished.code, code, finished.stderr)
    assert.match(finished.stderr, new RegExp(`go on with --run ${run} --resume`))
    const checkpoints = await listCheckpoints(path.join(folder, run, 'checkpoints'))
    assert.equal(checkpoints.length, 1)
    assert(checkpoints[0].step > 0)
    assert(!existsSync(path.join(folder, run, '.lock')))
  }
})

test('a second Ctrl-C stops at once, while the first one waits for data', async () => {
  const slow = tinyTraining.replace('data: () => data.arrays({ x, y }, { validation: 0.25 })', `data: () => {
    const source = data.arrays({ x, y })
    const { element, numSamples, fingerprint } = source
    const gather: typeof source.gather = async (indices, into) => {
      await new Promise((resolve) => setTimeout(resolve, 60_000))
      await source.gather(indices, into)
    }
    return { element, numSamples, fingerprint, gather, describe: () => source.describe(), close: async () => {} }
  }`) // prettier-ignore
  writeFiles(folder, { 'slow.ts': slow })
  const running = start(folder, ['train', 'slow.ts', '--run=slow'])
  await running.until('41 parameters')
  running.process.kill('SIGINT')
  await running.until('again to stop at once')
  const begin = performance.now()
  running.process.kill('SIGINT')
  assert.equal((await running.finished).code, 130)
  assert(performance.now() - begin < 5_000)
})

test('a flipped byte in the newest checkpoint is found, and the one before is gone on from, to the same bits', async () => {
  const half = await talweg(folder, 'train', 'tiny.ts', '--run=flipped', ...args, '--budget-seconds=0.02')
  assert.equal(half.code, 6, half.stderr)
  await talweg(folder, 'train', 'tiny.ts', '--run=flipped', '--resume', '--budget-seconds=0.3')
  const checkpoints = await listCheckpoints(path.join(folder, 'flipped/checkpoints'))
  assert(checkpoints.length >= 2)
  const file = path.join(checkpoints.at(-1)!.folder, 'model.safetensors')
  const bytes = readFileSync(file)
  bytes[bytes.length - 5] ^= 0x10
  writeFileSync(file, bytes)
  const resumed = await talweg(folder, 'train', 'tiny.ts', '--run=flipped', '--resume', '--budget-seconds=1000')
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.match(resumed.stderr, new RegExp(`${checkpoints.at(-1)!.name} is damaged \\(model.safetensors`))
  assert.match(resumed.stderr, new RegExp(`going on after step ${checkpoints.at(-2)!.step} `))
  assertSameEnd('flipped')
})

test('with every checkpoint damaged the run is not begun anew unasked', async () => {
  await talweg(folder, 'train', 'tiny.ts', '--run=ruined', '--steps=40', '--checkpoint-every=10')
  for (const { folder: checkpoint } of await listCheckpoints(path.join(folder, 'ruined/checkpoints'))) {
    writeFileSync(path.join(checkpoint, 'optimizer.safetensors'), 'gone')
  }
  const { code, stderr } = await talweg(folder, 'train', 'tiny.ts', '--run=ruined', '--resume')
  assert.equal(code, 1)
  assert.match(stderr, /none of the 3 checkpoints is whole/)
})

test('resuming on other data, with another seed or another model is refused; a longer training is gone on with', async () => {
  const run = '--run=resumed'
  assert.equal((await talweg(folder, 'train', 'tiny.ts', run, '--steps=10')).code, 0)
  writeFiles(folder, {
    'other-data.ts': tinyTraining.replace('(i % 7) / 7', '(i % 5) / 5'),
    'other-model.ts': tinyTraining.replace('hidden: [8]', 'hidden: [9]'),
  })
  for (const [file, extra, message] of [
    ['other-data.ts', [], /the data is not the data/],
    ['other-model.ts', [], /layers\.0\.weight is f32\[3,8\] in the checkpoint and f32\[3,9\] in this training/],
    ['tiny.ts', ['--seed=4'], /seed is 4, and the run was begun with 3/],
  ] as const) {
    const { code, stderr } = await talweg(folder, 'train', file, run, '--resume', ...extra)
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
  }
  const longer = await talweg(folder, 'train', 'tiny.ts', run, '--resume', '--steps=20', '--json')
  assert.equal(longer.code, 0, longer.stderr)
  assert.match(longer.stderr, /warning: steps is 20 from here on/)
  assert.equal(linesOf(longer).at(-1)?.step, 20)
})

test('two processes do not write one run', async () => {
  const first = start(folder, [
    'train',
    'tiny.ts',
    '--run=shared',
    '--steps=1000000',
    '--json',
    '--set=validateEvery=1000000',
  ])
  await first.until('"step":')
  const second = await talweg(folder, 'train', 'tiny.ts', '--run=shared', '--resume')
  assert.equal(second.code, 2, second.stderr)
  assert.match(second.stderr, /this run is being written by process \d+/)
  first.process.kill('SIGTERM')
  assert.equal((await first.finished).code, 143)
})

/** A file system of that size, or why there can't be one. */
function mountSmall(target: string, sizeBytes: number): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root can mount a small disk'
  mkdirSync(target)
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', target], {
    encoding: 'utf8',
  })
  if (status !== 0) return `a small disk can't be mounted: ${error?.message ?? stderr}`
  after(() => spawnSync('umount', ['-l', target]))
  return undefined
}

test('a full disk ends the run with a clear error, the last good checkpoint whole', async (context) => {
  const disk = path.join(folder, 'disk')
  const reason = mountSmall(disk, 600_000)
  if (reason !== undefined) return context.skip(reason)
  writeFiles(folder, { 'wide.ts': tinyTraining.replace('hidden: [8]', 'hidden: [4000]') })
  const { code, stderr } = await talweg(
    folder,
    'train',
    'wide.ts',
    '--run=disk/run',
    '--steps=1000',
    '--checkpoint-every=10',
    '--keep=5',
  )
  assert.equal(code, 1, stderr)
  assert.match(stderr, /no space is left to write "disk\/run\/.*\(ENOSPC\).*Hint: /)
  const checkpoints = path.join(disk, 'run/checkpoints')
  assert.deepEqual(readdirSync(checkpoints).filter((name) => name.includes('writing')), []) // prettier-ignore
  const kept = await loadNewestWhole(checkpoints, (message) => assert.fail(message))
  assert(kept !== undefined && kept.manifest.step > 0)
  rmSync(path.join(disk, 'run/metrics.jsonl'))
})
