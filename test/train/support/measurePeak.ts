/**
 * A process of its own that runs a training as `train` does and says what memory that added to the process: its peak, from
 * when the training was prepared to its end. Beside it, what was planned.
 *
 *     node --import tsx measurePeak.ts NAME PRECISION FOLDER
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { emptyHeap } from '../../../src/train/emptyHeap.js'
import { runLoop } from '../../../src/train/loop.js'
import { CheckpointWriter } from '../../../src/train/checkpoint/index.js'
import { RunFolder } from '../../../src/train/run/folder.js'
import { RunRecorder } from '../../../src/train/run/recorder.js'
import { prepareTraining, TrainingSession } from '../../../src/train/session.js'
import { alone } from '../../../src/train/team.js'
import { StopListener } from '../../../src/train/stop.js'
import { trainings } from './largeTrainings.js'

const [name, precision, path] = process.argv.slice(2)

function memoryBytes(field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  assert(line !== null)
  return Number(line[1]) * 1024
}

const nothing = (): void => undefined
const training = trainings[name]()
const prepared = await prepareTraining(training, training.settings({ precision, engine: 'native' }), nothing)
await emptyHeap() // as the loop does, so that nothing is added or taken away by it
const before = memoryBytes('VmRSS')
writeFileSync('/proc/self/clear_refs', '5') // the peak is counted from here
const folder = new RunFolder(path)
await folder.prepare(false)
const session = await TrainingSession.open(prepared)
const writer = new CheckpointWriter(folder.checkpoints, 1)
const recorder = await RunRecorder.open(folder, 0)
const observer = { started: nothing, progressed: nothing, reported: nothing, told: nothing }
const stop = new StopListener(nothing)
const team = alone(prepared)
await runLoop({ session, team, writer, recorder, observer, stop, manifest: undefined, profiler: undefined })
stop.close()
await recorder.close()
const addedBytes = memoryBytes('VmHWM') - before
process.stdout.write(`${JSON.stringify({ plannedBytes: prepared.memory.totalBytes, addedBytes })}\n`)
