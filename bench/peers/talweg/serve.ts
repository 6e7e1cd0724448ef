/** Talweg as a contestant: a training file run by `train`, a table by `fit`, paused between turns. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadTraining } from '../../../src/cli/trainingFile.js'
import { fit, type FitMethod, type FitObserver, type FitOptions } from '../../../src/train/fit/index.js'
import { train } from '../../../src/train/index.js'
import { target } from '../../cases/linear.js'
import { Turns } from './turns.js'

/** More steps than are ever asked for. So nothing falls due in a run but its steps. */
const endless = 1e9

const { values } = parseArgs({
  options: {
    file: { type: 'string', default: '' },
    method: { type: 'string' },
    rate: { type: 'string', default: '' },
    precision: { type: 'string', default: 'f32' },
    threads: { type: 'string', default: '2' },
    checked: { type: 'string', default: '1' },
  },
})
const threads = Number(values.threads)
const numChecked = Number(values.checked)

async function serveTraining(file: string): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'talweg-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  let engine = ''
  const turns = new Turns(() => engine, numChecked)
  await train({
    training: await loadTraining(file),
    overrides: {
      engine: 'native',
      precision: values.precision,
      threads,
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

/** The table's columns as they are, at a constant rate; no tolerance at which it would end. */
function fitOptions(method: FitMethod, learningRate: number, extent: Partial<FitOptions>): FitOptions {
  return {
    target,
    method,
    learningRate,
    tolerance: 0,
    intercept: true,
    standardize: false,
    seed: 0,
    engine: 'native',
    threads,
    ...extent,
  }
}

function observe(progressed: FitObserver['progressed']): FitObserver {
  return {
    told: (message) => console.error(message),
    started: () => undefined,
    progressed,
    shouldStop: () => false,
  }
}

/**
 * Full-batch descent tells its objective step by step. What a stochastic one tells is a mean over the steps of a call, as
 * no peer does: what is compared is the objective over all rows after one epoch.
 */
async function serveFit(file: string, method: FitMethod, learningRate: number): Promise<void> {
  const turns = new Turns(() => 'native', method === 'gd' ? numChecked : 0)
  if (method === 'sgd') {
    const epoch = await fit(
      file,
      fitOptions(method, learningRate, { epochs: 1 }),
      observe(() => undefined),
    )
    turns.compare(epoch.steps, epoch.loss)
  }
  const observer = observe((step, loss) => turns.progressed(step, loss))
  await fit(file, fitOptions(method, learningRate, { steps: endless }), observer)
}

if (values.method === undefined) await serveTraining(values.file)
else await serveFit(values.file, values.method as FitMethod, Number(values.rate))
