/** Running the command as a user does: the built one, in a folder of its own. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'

export { temporaryFolder, writeFiles } from '../../support/folder.js'

export const command = path.resolve(import.meta.dirname, '../../../dist/cli/main.js')
assert(existsSync(command), 'dist/ is built: run ./setup, or npm run build')

export interface Finished {
  /** The exit code, or the signal's name. */
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  readonly finished: Promise<Finished>
  /** Waits until standard error or output has a text. */
  readonly until: (text: string | RegExp) => Promise<void>
}

export function start(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, [command, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  child.stdout.on('data', (piece: Buffer) => {
    stdout += piece.toString()
    for (const watcher of watchers) watcher()
  })
  child.stderr.on('data', (piece: Buffer) => {
    stderr += piece.toString()
    for (const watcher of watchers) watcher()
  })
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code: code ?? signal ?? 'unknown', stdout, stderr }))
  })
  const until = (text: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!(typeof text === 'string' ? `${stdout}${stderr}`.includes(text) : text.test(`${stdout}${stderr}`))) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
      void finished.then(({ code }) => reject(new Error(`it ended (${code}) without saying ${text}: ${stderr}`)))
    })
  return { process: child, finished, until }
}

export function talweg(cwd: string, ...args: readonly string[]): Promise<Finished> {
  return start(cwd, args).finished
}

/** The JSON lines of standard output. */
export function linesOf({ stdout }: Finished): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** A training of a few milliseconds: a small perceptron with dropout on a made-up function. */
export const tinyTraining = `import { data, defineTraining, nn, optim } from 'talweg'

const x = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(3 * i), (i % 7) / 7])
const y = x.map(([a, b, c]) => [a - 2 * b + 0.5 * c])

export default defineTraining({
  model: () => new nn.MLP({ inputs: 3, hidden: [8], outputs: 1, dropout: 0.1 }),
  data: () => data.arrays({ x, y }, { validation: 0.25 }),
  loss: (model, batch) => nn.squaredError(model.forward(batch.x), batch.y),
  optimizer: optim.adamw({ learningRate: optim.cosine({ peak: 1e-2, warmup: 10 }) }),
  batchSize: 8,
  steps: 40,
  seed: 3,
})
`
