/**
 * Many short trainings of two workers, in each of which a random process (a worker, or mpirun) gets SIGKILL or SIGSTOP at a random
 * moment. Each must end by itself with the checkpoint of the run that nothing happened to.
 *
 *     node scripts/soak/workers.mjs [runs, 100 by default] [seed]
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const [numRuns = 100, seed = 1] = process.argv.slice(2).map(Number)
const command = path.resolve(import.meta.dirname, '../../dist/cli/main.js')
const folder = mkdtempSync(path.join(tmpdir(), 'talweg-soak-'))
const training = `import { data, defineTraining, nn, optim } from 'talweg'
const x = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(3 * i), (i % 7) / 7])
const y = x.map(([a, b, c]) => [a - 2 * b + 0.5 * c])
export default defineTraining({
  model: () => new nn.MLP({ inputs: 3, hidden: [8], outputs: 1, dropout: 0.1 }),
  data: () => data.arrays({ x, y }, { validation: 0.25 }),
  loss: (model, batch) => nn.squaredError(model.forward(batch.x), batch.y),
  optimizer: optim.adamw({ learningRate: 1e-2 }),
  batchSize: 8, steps: 40000, seed: 3,
})
`
const settings = ['--shards=2', '--checkpoint-every=1000', '--exchange-timeout=3']

let state = seed
const random = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31
const pick = (list) => list[Math.floor(random() * list.length)]

function childrenOf(pid) {
  const { stdout } = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
  return stdout.split('\n').filter(Boolean).map(Number)
}

function sumOf(run) {
  const checkpoint = path.join(folder, run, 'checkpoints/step-00040000')
  const hash = createHash('sha256')
  for (const name of readdirSync(checkpoint).toSorted())
    hash.update(name).update(readFileSync(path.join(checkpoint, name)))
  return hash.digest('hex')
}

async function train(run, workers, poke) {
  const args = [command, 'train', 'training.ts', `--run=${run}`, ...settings, ...workers]
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (piece) => (stderr += piece))
  const limit = setTimeout(() => child.kill('SIGKILL'), 120_000)
  const timer = poke && setTimeout(() => poke(child.pid), 400 + 3600 * random())
  const code = await new Promise((resolve) => child.once('close', (status, signal) => resolve(status ?? signal)))
  clearTimeout(limit)
  clearTimeout(timer)
  return { code, stderr }
}

try {
  writeFileSync(path.join(folder, 'training.ts'), training)
  const { code, stderr } = await train('whole', [])
  if (code !== 0) throw new Error(stderr)
  const wanted = sumOf('whole')
  let numBad = 0
  for (let index = 1; index <= numRuns; index++) {
    const run = `run-${index}`
    let what = 'nothing: it had ended'
    const result = await train(run, ['--workers=2'], (pid) => {
      const [mpirun] = childrenOf(pid)
      const victim = pick([mpirun, ...(mpirun === undefined ? [] : childrenOf(mpirun))])
      const signal = victim === mpirun ? 'SIGKILL' : pick(['SIGKILL', 'SIGSTOP'])
      if (victim === undefined) return
      what = `${signal} to ${victim === mpirun ? 'mpirun' : 'a worker'}`
      try {
        process.kill(victim, signal)
      } catch {
        what = 'nothing: it had ended'
      }
    })
    const isGood = result.code === 0 && sumOf(run) === wanted
    if (!isGood) numBad++
    console.log(`${index}: ${what}: ${isGood ? 'the same bits' : `BAD (${result.code})\n${result.stderr}`}`)
    rmSync(path.join(folder, run), { recursive: true, force: true })
  }
  console.log(`${numRuns - numBad} of ${numRuns} ended by themselves with the same bits`)
  process.exitCode = numBad === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
