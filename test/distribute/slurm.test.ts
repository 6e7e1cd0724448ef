/** `talweg launch slurm` with a real Slurm: a job that is requeued half way ends with the bits of a run that never was. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { start, talweg, temporaryFolder, tinyTraining, writeFiles } from '../cli/support/talweg.js'
import { startSlurm, whyNoSlurm } from './support/slurm.js'

const folder = temporaryFolder('slurm')
const args = ['--steps=200000', '--checkpoint-every=1000', '--set=reportEvery=10000', '--set=validateEvery=100000'] as const // prettier-ignore

async function waitFor(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (holds()) return
    await sleep(100)
  }
  assert.fail(`it never came: ${what}`)
}

test('a job goes on after scontrol requeue, to the same bits', { skip: whyNoSlurm() ?? false }, async () => {
  writeFiles(folder, { 'tiny.ts': tinyTraining })
  const whole = await talweg(folder, 'train', 'tiny.ts', '--run=whole', ...args)
  assert.equal(whole.code, 0, whole.stderr)
  const slurm = await startSlurm(path.join(folder, 'cluster'))
  try {
    const submitted = await start(folder, ['launch', 'slurm', 'tiny.ts', '--run=job', '--json', ...args], slurm.env)
      .finished
    assert.equal(submitted.code, 0, submitted.stderr)
    const { job } = JSON.parse(submitted.stdout) as { job: string }
    const log = path.join(folder, 'job/slurm.log')
    const logText = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '')
    await waitFor('its first report', () => logText().includes('step 10000,'))
    slurm.call('scontrol', 'requeue', job)
    const state = (): string => slurm.call('squeue', '-h', '-j', job, '-o', '%T').trim()
    await waitFor('its place in the queue', () => state() === 'PENDING')
    // Slurm lets a requeued job wait for two minutes.
    slurm.call('scontrol', 'update', `JobId=${job}`, 'StartTime=now')
    await waitFor('its end', () => logText().includes('done, step 200000'))
    // Slurm's own process of the job stays behind where the daemons are gone before it has told them.
    await waitFor('its leaving the queue', () => state() === '')
    assert.match(logText(), /going on after step \d+ of 200000/)
  } finally {
    await slurm.stop()
  }
  for (const name of ['model.safetensors', 'optimizer.safetensors', 'manifest.json']) {
    const read = (run: string): Buffer => readFileSync(path.join(folder, run, 'checkpoints/step-00200000', name))
    assert(read('job').equals(read('whole')), `${name} has the bits of the run that was never requeued`)
  }
})

test('--dry-run prints the batch script and submits nothing', async () => {
  writeFiles(folder, { 'tiny.ts': tinyTraining })
  const { code, stdout } = await talweg(folder, 'launch', 'slurm', 'tiny.ts', '--run=dry', '--workers=4', '--cores-per-worker=2', '--option=--time=1:00', '--dry-run') // prettier-ignore
  assert.equal(code, 0)
  for (const line of ['--ntasks=4', '--cpus-per-task=2', '--requeue', '--signal=B:USR2@60', '--time=1:00'])
    assert(stdout.includes(`#SBATCH ${line}\n`), `${line} in ${stdout}`)
  assert.match(stdout, /train \S*tiny\.ts --workers=4 --run=\S*dry --resume &/)
  assert(!existsSync(path.join(folder, 'dry')))
})

test('without Slurm, and for another scheduler, what is wrong is said', async () => {
  writeFiles(folder, { 'tiny.ts': tinyTraining })
  const missing = await start(folder, ['launch', 'slurm', 'tiny.ts', '--run=none'], { PATH: folder }).finished
  assert.equal(missing.code, 2)
  assert.match(missing.stderr, /there is no sbatch on the PATH\. Hint: .*slurm-client/)
  const other = await talweg(folder, 'launch', 'condor', 'tiny.ts')
  assert.equal(other.code, 2)
  assert.match(other.stderr, /there is no scheduler "condor"/)
})
