/** Checkpoint folders: whole or absent, verified when read, old ones gone; and one process a run. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { tensorData } from '../../src/core/shape.js'
import { outgoing, type NamedTensors } from '../../src/exchange/safetensors/index.js'
import {
  CheckpointWriter,
  latestCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  loadNewestWhole,
  removeTemporaries,
  writeCheckpoint,
  type Snapshot,
} from '../../src/train/checkpoint/index.js'
import { prepareTraining, TrainingSession } from '../../src/train/session.js'
import { defineTraining } from '../../src/train/index.js'
import * as data from '../../src/data/index.js'
import * as nn from '../../src/nn/index.js'
import * as optim from '../../src/optim/index.js'
import { RunLock } from '../../src/train/run/lock.js'
import { temporaryFolder } from '../support/folder.js'

const root = temporaryFolder('checkpoint')
let numFolders = 0
const newFolder = (): string => {
  const folder = path.join(root, String(numFolders++))
  mkdirSync(folder)
  return folder
}

const tensors = (step: number): Record<'model' | 'optimizer', NamedTensors> => ({
  model: new Map([['weight', tensorData('f32', [2, 2], [step, 2, 3, 4])]]),
  optimizer: new Map([['weight.moment', tensorData('f32', [2, 2], [1, step, 0, 0])]]),
})

const snapshot = (step: number, { model, optimizer } = tensors(step)): Snapshot => ({
  step,
  samples: step * 32,
  seed: 7,
  dataFingerprint: 'abc',
  settings: { batchSize: 32, precision: 'f32' },
  progress: { best: null },
  model: outgoing(model),
  optimizer: outgoing(optimizer),
})

const noWarning = (message: string): void => assert.fail(message)

/** Changes one byte of a file. */
function flip(file: string, position: number): void {
  const bytes = readFileSync(file)
  bytes[position < 0 ? bytes.length + position : position] ^= 1
  writeFileSync(file, bytes)
}

test('a checkpoint comes back as it was, is named by `latest`, and only --keep are kept', async () => {
  const folder = newFolder()
  for (const step of [10, 20, 30, 40]) await writeCheckpoint(folder, snapshot(step), 2)
  assert.deepEqual(
    (await listCheckpoints(folder)).map(({ name }) => name),
    ['step-00000030', 'step-00000040'],
  )
  assert.deepEqual(readdirSync(folder).toSorted(), ['latest', 'step-00000030', 'step-00000040'])
  assert.equal(await latestCheckpoint(folder), path.join(folder, 'step-00000040'))
  const loaded = await loadNewestWhole(folder, noWarning)
  const { model: _model, optimizer: _optimizer, ...rest } = snapshot(40)
  assert(loaded !== undefined)
  assert.deepEqual(loaded.model, tensors(40).model)
  assert.deepEqual(loaded.optimizer, tensors(40).optimizer)
  const { format, version, files, ...manifest } = loaded.manifest
  assert.deepEqual(manifest, rest)
  assert.equal(format, 'talweg-checkpoint')
  assert.equal(version, 1)
  assert.deepEqual(Object.keys(files), ['model.safetensors', 'optimizer.safetensors'])
})

test('two checkpoints of the same state have the same bytes in every file', async () => {
  const [one, two] = [newFolder(), newFolder()]
  for (const folder of [one, two]) await writeCheckpoint(folder, snapshot(5), 3)
  for (const name of ['model.safetensors', 'optimizer.safetensors', 'manifest.json']) {
    const read = (folder: string): Buffer => readFileSync(path.join(folder, 'step-00000005', name))
    assert.deepEqual(read(one), read(two))
  }
})

const files = ['model.safetensors', 'optimizer.safetensors', 'manifest.json'] as const
for (const file of files) {
  for (const position of [0, 100, -3]) {
    test(`byte ${position} of ${file} flipped: found, and the checkpoint before is used`, async () => {
      const folder = newFolder()
      for (const step of [1, 2]) await writeCheckpoint(folder, snapshot(step), 5)
      flip(path.join(folder, 'step-00000002', file), position)
      const warnings: string[] = []
      const loaded = await loadNewestWhole(folder, (message) => warnings.push(message))
      assert.equal(loaded?.manifest.step, 1)
      assert.equal(warnings.length, 1)
      assert.match(warnings[0], /step-00000002 is damaged/)
      assert(warnings[0].includes(file))
    })
  }
}

