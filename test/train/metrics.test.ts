/** Metrics as lines, as TensorBoard's events and as a picture. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { crc32c } from '../../src/train/metrics/crc32c.js'
import {
  cutReportsAfter,
  drawLossCurve,
  EventFile,
  MetricsLog,
  readReports,
  type Report,
} from '../../src/train/metrics/index.js'
import { temporaryFolder } from '../support/folder.js'

const root = temporaryFolder('metrics')

const report = (step: number): Report => ({
  step,
  samples: step * 8,
  loss: 1 / step,
  learningRate: 0.5,
  secondsElapsed: step / 4,
})

test('lines are appended, cut after the resumed step, and a half line is left out', async () => {
  const file = path.join(root, 'metrics.jsonl')
  const log = await MetricsLog.open(file)
  for (const step of [10, 20, 30]) await log.write(report(step))
  await log.close()
  appendFileSync(file, '{"step":40,"lo')
  assert.deepEqual(await readReports(file), [report(10), report(20), report(30)])
  assert.deepEqual(await cutReportsAfter(file, 25), report(20))
  const again = await MetricsLog.open(file)
  await again.write(report(30))
  await again.close()
  assert.deepEqual(await readReports(file), [report(10), report(20), report(30)])
  assert.equal(await cutReportsAfter(file, 5), undefined)
  assert.equal(readFileSync(file, 'utf8'), '')
  assert.equal(await cutReportsAfter(path.join(root, 'none'), 5), undefined)
})

test('CRC-32C of the standard’s own examples', () => {
  assert.equal(crc32c(new TextEncoder().encode('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43)
})

type Field = [number: number, value: number | Uint8Array]

/** A reader of Protocol Buffers that shares nothing with the writer. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return Number(value)
    }
  }
  while (at < bytes.length) {
    const key = varint()
    const wireType = key & 7
    if (wireType === 0) fields.push([key >> 3, varint()])
    else if (wireType === 1) fields.push([key >> 3, view.getFloat64((at += 8) - 8, true)])
    else if (wireType === 5) fields.push([key >> 3, view.getFloat32((at += 4) - 4, true)])
    else {
      const length = varint()
      fields.push([key >> 3, bytes.subarray(at, (at += length))])
    }
  }
  return fields
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0
  return ((rotated << 15) | (rotated >>> 17)) >>> 0
}

function recordsOf(bytes: Buffer): Buffer[] {
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at))
    assert.equal(unmask(bytes.readUInt32LE(at + 8)), crc32c(bytes.subarray(at, at + 8)))
    const data = bytes.subarray(at + 12, at + 12 + length)
    assert.equal(unmask(bytes.readUInt32LE(at + 12 + length)), crc32c(data))
    records.push(data)
    at += 16 + length
  }
  return records
}

test('TensorBoard’s events parse back: version, session start, and a value for each metric', async () => {
  const folder = mkdtempSync(path.join(root, 'events-'))
  const events = await EventFile.create(folder, 301)
  await events.write({ ...report(310), validationLoss: 2.5 })
  await events.close()
  const [name] = readdirSync(folder)
  assert.match(name, /^events\.out\.tfevents\./)
  const [version, start, metrics] = recordsOf(readFileSync(path.join(folder, name))).map(
    (record) => new Map(fieldsOf(record)),
  )
  assert.equal(Buffer.from(version.get(3) as Uint8Array).toString(), 'brain.Event:2')
  assert.equal(start.get(2), 301)
  assert.deepEqual(fieldsOf(start.get(7) as Uint8Array), [[1, 1]])
  assert.equal(metrics.get(2), 310)
  assert(Math.abs((metrics.get(1) as number) - Date.now() / 1000) < 60)
  const values = fieldsOf(metrics.get(5) as Uint8Array).map(([, value]) => {
    const parts = new Map(fieldsOf(value as Uint8Array))
    return [Buffer.from(parts.get(1) as Uint8Array).toString(), parts.get(2)]
  })
  assert.deepEqual(Object.fromEntries(values), { loss: Math.fround(1 / 310), learningRate: 0.5, validationLoss: 2.5 })
})

test('the loss curve is an SVG with both curves, and holds no value that is not finite', async () => {
  const reports = Array.from({ length: 3000 }, (_, index) => report(index + 1))
  const svg = await drawLossCurve(
    [...reports, { ...report(3001), loss: Number.NaN, validationLoss: 0.5 }],
    'digits & more',
  )
  assert.match(svg, /^<svg /)
  assert.match(svg, /digits &amp; more/)
  assert.match(svg, /validation loss/)
  assert.doesNotMatch(svg, /NaN/)
  assert(svg.length < 100_000)
})
