/** What an engine's buffers hold, taken piece by piece: a state is too large to be on the host a second time. */
import { dtypes, type DType, type HostArray } from '../core/dtype.js'
import { numElements, sameType, sizeBytes, type TensorData } from '../core/shape.js'
import type { Communicator } from '../engine/communicator.js'
import type { EngineBuffer } from '../engine/engine.js'
import { pieceBytes } from './memoryNeed.js'

/** What a buffer holds, some rows at a time in the same memory. */
export async function* piecesOf(buffer: EngineBuffer, staging: Map<DType, HostArray>): AsyncGenerator<TensorData> {
  const { dtype, shape } = buffer.type
  const [numRows = 1, ...row] = shape
  const rowBytes = sizeBytes({ dtype, shape: row })
  if (buffer.readRows === undefined || shape.length === 0 || rowBytes > pieceBytes) {
    yield await buffer.read()
    return
  }
  const place = staging.get(dtype) ?? dtypes[dtype].allocate(pieceBytes / dtypes[dtype].sizeBytes)
  staging.set(dtype, place)
  const rowsAtOnce = Math.floor(pieceBytes / rowBytes)
  for (let first = 0; first < numRows; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, numRows - first)
    const piece = { dtype, shape: [count, ...row], data: place.subarray(0, count * numElements(row)) }
    await buffer.readRows(first, piece)
    yield piece
  }
}

/** Gives every worker what worker 0's buffer holds. */
export async function shareBuffer(
  buffer: EngineBuffer,
  communicator: Communicator,
  staging: Map<DType, HostArray>,
): Promise<void> {
  let firstRow = 0
  for await (const piece of piecesOf(buffer, staging)) {
    const bytes = new Uint8Array(piece.data.buffer, piece.data.byteOffset, piece.data.byteLength)
    const given = await communicator.broadcast(communicator.rank === 0 ? bytes : undefined)
    if (communicator.rank === 0) continue
    bytes.set(given)
    const isWhole = sameType(piece, buffer.type)
    await (isWhole || buffer.writeRows === undefined ? buffer.write(piece) : buffer.writeRows(firstRow, piece))
    firstRow += piece.shape[0] ?? 0
  }
}