test('a file cut short, or missing, is damage too; with no whole checkpoint the folder is named', async () => {
  const folder = newFolder()
  await writeCheckpoint(folder, snapshot(1), 5)
  const model = path.join(folder, 'step-00000001', 'model.safetensors')
  writeFileSync(model, readFileSync(model).subarray(0, 20))
  await assert.rejects(
    loadNewestWhole(folder, () => undefined),
    { code: 'CHECKPOINT_DAMAGED' },
  )
  rmSync(model)
  await assert.rejects(loadCheckpoint(path.join(folder, 'step-00000001')), /model.safetensors can't be read/)
  rmSync(path.join(folder, 'step-00000001'), { recursive: true })
  assert.equal(await loadNewestWhole(folder, noWarning), undefined)
})

test('a damaged checkpoint is replaced when its step is reached again', async () => {
  const folder = newFolder()
  await writeCheckpoint(folder, snapshot(1), 5)
  flip(path.join(folder, 'step-00000001', 'model.safetensors'), -1)
  await writeCheckpoint(folder, snapshot(1), 5)
  assert.equal((await loadNewestWhole(folder, noWarning))?.manifest.step, 1)
})

test('what a killed writer has left is never taken for a checkpoint, and goes', async () => {
  const folder = newFolder()
  await writeCheckpoint(folder, snapshot(1), 5)
  cpSync(path.join(folder, 'step-00000001'), path.join(folder, '.step-00000002.writing-123'), { recursive: true })
  assert.equal((await loadNewestWhole(folder, noWarning))?.manifest.step, 1)
  await removeTemporaries(folder)
  assert.deepEqual(readdirSync(folder).toSorted(), ['latest', 'step-00000001'])
})

test('the writer keeps one in flight, is done with tensors when it returns, and reports a failure once and for all', async () => {
  const folder = newFolder()
  const writer = new CheckpointWriter(folder, 5)
  const state = tensors(1)
  await writer.start(snapshot(1, state))
  for (const { data } of state.model.values()) data.fill(-1)
  const second = snapshot(2)
  const asked: boolean[] = []
  const [weight] = second.model
  const take = (): ReturnType<typeof weight.take> => {
    asked.push(existsSync(path.join(folder, 'step-00000001')))
    return weight.take()
  }
  await writer.start({ ...second, model: [{ ...weight, take }] })
  assert.deepEqual(asked, [true], 'the first is written before the second is taken, once')
  await writer.finish()
  assert.equal((await listCheckpoints(folder)).length, 2)
  const { model } = await loadCheckpoint(path.join(folder, 'step-00000001'))
  assert.deepEqual([...model.get('weight')!.data], [1, 2, 3, 4])
  const blocked = new CheckpointWriter(path.join(folder, 'latest'), 5)
  await blocked.start(snapshot(3))
  await assert.rejects(blocked.finish())
  assert.throws(() => blocked.check())
})

test('a state is written in pieces of whole rows, in the memory of a few, where the engine reads rows', async () => {
  for (const engine of ['native', 'reference'] as const) {
    const training = defineTraining({
      model: (): nn.Module => new nn.MLP({ inputs: 700, hidden: [3000], outputs: 1 }),
      data: () => data.arrays({ x: Array.from({ length: 2 }, () => new Array(700).fill(1)), y: [[1], [2]] }),
      loss: (model, batch) => nn.squaredError((model as nn.MLP).forward(batch.x), batch.y),
      optimizer: optim.sgd({ learningRate: 0.1, momentum: 0.9 }),
      batchSize: 2,
      steps: 1,
    })
    const session = await TrainingSession.open(
      await prepareTraining(training, training.settings({ engine }), () => undefined),
    )
    const copied = await session.copyModel()
    const { model } = session.outgoingState()
    const numPieces: number[] = []
    for (const { name, take } of model) {
      const taken = take()
      const all = copied.get(name)!.data
      let [count, position] = [0, 0]
      for await (const piece of Symbol.asyncIterator in taken ? taken : [taken]) {
        assert.deepEqual(piece.data, all.subarray(position, position + piece.data.length), name)
        position += piece.data.length
        count++
      }
      assert.equal(position, all.length)
      numPieces.push(count)
    }
    assert.equal(Math.max(...numPieces), engine === 'native' ? 3 : 1)
  }
})

test('a run in use is refused; a lock whose process is gone, or whose number is another’s now, is taken over', async () => {
  const folder = newFolder()
  const lock = await RunLock.take(folder, noWarning)
  await assert.rejects(RunLock.take(folder, noWarning), { code: 'RUN_EXISTS' })
  await lock.release()
  assert.deepEqual(readdirSync(folder), [])
  const child = spawn(process.execPath, ['-e', ''])
  await new Promise((resolve) => child.once('exit', resolve))
  writeFileSync(path.join(folder, '.lock'), JSON.stringify({ host: hostname(), pid: child.pid, started: 'x' }))
  await (await RunLock.take(folder, noWarning)).release()
  if (existsSync('/proc/self/stat')) {
    writeFileSync(
      path.join(folder, '.lock'),
      JSON.stringify({ host: hostname(), pid: process.pid, started: 'earlier' }),
    )
    await (await RunLock.take(folder, noWarning)).release()
  }
})

test('a lock of another machine that is still touched is held', async () => {
  const folder = newFolder()
  const file = path.join(folder, '.lock')
  writeFileSync(file, JSON.stringify({ host: 'elsewhere', pid: 1, started: '' }))
  const touching = setInterval(() => utimesSync(file, new Date(), new Date()), 200)
  const told: string[] = []
  try {
    await assert.rejects(
      RunLock.take(folder, (message) => told.push(message)),
      /process 1 on elsewhere/,
    )
  } finally {
    clearInterval(touching)
  }
  assert.match(told[0], /watching/)
})
