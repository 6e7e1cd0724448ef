/**
 * The supervisor, over two workers of which one is killed, stopped, or loses mpirun: the run goes on by itself to the bits of one that
 * nothing happened to, and no process is left whatever ends.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { descendantsOf, isRunning, type ProcessIdentity } from '../../src/distribute/supervise/processes.js'
import { start, talweg, temporaryFolder, tinyTraining, writeFiles, type Running } from '../cli/support/talweg.js'

const hasMpirun = spawnSync('mpirun', ['--version']).status === 0
const skip = hasMpirun ? false : 'Open MPI is not installed'
const folder = temporaryFolder('supervisor')
const last = 'checkpoints/step-00040000'
const args = ['--steps=40000', '--shards=2', '--checkpoint-every=1000', '--set=reportEvery=4000', '--set=validateEvery=20000'] as const // prettier-ignore
const supervised = ['--workers=2', '--max-restarts=2', '--exchange-timeout=3'] as const

before(async () => {
  writeFiles(folder, { 'tiny.ts': tinyTraining })
  const { code, stderr } = await talweg(folder, 'train', 'tiny.ts', '--run=whole', ...args)
  assert.equal(code, 0, stderr)
})

function assertSameEnd(run: string): void {
  for (const name of ['model.safetensors', 'optimizer.safetensors', 'manifest.json']) {
    const read = (of: string): Buffer => readFileSync(path.join(folder, of, last, name))
    assert(read(run).equals(read('whole')), `${name} of ${run} has the bits of the run that nothing happened to`)
  }
}

/** Starts a supervised training and waits for its first report; gives its mpirun and its worker. */
async function startTraining(
  run: string,
): Promise<{ running: Running; mpirun: ProcessIdentity; worker: ProcessIdentity }> {
  const running = start(folder, ['train', 'tiny.ts', `--run=${run}`, ...args, ...supervised])
  await running.until('step 4000,')
  const [mpirun, worker] = descendantsOf(running.process.pid ?? 0)
  return { running, mpirun, worker }
}

async function assertGone(processes: readonly ProcessIdentity[]): Promise<void> {
  for (let tries = 0; tries < 200 && processes.some(isRunning); tries++) await sleep(50)
  assert.deepEqual(processes.filter(isRunning), [])
}

const faults = [
  { what: 'a killed worker', of: 'worker', signal: 'SIGKILL', says: /worker \d on host \S+ was killed by signal 9 \(SIGKILL\) after step \d+; the likely cause is that memory ran out/ }, // prettier-ignore
  { what: 'a worker that hangs', of: 'worker', signal: 'SIGSTOP', says: /(was not heard for|did not come within) 3 s/ },
  { what: 'a killed mpirun', of: 'mpirun', signal: 'SIGKILL', says: /mpirun was ended by SIGKILL/ },
] as const
for (const { what, of, signal, says } of faults) {
  test(`${what} is noticed, and the run ends with the same bits`, { skip }, async () => {
    const run = what.replaceAll(' ', '-')
    const { running, ...found } = await startTraining(run)
    process.kill(found[of].pid, signal)
    const { code, stderr } = await running.finished
    assert.equal(code, 0, stderr)
    assert.match(stderr, says)
    assert.match(stderr, /restart 1 of 2/)
    assertSameEnd(run)
    await assertGone([found.mpirun, found.worker])
  })
}

test('a supervisor that is killed leaves nothing behind', { skip }, async () => {
  const { running, mpirun, worker } = await startTraining('orphans')
  running.process.kill('SIGKILL')
  assert.equal((await running.finished).code, 'SIGKILL')
  await assertGone([mpirun, worker])
})

test('a signal stops the worker with a checkpoint, from which the run goes on to the same bits', { skip }, async () => {
  const { running, mpirun, worker } = await startTraining('stopped')
  running.process.kill('SIGTERM')
  const { code, stderr } = await running.finished
  assert.equal(code, 143, stderr)
  await assertGone([mpirun, worker])
  const resumed = await talweg(folder, 'train', 'tiny.ts', '--run=stopped', '--resume', ...args)
  assert.equal(resumed.code, 0, resumed.stderr)
  assertSameEnd('stopped')
})

test('a worker that is lost more often than is allowed ends the run with code 5', { skip }, async () => {
  const running = start(folder, ['train', 'tiny.ts', '--run=lost', ...args, '--workers=2', '--max-restarts=0'])
  await running.until('step 4000,')
  const [, worker] = descendantsOf(running.process.pid ?? 0)
  process.kill(worker.pid, 'SIGKILL')
  const { code, stderr } = await running.finished
  assert.equal(code, 5, stderr)
  assert.match(stderr, /no restart is allowed/)
})

test("a worker's error is the command's, with its exit code", { skip }, async () => {
  const { code, stderr } = await talweg(folder, 'train', 'missing.ts', '--run=none', ...supervised)
  assert.equal(code, 2)
  assert.equal(stderr, 'train: there is no file "missing.ts". At missing.ts\n')
})

test('without Open MPI the command that installs it is given', async () => {
  const { code, stderr } = await start(folder, ['train', 'tiny.ts', '--workers=2'], { PATH: folder }).finished
  assert.equal(code, 2)
  assert.match(stderr, /several workers need Open MPI, and there is no mpirun on the PATH\. Hint: .*openmpi/)
})
