/**
 * Talweg's side of the bench, in words that `bench/peers/turns.py` has too: a line for the first step's loss, one with
 * the losses of the steps that are checked, then an answer to each line that asks for steps.
 *
 * What is measured is the product's own loop (`train`, `fit`). It tells after each call of the engine how far it is; where
 * a turn's steps are done, `progressed` blocks, and with it the loop, until the runner asks for more. So nothing here is a
 * copy of the loop: which steps go into a call, what is read ahead and what else the loop does are as in any run.
 */
import { readSync, writeSync } from 'node:fs'

interface Command {
  readonly warmup: number
  readonly steps: number
}

export class Turns {
  readonly #numChecked: number
  readonly #losses: [step: number, loss: number][] = []
  #isReady = false
  /** The turn under way: from which step it is timed, and when that was reached. */
  #turn: { readonly from: number; readonly steps: number; start?: { readonly time: number; readonly step: number } } = {
    from: Infinity,
    steps: 0,
  }
  #buffered = ''

  constructor(
    readonly version: () => string,
    numChecked: number,
  ) {
    this.#numChecked = numChecked
  }

  /** To be called after each call of the engine. */
  progressed(step: number, loss: number): void {
    const now = performance.now()
    if (!this.#isReady) return this.#check(step, loss)
    const turn = this.#turn
    if (step < turn.from) return
    if (turn.start === undefined) {
      turn.start = { time: now, step }
      return
    }
    const steps = step - turn.start.step
    if (steps < turn.steps) return
    say({ steps, seconds: (now - turn.start.time) / 1000 })
    this.#wait(step)
  }

  /** A loss to be compared with the peers'. */
  compare(step: number, loss: number): void {
    this.#losses.push([step, loss])
    if (this.#losses.length === 1) say({ firstLoss: loss })
  }

  #check(step: number, loss: number): void {
    if (this.#numChecked > 0) this.compare(step, loss)
    if (step < this.#numChecked) return
    this.#isReady = true
    say({ ready: this.version(), losses: this.#losses })
    this.#wait(step)
  }

  #wait(step: number): void {
    const { warmup, steps } = JSON.parse(this.#readLine()) as Command
    this.#turn = { from: step + warmup, steps }
    if (warmup === 0) this.#turn.start = { time: performance.now(), step }
  }

  /** Blocks this thread; ends the process where the runner wants no more. */
  #readLine(): string {
    const piece = new Uint8Array(4096)
    while (!this.#buffered.includes('\n')) {
      const size = readBlocking(piece)
      if (size === 0) process.exit(0)
      this.#buffered += Buffer.from(piece.subarray(0, size)).toString()
    }
    const [line, ...rest] = this.#buffered.split('\n')
    this.#buffered = rest.join('\n')
    return line
  }
}

/** A pipe that Node has made non-blocking says EAGAIN where nothing has come yet. */
function readBlocking(into: Uint8Array): number {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    try {
      return readSync(0, into)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(never, 0, 0, 2)
    }
  }
}

function say(message: object): void {
  writeSync(1, `${JSON.stringify(message)}\n`)
}
