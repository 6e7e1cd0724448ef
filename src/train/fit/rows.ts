/**
 * A table's rows in the engine's memory, where full-batch steps read them. They go there block by block, so that there is
 * never a second copy of the whole table.
 */
import { TalwegError } from '../../core/errors.js'
import { numElements, sizeBytes, tensorData, type TensorData } from '../../core/shape.js'
import { allocateBatch, type Batch, type TableSource } from '../../data/index.js'
import type { Engine, EngineBuffer } from '../../engine/engine.js'
import type { NamedType } from '../../graph/index.js'
import { availableMemoryBytes } from '../memory.js'
import { rowTypes, targetType, type FitModel } from './model.js'

/** A block's size. More blocks make longer programs, fewer need more memory while loading. */
const blockBytes = 4e6
const maxBlocks = 32

export interface ResidentRows {
  readonly numRows: number
  readonly blockSizes: readonly number[]
  /** Read-only state: `features.0`, `targets.0`, … */
  readonly buffers: ReadonlyMap<string, EngineBuffer>
  readonly types: readonly NamedType[]
}

/**
 * @param indices which rows; all of them in order where not given
 * @throws DOES_NOT_FIT with both figures
 */
export async function loadRows(
  source: TableSource,
  model: FitModel,
  engine: Engine,
  indices?: readonly number[],
): Promise<ResidentRows> {
  const numRows = indices?.length ?? source.numSamples
  const rowBytes = (model.numFeatures + 1) * (model.dtype === 'f64' ? 8 : 4)
  checkFits(numRows * rowBytes)
  const rowsPerBlock = Math.max(Math.ceil(numRows / maxBlocks), Math.floor(blockBytes / rowBytes), 1)
  const blockSizes: number[] = []
  const buffers = new Map<string, EngineBuffer>()
  const types: NamedType[] = []
  for (const { batch, size } of readBlocks(source, model, rowsPerBlock, indices)) {
    const wanted = rowTypes(model, size)
    for (const part of ['features', 'targets'] as const) {
      const name = `${part}.${blockSizes.length}`
      types.push({ name, type: wanted[part] })
      buffers.set(name, engine.allocate(wanted[part], batch[part]))
    }
    blockSizes.push(size)
  }
  return { numRows, blockSizes, buffers, types }
}

interface Block {
  readonly first: number
  readonly size: number
  /** In memory that the next block takes over: V8 would let many blocks wait to be collected. */
  readonly batch: Readonly<Record<string, TensorData>>
}

/** The rows in blocks of at most `rowsPerBlock`; those of `indices`, or all of them in order. */
export function* readBlocks(
  source: TableSource,
  model: FitModel,
  rowsPerBlock = Math.max(1, Math.floor(blockBytes / 4 / (model.numFeatures + 1))),
  indices?: readonly number[],
): Generator<Block> {
  const numRows = indices?.length ?? source.numSamples
  const places = allocateBatch(source.element, Math.min(rowsPerBlock, numRows))
  const all = new Float64Array(Math.min(rowsPerBlock, numRows))
  for (let first = 0; first < numRows; first += rowsPerBlock) {
    const size = Math.min(rowsPerBlock, numRows - first)
    const rows = all.subarray(0, size)
    for (let row = 0; row < size; row++) rows[row] = indices === undefined ? first + row : indices[first + row]
    source.gatherSync(rows, places)
    yield { first, size, batch: feed(model, places, [size]) }
  }
}

/**
 * All rows as two tensors of the engine's, `features` and `targets`; undefined where it has no memory for them, or none
 * that is written in parts.
 */
export async function loadWhole(
  source: TableSource,
  model: FitModel,
  engine: Engine,
): Promise<Readonly<Record<'features' | 'targets', EngineBuffer>> | undefined> {
  const wanted = rowTypes(model, source.numSamples)
  if (sizeBytes(wanted.features) + sizeBytes(wanted.targets) > availableMemoryBytes()) return undefined
  const buffers = { features: engine.allocate(wanted.features), targets: engine.allocate(wanted.targets) }
  if (buffers.features.writeRows === undefined || buffers.targets.writeRows === undefined) return undefined
  for (const { first, batch } of readBlocks(source, model)) {
    await buffers.features.writeRows(first, batch.features)
    await buffers.targets.writeRows(first, batch.targets)
  }
  return buffers
}

function checkFits(neededBytes: number): void {
  const availableBytes = availableMemoryBytes()
  if (neededBytes <= availableBytes) return
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`
  throw new TalwegError({
    code: 'DOES_NOT_FIT',
    operation: 'fit',
    problem: `gd keeps all rows in memory: they take ${megabytes(neededBytes)} and ${megabytes(availableBytes)} are free`,
    hint: 'use --method sgd, which reads them from the disk',
  })
}

function inType(data: TensorData, dtype: TensorData['dtype']): TensorData {
  return data.dtype === dtype ? data : tensorData(dtype, data.shape, data.data)
}

/** The first rows of a batch in the types that the model is fed with; `leading` says how many, step by step. */
export function feed(model: FitModel, batch: Batch, leading: readonly number[]): Record<string, TensorData> {
  const numRows = numElements(leading)
  const part = ({ dtype, data }: TensorData, rowSize: number, shape: readonly number[]): TensorData => ({
    dtype,
    shape,
    data: data.length === numRows * rowSize ? data : data.subarray(0, numRows * rowSize),
  })
  const { numFeatures, dtype } = model
  return {
    features: inType(part(batch.features, numFeatures, [...leading, numFeatures]), dtype),
    targets: inType(part(batch.targets, 1, leading), targetType(model)),
  }
}
