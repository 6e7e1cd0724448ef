/** However a worker ends, all end, say why, and leave no process behind. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { lackingNative } from '../engines/support/native.js'
import { temporaryFolder } from '../support/folder.js'
import { lackingMpirun, startWorkers, type RunningWorkers } from './support/mpirun.js'

const skip = (await lackingNative()) ?? lackingMpirun ?? false

function start(ending: string, timeoutMs = 60_000): RunningWorkers {
  return startWorkers(3, 'endings.ts', [ending, `${timeoutMs}`])
}

async function assertGone(stdout: string): Promise<void> {
  const pids = [...stdout.matchAll(/is process (\d+)/g)].map(([, pid]) => Number(pid))
  assert.equal(pids.length, 3)
  const isThere = (pid: number): boolean => spawnSync('kill', ['-0', `${pid}`]).status === 0
  for (let tries = 0; tries < 100 && pids.some(isThere); tries++) await sleep(100)
  assert.deepEqual(pids.filter(isThere), [])
}

describe('workers', { skip }, () => {
  test('give each other bytes of any number, and end together', async () => {
    const { status, stdout, stderr } = await start('agreeing').ended
    assert.equal(status, 0, stderr)
    await assertGone(stdout)
  })

  test('of which one never joins do not wait for it without end', async () => {
    const { status, stdout, stderr } = await start('absent', 1500).ended
    assert.equal(status, 1)
    assert.match(stderr, /EXCHANGE_TIMEOUT: MPI: not all of 3 workers have started within 1\.5 s/)
    await assertGone(stdout)
  })

  test('that wait for one that never comes name it', async () => {
    const { status, stdout, stderr } = await start('silent', 1500).ended
    assert.equal(status, 1)
    assert.match(
      stderr,
      /EXCHANGE_TIMEOUT: exchange: allGather between workers: worker 2 on \S+ did not come within 1\.5 s/,
    )
    assert.doesNotMatch(stderr, /worker [01] on/)
    await assertGone(stdout)
  })

  test('that wait for one that is stopped name it', async () => {
    const running = start('looping', 1500)
    const line = await running.said('worker 2 is process')
    await Promise.all([0, 1, 2].map((rank) => running.said(`worker ${rank} has joined`)))
    process.kill(Number(/process (\d+)/.exec(line)![1]), 'SIGSTOP')
    const { status, stdout, stderr } = await running.ended
    assert.equal(status, 1)
    assert.match(stderr, /EXCHANGE_TIMEOUT: exchange: allGather between workers: worker 2 on/)
    await assertGone(stdout)
  })

  test('end when one is killed', async () => {
    const running = start('looping')
    const line = await running.said('worker 2 is process')
    await Promise.all([0, 1, 2].map((rank) => running.said(`worker ${rank} has joined`)))
    process.kill(Number(/process (\d+)/.exec(line)![1]), 'SIGKILL')
    const { status, stdout, stderr } = await running.ended
    assert.notEqual(status, 0)
    assert.match(stderr, /signal 9/)
    await assertGone(stdout)
  })

  test('end when one exits, throws or forgets to close', async () => {
    for (const ending of ['exiting', 'throwing', 'forgetful']) {
      const { status, stdout, stderr } = await start(ending).ended
      if (ending === 'exiting') assert.equal(status, 3)
      if (ending === 'throwing') assert.match(stderr, /worker 2: INTERNAL: endings: as it should be/)
      assert.notEqual(status, 0, ending)
      await assertGone(stdout)
    }
  })
})

describe('MPI', { skip: skip || process.platform !== 'linux' }, () => {
  const alone = (folder: string): string => {
    const worker = path.join(import.meta.dirname, 'workers/endings.ts')
    const env = { ...process.env, LD_LIBRARY_PATH: folder, OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '2' }
    const { status, stderr } = spawnSync(process.execPath, ['--import=tsx', worker, 'agreeing'], { env, encoding: 'utf8' }) // prettier-ignore
    assert.equal(status, 2, stderr)
    return stderr
  }

  test('that is not there is refused with the command that installs it', () => {
    const folder = temporaryFolder('mpi')
    writeFileSync(path.join(folder, 'libmpi.so.40'), 'no library')
    writeFileSync(path.join(folder, 'libmpi.so'), 'no library')
    assert.match(alone(folder), /MPI_UNAVAILABLE: MPI: MPI can't be opened .*apt-get install -y openmpi-bin/)
  })

  test('of another kind is refused by its name', () => {
    const folder = temporaryFolder('mpi')
    const source = path.join(folder, 'mpi.c')
    writeFileSync(source, '#include <string.h>\nint MPI_Get_library_version(char* t, int* n) { strcpy(t, "MPICH Version: 4.0"); *n = 18; return 0; }\n') // prettier-ignore
    const { status } = spawnSync('cc', ['-shared', '-fPIC', '-o', path.join(folder, 'libmpi.so.40'), source])
    assert.equal(status, 0)
    assert.match(alone(folder), /MPI_UNAVAILABLE: MPI: the MPI found here is MPICH Version: 4\.0, not Open MPI/)
  })

  test('that knows of fewer workers than the environment is refused', () => {
    const folder = temporaryFolder('mpi')
    assert.match(
      alone(folder),
      /WORLD_MISMATCH: MPI: the environment says worker 0 of 2, Open MPI \S+ says worker 0 of 1/,
    )
  })
})
