/** Sequences of tokens that can be read anywhere without waiting: in memory, or in a file. */
import { closeSync, readSync } from 'node:fs'
import { invariant } from '../../core/errors.js'
import type { TensorData } from '../../core/shape.js'
import { fingerprint } from '../fingerprint.js'

export interface TokenStore {
  readonly numTokens: number
  /** The tokens, where all are in memory: u8 or i32. */
  readonly resident?: TensorData
  /** Identity of the tokens. */
  readonly fingerprint: string
  /** Writes tokens [start, start + count) to `into` at `offset`. */
  read(start: number, count: number, into: Int32Array, offset: number): void
  /** The tokens [start, end); closing either closes both. */
  slice(start: number, end: number): TokenStore
  close(): void
}

export class MemoryTokens implements TokenStore {
  readonly resident: TensorData
  readonly #tokens: Uint8Array | Int32Array
  #fingerprint: string | undefined

  constructor(tokens: Uint8Array | Int32Array) {
    this.#tokens = tokens
    this.resident = { dtype: tokens instanceof Uint8Array ? 'u8' : 'i32', shape: [tokens.length], data: tokens }
  }

  get numTokens(): number {
    return this.#tokens.length
  }

  get fingerprint(): string {
    this.#fingerprint ??= fingerprint([this.#tokens])
    return this.#fingerprint
  }

  read(start: number, count: number, into: Int32Array, offset: number): void {
    const tokens = this.#tokens
    for (let index = 0; index < count; index++) into[offset + index] = tokens[start + index]
  }

  slice(start: number, end: number): TokenStore {
    return new MemoryTokens(this.#tokens.subarray(start, end))
  }

  close(): void {}
}

/** An open file of tokens, each of 2 or 4 bytes, least significant first, from `firstByte` on. */
export interface TokenFile {
  readonly descriptor: number
  readonly bytesPerToken: 2 | 4
  readonly firstByte: number
  isOpen: boolean
}

/**
 * Tokens in a file, read where they are wanted. Node has no memory maps; a positioned read of a window takes about two
 * microseconds and leaves caching to the operating system, as a map would.
 */
export class FileTokens implements TokenStore {
  readonly numTokens: number
  readonly fingerprint: string
  readonly #file: TokenFile
  readonly #start: number
  #scratch: Uint16Array | Int32Array

  /** @param identity what names these tokens: a hash of all that they were made from */
  constructor(file: TokenFile, start: number, numTokens: number, identity: string) {
    this.#file = file
    this.#start = start
    this.numTokens = numTokens
    this.fingerprint = identity
    this.#scratch = file.bytesPerToken === 2 ? new Uint16Array(0) : new Int32Array(0)
  }

  read(start: number, count: number, into: Int32Array, offset: number): void {
    const { descriptor, bytesPerToken, firstByte, isOpen } = this.#file
    invariant(isOpen, 'the file of tokens is open')
    if (this.#scratch.length < count)
      this.#scratch = bytesPerToken === 2 ? new Uint16Array(count) : new Int32Array(count)
    const tokens = this.#scratch
    const sizeBytes = count * bytesPerToken
    const numRead = readSync(descriptor, tokens, 0, sizeBytes, firstByte + (this.#start + start) * bytesPerToken)
    invariant(numRead === sizeBytes, `tokens ${start} to ${start + count} are in the file`)
    for (let index = 0; index < count; index++) into[offset + index] = tokens[index]
  }

  slice(start: number, end: number): TokenStore {
    return new FileTokens(this.#file, this.#start + start, end - start, `${this.fingerprint}[${start},${end}]`)
  }

  close(): void {
    if (this.#file.isOpen) closeSync(this.#file.descriptor)
    this.#file.isOpen = false
  }
}
