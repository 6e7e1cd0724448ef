/**
 * Bringing a model of the rest of the world: `config.json` says what it is, and every tensor of its files finds the parameter
 * that it is. Nothing is passed over: a tensor that is missing, of another shape, or of no known use is an error naming it.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import { nearest } from '../../core/nearest.js'
import { sameShape, type Shape, type TensorData } from '../../core/shape.js'
import type { Module } from '../../nn/index.js'
import { isSystemError } from '../disk.js'
import { TensorFiles } from '../safetensors/tensorFiles.js'
import { families } from './families/index.js'
import { unusable, type Config, type Family, type PretrainedFacts } from './family.js'
import { asFloat32, splitColumns, toOurs } from './layout.js'
import { pairUp, type Pairing } from './rows.js'

export const configName = 'config.json'

/** A class of models: what `loadPretrained` is to give. */
export type ModelClass<M extends Module> = abstract new (...args: never[]) => M

/**
 * Loads a model that Hugging Face's Transformers (or torchvision, or timm) has saved.
 *
 * Its weights are the first values of a training: `model: () => loadPretrained('gpt2', nn.GPT)`.
 *
 * @param location a folder with `config.json` and `model.safetensors` (or its shards and their index); for torchvision's ResNets, which have no
 *   configuration, also a `.safetensors` file alone
 * @param expected the class that it has to be of
 * @throws FILE_NOT_FOUND; INVALID_FILE naming the tensor or the key of the configuration that is wrong
 * @example const model = await loadPretrained('bert-base-uncased', nn.BERT)
 */
export async function loadPretrained<M extends Module = Module>(
  location: string,
  expected?: ModelClass<M>,
): Promise<M> {
  const files = await TensorFiles.open(location)
  try {
    const facts = await gatherFacts(location, files)
    const family = familyOf(facts)
    const model = family.make(facts)
    if (expected !== undefined && !(model instanceof expected)) {
      throw unusable(
        facts.file,
        `it is of a ${family.name} model, nn.${model.constructor.name}, not of nn.${expected.name}`,
        `load it as nn.${model.constructor.name}`,
      )
    }
    await fill(model, family, files)
    return model as Module as M
  } finally {
    await files.close()
  }
}

async function gatherFacts(location: string, { entries }: TensorFiles): Promise<PretrainedFacts> {
  const isFile = location.endsWith('.safetensors')
  const file = isFile ? location : path.join(location, configName)
  return { config: isFile ? {} : await readConfig(file), file, entries }
}

/** What a folder's `config.json` has; nothing where there is none. */
async function readConfig(file: string): Promise<Config> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return {}
    throw error
  }
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch {
    throw unusable(file, 'it is not JSON')
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw unusable(file, 'it is not a JSON object')
  return config as Config
}

function familyOf(facts: PretrainedFacts): Family {
  const found = families.find((family) => family.isIn(facts))
  if (found !== undefined) return found
  const { model_type: type, architectures } = facts.config
  const names = families.map(({ name }) => name).join(', ')
  const said = JSON.stringify(type ?? architectures)
  throw unusable(
    facts.file,
    said === undefined ? 'no "model_type" says what model this is' : `there is no model of type ${said} here`,
    `Talweg reads ${names}`,
  )
}

/** Gives every parameter its value. */
async function fill(model: Module, family: Family, files: TensorFiles): Promise<void> {
  const pairings = pairUp(model, family.rows)
  const nameOf = prefixRule(family, files)
  const names = new Map(pairings.map((pairing) => [nameOf(pairing.theirs), pairing]))
  refuseUnknown(model, family, files, names)
  for (const [name, pairing] of names) {
    const entry = files.entries.get(name)
    if (entry === undefined) throw missing(name, pairing, names, files)
    checkShape(name, pairing, entry.type.shape, files)
    give(pairing, asFloat32(await files.read(entry)))
  }
}

/** Their names as these files have them: with the family's prefix or without. */
function prefixRule({ prefix }: Family, { entries }: TensorFiles): (name: string) => string {
  if (prefix === undefined || [...entries.keys()].some((name) => name.startsWith(prefix))) return (name) => name
  return (name) => (name.startsWith(prefix) ? name.slice(prefix.length) : name)
}

function give({ ours, layout }: Pairing, theirs: TensorData): void {
  const parts = splitColumns(toOurs(theirs, layout), ours.map(({ parameter }) => parameter.type.shape)) // prettier-ignore
  for (const [index, { parameter }] of ours.entries()) parameter.loaded = parts[index]
}

function refuseUnknown(model: Module, family: Family, files: TensorFiles, names: ReadonlyMap<string, Pairing>): void {
  for (const [name, { stored, type }] of files.entries) {
    if (names.has(name) || family.isIgnored?.(name, model) === true) continue
    const near = nearest(name, names.keys())
    throw refused(
      files.fileOf(name),
      `tensor "${name}" (${stored} [${type.shape.join(',')}]) is none of this ${family.name} model's`,
      near === undefined
        ? `the configuration makes a nn.${model.constructor.name} without it`
        : `the nearest is "${near}"`,
    )
  }
}

function missing(
  name: string,
  { shape, ours }: Pairing,
  names: ReadonlyMap<string, Pairing>,
  files: TensorFiles,
): TalwegError {
  // prettier-ignore
  const near = nearest(name, [...files.entries.keys()].filter((known) => !names.has(known))) // prettier-ignore
  return refused(
    files.location,
    `there is no tensor "${name}" ([${shape.join(',')}], for ${ours.map(({ path: each }) => each).join(', ')})`,
    near === undefined ? 'the configuration is of another model than the weights' : `the nearest is "${near}"`,
  )
}

function checkShape(name: string, { shape, ours, layout }: Pairing, found: Shape, files: TensorFiles): void {
  if (sameShape(shape, found)) return
  const paths = ours.map(({ path: each, parameter }) => `${each} [${parameter.type.shape.join(',')}]`).join(', ')
  const order = layout === 'same' ? '' : `, ${layout}`
  throw refused(
    files.fileOf(name),
    `tensor "${name}" is [${found.join(',')}] and has to be [${shape.join(',')}], for ${paths}${order}`,
    'the configuration is of another model than the weights',
  )
}

function refused(file: string, problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: 'loadPretrained', problem, hint, place: { file } })
}
