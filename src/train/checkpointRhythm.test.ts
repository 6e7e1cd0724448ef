import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointRhythm } from './checkpointRhythm.js'

/** Steps at which a training of 1,000 steps writes checkpoints. */
function written(every: number | undefined, secondsPerStep: number): number[] {
  let seconds = 0
  const rhythm = new CheckpointRhythm(every, 1000, () => seconds)
  const steps: number[] = []
  for (let step = 1; step <= 1000; step++) {
    seconds += secondsPerStep
    if (!rhythm.isDue(step)) continue
    rhythm.written()
    steps.push(step)
  }
  return steps
}

test('a number of steps is kept to, however quick they are', () => {
  assert.deepEqual(written(250, 1e-6), [250, 500, 750, 1000])
})

test('by default checkpoints are half a minute apart or more, at hundredths of the training', () => {
  assert.deepEqual(written(undefined, 0.001), [])
  assert.deepEqual(written(undefined, 0.125), [240, 480, 720, 960])
  assert.deepEqual(written(undefined, 1).slice(0, 3), [30, 60, 90])
  assert.equal(written(undefined, 60).length, 100)
})
