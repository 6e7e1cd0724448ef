/**
 * Programs on their way into the addon: as one run of bytes, which costs a few calls. Walking the objects through
 * Node-API took a call for each number and name in them, longer than compiling the program had.
 *
 * Every kind of value is a byte and what follows it; `native/core/wire.cpp` reads the same. Texts come once each. Typed
 * arrays go beside, as they are.
 */
import { invariant } from '../../core/errors.js'
import type { Instruction, Program, ProgramBody, ProgramValue } from '../program.js'

export interface Wire {
  readonly bytes: Uint8Array
  /** Contents of constants, to which the bytes refer by index. */
  readonly arrays: readonly Uint8Array[]
}

/** Also in `native/core/wire.cpp`. */
const kinds = { nothing: 0, no: 1, yes: 2, integer: 3, number: 4, newText: 5, text: 6, list: 7, record: 8, array: 9 }

/** A program. Its instructions are called `#0`, `#1`, …: what people call them takes longer to find out. */
export function wireOfProgram(program: Program): Wire {
  const bodies = new BodyList()
  const instructions = program.instructions.map((instruction, index) => bodies.plain(instruction, `#${index}`))
  return write({ ...program, instructions, bodies: bodies.plainBodies })
}

/** Instructions over values that have no place yet. */
export function wireOfInstructions(asked: readonly Instruction[], values: readonly ProgramValue[]): Wire {
  const bodies = new BodyList()
  const instructions = asked.map((instruction) => bodies.plain(instruction, instruction.label))
  return write({ values, instructions, bodies: bodies.plainBodies })
}

/** Every body once, after those inside it; instructions have its index. */
class BodyList {
  readonly plainBodies: object[] = []
  readonly #indices = new Map<ProgramBody, number>()

  plain({ operation, attributes, inputs, outputs, body, scratch }: Instruction, label: string): object {
    return { operation, attributes, inputs, outputs, body: body && this.#indexOf(body), scratch, label }
  }

  #indexOf(body: ProgramBody): number {
    const known = this.#indices.get(body)
    if (known !== undefined) return known
    const instructions = body.instructions.map((inner) => this.plain(inner, ''))
    const index = this.plainBodies.push({ ...body, instructions }) - 1
    this.#indices.set(body, index)
    return index
  }
}

function write(value: object): Wire {
  const writer = new Writer()
  writer.write(value)
  return { bytes: writer.bytes(), arrays: writer.arrays }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

/** Room for any value but a text or a list. */
const mostBytes = 16

class Writer {
  readonly arrays: Uint8Array[] = []
  readonly #texts = new Map<string, number>()
  #buffer = Buffer.allocUnsafe(1 << 16)
  #view = viewOf(this.#buffer)
  #length = 0

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  write(value: unknown): void {
    this.#reserve(mostBytes)
    if (value === undefined || value === null) this.#kind(kinds.nothing)
    else if (typeof value === 'boolean') this.#kind(value ? kinds.yes : kinds.no)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'string') this.#text(value)
    else if (Array.isArray(value)) this.#list(value)
    else if (ArrayBuffer.isView(value)) this.#array(value)
    else this.#record(value)
  }

  #kind(kind: number): void {
    this.#buffer[this.#length++] = kind
  }

  #count(count: number): void {
    this.#view.setUint32(this.#length, count, true)
    this.#length += 4
  }

  #number(value: number): void {
    if (value === (value | 0) && !Object.is(value, -0)) {
      this.#kind(kinds.integer)
      this.#view.setInt32(this.#length, value, true)
      this.#length += 4
    } else {
      this.#kind(kinds.number)
      this.#view.setFloat64(this.#length, value, true)
      this.#length += 8
    }
  }

  #text(value: string): void {
    const known = this.#texts.get(value)
    this.#kind(known === undefined ? kinds.newText : kinds.text)
    if (known !== undefined) return this.#count(known)
    this.#texts.set(value, this.#texts.size)
    const size = Buffer.byteLength(value)
    this.#count(size)
    this.#reserve(size)
    this.#length += this.#buffer.write(value, this.#length)
  }

  #list(values: readonly unknown[]): void {
    this.#kind(kinds.list)
    this.#count(values.length)
    for (const value of values) this.write(value)
  }

  #array(view: ArrayBufferView): void {
    this.#kind(kinds.array)
    this.#count(this.arrays.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength)) - 1)
  }

  #record(value: object): void {
    invariant(typeof value === 'object', 'what the addon is given is plain data')
    const names = Object.keys(value)
    this.#kind(kinds.record)
    this.#count(names.length)
    for (const name of names) {
      this.#reserve(mostBytes)
      this.#text(name)
      this.write((value as Record<string, unknown>)[name])
    }
  }

  #reserve(sizeBytes: number): void {
    if (this.#length + sizeBytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#length + sizeBytes))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
    this.#view = viewOf(larger)
  }
}
