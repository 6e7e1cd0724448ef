/** Talweg as a contestant: a training file run by `train`, a table by `fit`, paused between turns. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadTraining } from '../../../src/cli/trainingFile.js'
import { train } from '../../../src/train/index.js'
import { Turns } from './turns.js'

/** More steps than are ever asked for. So nothing falls due in a run but its steps. */
const endless = 1e9

const { values } = parseArgs({
  options: {
    file: { type: 'string', default: '' },
    precision: { type: 'string', default: 'f32' },
    threads: { type: 'string', default: '2' },
    checked: { type: 'string', default: '1' },
  },
})

async function serveTraining(file: string): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'talweg-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  let engine = ''
  const turns = new Turns(() => engine, Number(values.checked))
  await train({
    training: await loadTraining(file),
    overrides: {
      engine: 'native',
      precision: values.precision,
      threads: Number(values.threads),
      steps: endless,
      reportEvery: endless,
      validateEvery: endless,
      checkpointEvery: endless,
    },
    folder: path.join(folder, 'run'),
    resume: false,
    file,
    observer: {
      started: (start) => void (engine = start.engine),
      progressed: ({ step, loss }) => turns.progressed(step, loss),
      reported: () => undefined,
      told: (message) => console.error(message),
    },
  })
}

await serveTraining(values.file)
