/**
 * TensorBoard's event files: what `tensorboard --logdir runs` reads.
 *
 * A file is a sequence of TFRecords (length, its masked CRC-32C, data, its masked CRC-32C), each an `Event` in Protocol
 * Buffers. Of that message only a few fields are written, so they are encoded here by hand instead of by a library with
 * TensorFlow's whole schema. A resumed run begins a new file with a `SessionLog.START`, at which TensorBoard
 * drops what earlier files have from that step on.
 *
 * Sources: tensorflow/core/lib/io/record_writer.h; tensorflow/core/util/event.proto; framework/summary.proto;
 * https://protobuf.dev/programming-guides/encoding
 */
import { open, type FileHandle } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { orDiskFull } from '../../exchange/disk.js'
import { crc32c } from './crc32c.js'
import { placeKeys, type Report } from './report.js'

const wireTypes = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const

/** Numbers of the fields, by message. */
const fields = {
  event: { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 },
  summary: { value: 1 },
  value: { tag: 1, simpleValue: 2 },
  sessionLog: { status: 1 },
} as const
const sessionStart = 1

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}

function key(field: number, wireType: number): number[] {
  return varint(field * 8 + wireType)
}

function integerField(field: number, value: number): number[] {
  return [...key(field, wireTypes.varint), ...varint(value)]
}

function doubleField(field: number, value: number): number[] {
  return [...key(field, wireTypes.fixed64), ...new Uint8Array(Float64Array.of(value).buffer)]
}

function floatField(field: number, value: number): number[] {
  return [...key(field, wireTypes.fixed32), ...new Uint8Array(Float32Array.of(value).buffer)]
}

function bytesField(field: number, bytes: ArrayLike<number>): number[] {
  return [...key(field, wireTypes.lengthDelimited), ...varint(bytes.length), ...Array.from(bytes)]
}

function textField(field: number, text: string): number[] {
  return bytesField(field, new TextEncoder().encode(text))
}

/** A TFRecord around `data`. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(8 + 4 + data.length + 4)
  const view = new DataView(record.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedSum(record.subarray(0, 8)), true)
  record.set(data, 12)
  view.setUint32(12 + data.length, maskedSum(data), true)
  return record
}

/** Rotated and shifted, so that a sum of data that holds sums is not weak. */
function maskedSum(bytes: Uint8Array): number {
  const sum = crc32c(bytes)
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0
}

function encodeEvent(wallTimeSeconds: number, step: number, content: readonly number[]): Uint8Array {
  const { wallTime, step: stepField } = fields.event
  return encodeRecord(
    Uint8Array.from([...doubleField(wallTime, wallTimeSeconds), ...integerField(stepField, step), ...content]),
  )
}

function encodeReport(report: Report): number[] {
  const { tag, simpleValue } = fields.value
  const values = Object.entries(report).flatMap(([name, value]) =>
    value === undefined || placeKeys.has(name)
      ? []
      : bytesField(fields.summary.value, [...textField(tag, name), ...floatField(simpleValue, value)]),
  )
  return bytesField(fields.event.summary, values)
}

export class EventFile {
  readonly #file: string
  readonly #handle: FileHandle

  private constructor(file: string, handle: FileHandle) {
    this.#file = file
    this.#handle = handle
  }

  /**
   * A new file in a run's folder.
   *
   * @param firstStep the step at which the run goes on
   */
  static async create(folder: string, firstStep: number): Promise<EventFile> {
    const now = Date.now()
    const file = path.join(
      folder,
      `events.out.tfevents.${Math.floor(now / 1000)}.${hostname()}.${process.pid}.${firstStep}`,
    )
    return orDiskFull(file, async () => {
      const events = new EventFile(file, await open(file, 'a'))
      await events.#append(encodeEvent(now / 1000, 0, textField(fields.event.fileVersion, 'brain.Event:2')))
      const start = bytesField(fields.event.sessionLog, integerField(fields.sessionLog.status, sessionStart))
      await events.#append(encodeEvent(now / 1000, firstStep, start))
      return events
    })
  }

  /** @throws DISK_FULL */
  async write(report: Report): Promise<void> {
    await orDiskFull(this.#file, () => this.#append(encodeEvent(Date.now() / 1000, report.step, encodeReport(report))))
  }

  async #append(record: Uint8Array): Promise<void> {
    await this.#handle.appendFile(record)
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}
