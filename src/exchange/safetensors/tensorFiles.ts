/**
 * Tensors that may lie in several files: one `.safetensors`, or a folder with `model.safetensors`, or with
 * `model.safetensors.index.json`, which names for each tensor the file (shard) that has it. Index and shards must agree: a
 * tensor that only one of them knows is an error, and a shard lies beside the index, never elsewhere.
 */
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { nearest } from '../../core/nearest.js'
import type { TensorData } from '../../core/shape.js'
import { isSystemError, parseJson, replaceFile } from '../disk.js'
import { invalid, type TensorEntry } from './header.js'
import { SafetensorsFile } from './reader.js'
import { outgoingBytes, replaceSafetensors, type OutgoingTensor } from './writer.js'

export const singleName = 'model.safetensors'
export const indexName = 'model.safetensors.index.json'

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

export class TensorFiles {
  /** Where the tensors are, as the user named it. */
  readonly location: string
  readonly entries: ReadonlyMap<string, TensorEntry>
  readonly #fileOf: ReadonlyMap<string, SafetensorsFile>
  readonly #files: readonly SafetensorsFile[]

  private constructor(location: string, files: readonly SafetensorsFile[]) {
    const placed = files.flatMap((file) => file.header.tensors.map((entry) => ({ entry, file })))
    this.location = location
    this.entries = new Map(placed.map(({ entry }) => [entry.name, entry]))
    this.#fileOf = new Map(placed.map(({ entry, file }) => [entry.name, file]))
    this.#files = files
  }

  /**
   * Opens a file, or the files of a folder.
   *
   * @throws FILE_NOT_FOUND, INVALID_FILE
   */
  static async open(location: string): Promise<TensorFiles> {
    const isFolder = await stat(location).then((found) => found.isDirectory(), () => false) // prettier-ignore
    if (!isFolder) return new TensorFiles(location, [await SafetensorsFile.open(location)])
    const shards = await readIndex(location)
    if (shards === undefined)
      return new TensorFiles(location, [await SafetensorsFile.open(path.join(location, singleName))])
    const files: SafetensorsFile[] = []
    try {
      for (const name of new Set(shards.values())) files.push(await SafetensorsFile.open(path.join(location, name)))
      checkIndex(shards, files, path.join(location, indexName))
      return new TensorFiles(location, files)
    } catch (error) {
      await Promise.all(files.map((file) => file.close()))
      throw error
    }
  }

  /** @throws INVALID_FILE */
  async read(entry: TensorEntry): Promise<TensorData> {
    return this.#fileOf.get(entry.name)!.read(entry)
  }

  /** The file that has a tensor. */
  fileOf(name: string): string {
    return this.#fileOf.get(name)?.file ?? this.location
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()))
  }
}

/** For each tensor its shard's file name; undefined where there is no index. */
async function readIndex(folder: string): Promise<ReadonlyMap<string, string> | undefined> {
  const file = path.join(folder, indexName)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
  const parsed = indexSchema.safeParse(parseJson(text))
  if (!parsed.success) throw invalid(file, 'it is not JSON with a "weight_map" of file names')
  const shards = new Map(Object.entries(parsed.data.weight_map))
  for (const [name, shard] of shards) {
    if (shard !== path.basename(shard) || !shard.endsWith('.safetensors'))
      throw invalid(file, `tensor "${name}" is said to be in "${shard}", which is no file beside the index`)
  }
  return shards
}

function checkIndex(shards: ReadonlyMap<string, string>, files: readonly SafetensorsFile[], index: string): void {
  const found = new Map<string, string>()
  for (const { file, header } of files) {
    for (const { name } of header.tensors) {
      const shard = path.basename(file)
      const said = shards.get(name)
      if (said === shard) found.set(name, shard)
      else if (said === undefined)
        throw invalid(index, `"${shard}" has the tensor "${name}", which the index does not name`)
      else throw invalid(index, `"${shard}" has the tensor "${name}", which the index says is in "${said}"`)
    }
  }
  for (const [name, shard] of shards) {
    if (found.has(name)) continue
    const near = nearest(name, found.keys())
    const hint = near === undefined ? undefined : `it has "${near}"; fetch the index and its shards again`
    throw invalid(index, `"${shard}" has no tensor "${name}"`, hint)
  }
}

/**
 * Writes tensors into a folder: in one file, or in shards with an index where they are larger together than one may be. The
 * index, which makes shards a whole, is written last.
 *
 * @throws DISK_FULL
 */
export async function writeTensorFiles(
  folder: string,
  tensors: readonly OutgoingTensor[],
  maxShardBytes: number,
): Promise<string[]> {
  const shards = cutIntoShards(tensors, maxShardBytes)
  if (shards.length === 1) {
    await replaceSafetensors(path.join(folder, singleName), tensors)
    return [singleName]
  }
  const weightMap: Record<string, string> = {}
  const names: string[] = []
  for (const [index, shard] of shards.entries()) {
    const name = `model-${fiveDigits(index + 1)}-of-${fiveDigits(shards.length)}.safetensors`
    await replaceSafetensors(path.join(folder, name), shard)
    for (const tensor of shard) weightMap[tensor.name] = name
    names.push(name)
  }
  const totalBytes = tensors.reduce((sum, tensor) => sum + outgoingBytes(tensor), 0)
  const content = { metadata: { total_size: totalBytes }, weight_map: weightMap }
  await replaceFile(path.join(folder, indexName), `${JSON.stringify(content, undefined, 2)}\n`)
  return [...names, indexName]
}

function fiveDigits(value: number): string {
  return String(value).padStart(5, '0')
}

/** In order, each as full as it may be; a tensor that is larger than a shard has one to itself. */
function cutIntoShards(tensors: readonly OutgoingTensor[], maxShardBytes: number): OutgoingTensor[][] {
  const shards: OutgoingTensor[][] = [[]]
  let used = 0
  for (const tensor of tensors) {
    const size = outgoingBytes(tensor)
    if (used > 0 && used + size > maxShardBytes) {
      shards.push([])
      used = 0
    }
    shards.at(-1)!.push(tensor)
    used += size
  }
  return shards
}

/** A folder of tensors that is written must not keep those of before beside them. */
export const otherTensorFiles = /^model(-\d{5}-of-\d{5}\.safetensors|\.safetensors(\.index\.json)?)$/
