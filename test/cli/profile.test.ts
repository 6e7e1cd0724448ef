/** `train --profile`, as a user runs it: what it prints and writes, and that the training is the same. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { Profile } from '../../src/train/index.js'
import { forEachEngine } from '../engines/support/engines.js'
import { linesOf, talweg, temporaryFolder, tinyTraining, writeFiles } from './support/talweg.js'

const root = temporaryFolder('profile')

function project(name: string): string {
  const folder = path.join(root, name)
  mkdirSync(folder)
  writeFiles(folder, { 'tiny.ts': tinyTraining })
  return folder
}

function readJson<T>(...file: string[]): T {
  return JSON.parse(readFileSync(path.join(...file), 'utf8')) as T
}

forEachEngine('train --profile', (engine) => {
  const on = ['--engine', engine.name] as const
  const folder = project(engine.name)

  if (engine.profiling === undefined) {
    test('is refused, before a run is begun', async () => {
      const { code, stderr } = await talweg(folder, 'train', 'tiny.ts', '--profile', ...on)
      assert.equal(code, 2, stderr)
      assert.match(stderr, /profile: the portable engine .* Hint: use --engine native, or train without --profile/)
      assert(!existsSync(path.join(folder, 'runs/tiny')))
    })
    return
  }

  test('writes tables to standard error, JSON lines alone to standard output, and leaves the bits as they are', async () => {
    const plain = await talweg(folder, 'train', 'tiny.ts', '--run', 'plain', '--json', ...on)
    const profiled = await talweg(folder, 'train', 'tiny.ts', '--run', 'profiled', '--profile', '--json', ...on)
    assert.equal(plain.code, 0, plain.stderr)
    assert.equal(profiled.code, 0, profiled.stderr)
    const losses = (finished: typeof plain): unknown[] => linesOf(finished).map(({ loss }) => loss)
    assert.equal(losses(profiled).length, 40)
    assert.deepEqual(losses(profiled), losses(plain))
    for (const title of ['By kernel', 'By kernel and types', 'The slowest instructions', 'gap: '])
      assert(profiled.stderr.includes(title), title)
    assert(!plain.stderr.includes('By kernel'))
    const compared = await talweg(folder, 'compare', 'plain', 'profiled')
    assert.equal(compared.code, 0, `${compared.stdout}${compared.stderr}`)
  })

  test('profile.json: FLOPs as inspect counts them, parts that add up to the call', async () => {
    const profile = readJson<Profile>(folder, 'profiled/profile.json')
    const inspected = await talweg(folder, 'inspect', 'tiny.ts', '--json', ...on)
    const { flopsPerStep, bytesPerStep } = JSON.parse(inspected.stdout) as Record<string, number>
    assert.equal(profile.total.flops, flopsPerStep)
    assert.equal(profile.total.bytes, bytesPerStep)
    const { stepSeconds, instructionSeconds, copySeconds, callSeconds, steps, instructions, peaks } = profile
    for (const part of [instructionSeconds, copySeconds, callSeconds]) assert(part > 0, `${part}`)
    assert(Math.abs(instructionSeconds + copySeconds + callSeconds - stepSeconds) < 1e-12)
    assert(steps > 0 && steps < 40, 'the first call is left out')
    const sum = instructions.reduce((total, { seconds }) => total + seconds, 0)
    assert(Math.abs(sum - instructionSeconds) < 1e-12)
    assert(instructions.every(({ seconds, bestSeconds }) => seconds >= bestSeconds && bestSeconds >= 0))
    assert.equal(peaks === undefined, engine.name === 'reference')
  })

  test('trace.json: a span for each step and instruction, in the form that trace viewers read', () => {
    const { traceEvents } = readJson<{ traceEvents: Record<string, unknown>[] }>(folder, 'profiled/trace.json')
    const { instructions } = readJson<Profile>(folder, 'profiled/profile.json')
    for (const { name, ph, ts, dur, pid, tid } of traceEvents) {
      assert.equal(typeof name, 'string')
      assert(ph === 'X' || ph === 'M')
      for (const number of [ts, pid, tid, ...(ph === 'X' ? [dur] : [])])
        assert(typeof number === 'number' && number >= 0, `${String(name)}: ${String(number)}`)
    }
    assert.equal(traceEvents.filter(({ cat }) => cat === 'step').length, 40)
    const spans = traceEvents.filter(({ ph, cat }) => ph === 'X' && cat !== 'step' && cat !== 'call')
    assert.equal(spans.length, 40 * instructions.length)
  })
})
