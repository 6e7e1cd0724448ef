/** Which of how many workers a process is, by what launchers leave in the environment. */
import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { readWorld } from '../../src/distribute/world.js'

const openMpi = {
  OMPI_COMM_WORLD_RANK: '3',
  OMPI_COMM_WORLD_SIZE: '4',
  OMPI_COMM_WORLD_LOCAL_RANK: '1',
  OMPI_COMM_WORLD_LOCAL_SIZE: '2',
}
const srun = {
  SLURM_STEP_ID: '0',
  SLURM_PROCID: '5',
  SLURM_LOCALID: '1',
  SLURM_NODEID: '2',
  SLURM_STEP_NUM_TASKS: '7',
  SLURM_STEP_TASKS_PER_NODE: '2(x3),1',
  PMIX_RANK: '5',
}
const host = hostname()

test('without a launcher there is one worker', () => {
  assert.deepEqual(readWorld({}), { rank: 0, size: 1, localRank: 0, localSize: 1, source: 'no launcher', host })
  assert.equal(readWorld({}, { size: 4 }).size, 1, 'a number of workers alone makes no worker of this process')
})

test('RANK and WORLD_SIZE, Open MPI and Slurm are read', () => {
  const variables = { RANK: '1', WORLD_SIZE: '8', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '4' }
  assert.deepEqual(readWorld(variables), { rank: 1, size: 8, localRank: 1, localSize: 4, source: 'RANK and WORLD_SIZE', host }) // prettier-ignore
  assert.deepEqual(readWorld(openMpi), { rank: 3, size: 4, localRank: 1, localSize: 2, source: 'Open MPI', host })
  assert.deepEqual(readWorld(srun), { rank: 5, size: 7, localRank: 1, localSize: 2, source: 'Slurm', host })
  assert.equal(readWorld({ ...srun, SLURM_NODEID: '3' }).localSize, 1)
})

test('flags come first, then RANK and WORLD_SIZE, then the launcher', () => {
  const agreeing = { ...openMpi, RANK: '3', WORLD_SIZE: '4' }
  assert.equal(readWorld(agreeing).source, 'RANK and WORLD_SIZE')
  assert.equal(readWorld(agreeing).localRank, 1, 'what only the launcher says is taken from it')
  assert.equal(readWorld(agreeing, { rank: 3, size: 4 }).source, 'the command line')
})

test("a batch script's own Slurm variables make no worker of it", () => {
  const { SLURM_STEP_ID: _id, ...batch } = srun
  assert.equal(readWorld(batch).size, 1)
  assert.equal(readWorld({ ...srun, SLURM_STEP_ID: 'batch' }).size, 1)
})

test('under mpirun in an allocation, what Slurm says of the daemons is not read', () => {
  assert.equal(readWorld({ ...srun, ...openMpi }).source, 'Open MPI')
})

const refusals: readonly (readonly [what: string, run: () => unknown, message: RegExp])[] = [
  ['sizes', () => readWorld({ ...openMpi, RANK: '3', WORLD_SIZE: '5' }), /number of workers is 5 by RANK and WORLD_SIZE and 4 by Open MPI/], // prettier-ignore
  ['ranks', () => readWorld({ ...openMpi, RANK: '2', WORLD_SIZE: '4' }), /number is 2 by RANK and WORLD_SIZE and 3 by Open MPI/], // prettier-ignore
  ['a flag', () => readWorld(openMpi, { size: 2 }), /number of workers is 2 by the command line and 4 by Open MPI/],
  ['srun', () => readWorld({ ...srun, RANK: '5', WORLD_SIZE: '2' }), /2 by RANK and WORLD_SIZE and 7 by Slurm/],
]
for (const [what, run, message] of refusals) {
  test(`a contradiction is refused, naming both: ${what}`, () =>
    assert.throws(run, { code: 'WORLD_MISMATCH', message }))
}

test('half a statement, no number, and a worker beyond the last are refused', () => {
  const refused = (env: Record<string, string>, message: RegExp): void =>
    assert.throws(() => readWorld(env), { code: 'WORLD_MISMATCH', message })
  refused({ RANK: '1' }, /RANK is 1 and WORLD_SIZE is not set/)
  refused({ WORLD_SIZE: '2' }, /WORLD_SIZE is 2 and RANK is not set/)
  refused({ RANK: 'one', WORLD_SIZE: '2' }, /RANK is "one"/)
  refused({ RANK: '2', WORLD_SIZE: '2' }, /worker 2 of 2; workers are counted from 0/)
  refused({ OMPI_COMM_WORLD_RANK: '1' }, /worker 1 and nothing says of how many/)
})

test('tasks of srun that have no way to find each other are refused, with the way', () => {
  const { PMIX_RANK: _rank, ...alone } = srun
  assert.throws(() => readWorld(alone), { code: 'WORLD_MISMATCH', message: /--mpi=pmix/ })
  assert.equal(readWorld({ ...alone, SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' }).size, 1)
})
