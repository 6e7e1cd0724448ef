/**
 * How long a written number takes to reach the other core. In a virtual machine two cores may lie under one L3 cache at one
 * minute and under two at the next, and small models then slow down by a third; so results say which it was.
 */
import { Worker } from 'node:worker_threads'

const numExchanges = 20_000
const numTries = 5

/** Answers each odd number with the next even one. */
const answering = `
  const { workerData } = require('node:worker_threads')
  const place = new Int32Array(workerData.shared)
  for (let turn = 0; turn < workerData.numTurns; turn++) {
    while (Atomics.load(place, 0) !== 2 * turn + 1);
    Atomics.store(place, 0, 2 * turn + 2)
  }
`

/** Nanoseconds one way: the best of some tries, in which both threads do nothing but wait for each other. */
export async function coreLatencyNanoseconds(): Promise<number> {
  const shared = new SharedArrayBuffer(256)
  const place = new Int32Array(shared)
  const worker = new Worker(answering, { eval: true, workerData: { shared, numTurns: numExchanges * numTries } })
  const gone = new Promise((resolve) => worker.once('exit', resolve))
  await new Promise((resolve) => worker.once('online', resolve))
  let best = Infinity
  for (let attempt = 0; attempt < numTries; attempt++) {
    const start = performance.now()
    for (let turn = attempt * numExchanges; turn < (attempt + 1) * numExchanges; turn++) {
      Atomics.store(place, 0, 2 * turn + 1)
      while (Atomics.load(place, 0) !== 2 * turn + 2);
    }
    best = Math.min(best, ((performance.now() - start) * 1e6) / numExchanges / 2)
  }
  await gone
  return best
}
