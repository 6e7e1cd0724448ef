/** The side of a peer that is JavaScript: as `turns.py`. */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/** What every peer is told when it is started. */
export function readArguments() {
  const text = { type: 'string' }
  const { values } = parseArgs({
    options: { work: text, form: text, precision: text, threads: text, checked: text },
  })
  return { work: values.work, threads: Number(values.threads), numChecked: Number(values.checked) }
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/**
 * @param {string} version
 * @param {() => unknown} step runs one step and gives its loss
 * @param {number} numChecked steps whose losses are told
 * @param {(loss: unknown) => Promise<number>} read waits for a loss and makes it a number
 */
export async function takeTurns(version, step, numChecked, read) {
  const losses = []
  for (let index = 0; index < numChecked; index++) {
    losses.push([index + 1, await read(step())])
    if (index === 0) say({ firstLoss: losses[0][1] })
  }
  say({ ready: version, losses })
  for await (const line of createInterface({ input: process.stdin })) {
    const { warmup, steps } = JSON.parse(line)
    if (warmup > 0) await repeat(step, read, warmup)
    const start = performance.now()
    const last = await repeat(step, read, steps)
    if (!Number.isFinite(last)) throw new Error(`the loss is ${last}`)
    say({ steps, seconds: (performance.now() - start) / 1000 })
  }
}

async function repeat(step, read, numSteps) {
  let last
  for (let index = 0; index < numSteps; index++) last = await read(step())
  return last
}
