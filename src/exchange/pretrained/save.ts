/** Taking a model to the rest of the world: the files that Transformers and torchvision load unchanged. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import type { TensorData } from '../../core/shape.js'
import { mergeLora, parameterValue, type Module } from '../../nn/index.js'
import { orDiskFull, replaceFile } from '../disk.js'
import { otherTensorFiles, writeTensorFiles } from '../safetensors/tensorFiles.js'
import type { OutgoingTensor } from '../safetensors/writer.js'
import { families, familyOfModel } from './families/index.js'
import type { Family } from './family.js'
import { joinColumns, toTheirs } from './layout.js'
import { configName } from './load.js'
import { pairUp, type Pairing } from './rows.js'

export interface SavePretrainedOptions {
  /** The parameters' values by path, such as a checkpoint's; by default those that the model was loaded with. */
  readonly weights?: ReadonlyMap<string, TensorData>
  /** Bytes of tensors that a file holds at most. Default 5 GB. */
  readonly maxShardBytes?: number
}

/**
 * Writes a model as Hugging Face keeps it: `config.json` and `model.safetensors`, in shards where it is large. What LoRA has
 * learnt is added to the weights that it belongs to.
 *
 * @param folder made if it is not there; a model that is in it is replaced
 * @returns the names of the files written
 * @throws DISK_FULL; INVALID_SETTING where no family is the model's; CHECKPOINT_MISMATCH where a weight is not given, or is of another type
 * @example await savePretrained(model, 'out/gpt2', { weights })
 */
export async function savePretrained(
  model: Module,
  folder: string,
  { weights, maxShardBytes = 5e9 }: SavePretrainedOptions = {},
): Promise<string[]> {
  const family = familyOf(model)
  const pairings = pairUp(model, family.rows)
  const values = mergeLora(model, weights ?? loadedValues(model))
  const tensors = [
    ...pairings.map((pairing) => outgoing(writtenName(pairing.theirs, family), pairing, values)),
    ...(family.extras?.(pairings) ?? []),
  ]
  await orDiskFull(folder, () => mkdir(folder, { recursive: true }))
  await writeConfig(family, model, folder)
  const written = await writeTensorFiles(folder, tensors, maxShardBytes)
  await removeOthers(folder, written)
  return [configName, ...written]
}

async function writeConfig(family: Family, model: Module, folder: string): Promise<void> {
  await replaceFile(path.join(folder, configName), `${JSON.stringify(family.describe(model), undefined, 2)}\n`)
}

/** Writes `config.json` alone, where others have one for the model. @returns its name, if so */
export async function describeModel(model: Module, folder: string): Promise<string[]> {
  const family = familyOfModel(model)
  if (family === undefined) return []
  await writeConfig(family, model, folder)
  return [configName]
}

function familyOf(model: Module): Family {
  const found = familyOfModel(model)
  if (found !== undefined) return found
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'savePretrained',
    problem: `the model is ${model.constructor.name}; no format of others is known for it`,
    hint: `models of ${families.map(({ name }) => name).join(', ')} can be saved; any other can be exported as ONNX`,
  })
}

function loadedValues(model: Module): Map<string, TensorData> {
  const loaded = Array.from(model.namedParameters(), ([name, parameter]) => [name, parameter.loaded] as const)
  return new Map(loaded.filter((entry): entry is [string, TensorData] => entry[1] !== undefined))
}

function writtenName(theirs: string, { prefix = '', isPrefixWritten = true }: Family): string {
  return !isPrefixWritten && theirs.startsWith(prefix) ? theirs.slice(prefix.length) : theirs
}

function outgoing(
  name: string,
  { shape, layout, ours }: Pairing,
  weights: ReadonlyMap<string, TensorData>,
): OutgoingTensor {
  const values = ours.map((each) => parameterValue('savePretrained', each.path, each.parameter.type, weights))
  return { name, type: { dtype: 'f32', shape }, take: () => toTheirs(joinColumns(values), layout) }
}

/** Files of a model that was here before; a reader would take them for this one's. */
async function removeOthers(folder: string, written: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    if (otherTensorFiles.test(name) && !written.includes(name)) await rm(path.join(folder, name))
  }
}
