/**
 * The IDX format, in which MNIST and its successors are kept.
 *
 * Two zero bytes, a byte for the element type, a byte for the rank, the sizes as big-endian 32-bit integers, then the
 * elements row-major, big-endian. Source: Y. LeCun, "The MNIST database", section "FILE FORMATS".
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { TalwegError } from '../../core/errors.js'
import { numElements, type TensorData } from '../../core/shape.js'
import { fileSizeBytes } from '../files.js'

const unsignedByte = 0x08
const maxRank = 4

/**
 * Reads an IDX file of unsigned bytes, compressed by gzip or not.
 *
 * @throws FILE_NOT_FOUND or INVALID_FILE naming the file
 */
export function readIdx(path: string): TensorData {
  fileSizeBytes(path, 'data.idx')
  const fail = (problem: string, cause?: unknown): never => {
    const hint = 'give files such as train-images-idx3-ubyte, or the same compressed by gzip'
    throw new TalwegError({ code: 'INVALID_FILE', operation: 'data.idx', problem, hint, place: { file: path }, cause })
  }
  let bytes = readFileSync(path)
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes)
    } catch (cause) {
      fail(`the gzip file is damaged: ${(cause as Error).message}`, cause)
    }
  }
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0)
    fail('this is no IDX file: it does not begin with two zero bytes')
  if (bytes[2] !== unsignedByte)
    fail(`its elements are of type 0x${bytes[2].toString(16)}, and only unsigned bytes (0x8) are read`)
  const rank = bytes[3]
  const headerBytes = 4 + 4 * rank
  if (rank < 1 || rank > maxRank || bytes.length < headerBytes)
    fail(`its header is not whole: rank ${rank} in ${bytes.length} bytes`)
  const shape = Array.from({ length: rank }, (_, dim) => bytes.readUInt32BE(4 + 4 * dim))
  const sizeBytes = numElements(shape)
  const found = bytes.length - headerBytes
  if (found !== sizeBytes) fail(`its header says ${shape.join(' × ')} = ${sizeBytes} bytes, and ${found} follow`)
  return { dtype: 'u8', shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + headerBytes, sizeBytes) }
}
