/** The planned peak is what a run really adds to the process: what `inspect` prints and `train` refuses by. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { forEachEngine } from '../engines/support/engines.js'
import { trainings } from './support/largeTrainings.js'
import { temporaryFolder } from '../support/folder.js'

const folder = temporaryFolder('memory')

const skip = process.platform !== 'linux' && 'peaks are read from /proc'
const script = path.join(import.meta.dirname, 'support/measurePeak.ts')

async function measure(name: string, precision: string): Promise<{ plannedBytes: number; addedBytes: number }> {
  const run = path.join(folder, `${name}-${precision}`)
  const args = ['--import', 'tsx', script, name, precision, run]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as { plannedBytes: number; addedBytes: number }
}

forEachEngine('planned memory', ({ name: engine }) => {
  if (engine !== 'native') return
  for (const name of Object.keys(trainings)) {
    for (const precision of ['f32', 'bf16']) {
      test(
        `${name} in ${precision}: the planned peak is within a tenth of what the process adds`,
        { skip },
        async () => {
          const { plannedBytes, addedBytes } = await measure(name, precision)
          const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
          const figures = `${megabytes(plannedBytes)} planned, ${megabytes(addedBytes)} added`
          assert(Math.abs(plannedBytes / addedBytes - 1) < 0.1, figures)
        },
      )
    }
  }
})
