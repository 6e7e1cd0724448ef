/**
 * Bringing a model of the rest of the world: `config.json` says what it is, and every tensor of its files finds the parameter
 * that it is. Nothing is passed over: a tensor that is missing, of another shape, or of no known use is an error naming it.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import { nearest } from '../../core/nearest.js'
import { sameShape, type TensorData } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import type { Module } from '../../nn/index.js'
import { isSystemError } from '../disk.js'
import type { TensorEntry } from '../safetensors/header.js'
import { TensorFiles } from '../safetensors/tensorFiles.js'
import { families } from './families/index.js'
import { unusable, type Config, type Family, type ModelClass, type PretrainedFacts } from './family.js'
import { asFloat32, splitColumns, toOurs } from './layout.js'
import { pairUp, type Pairing } from './rows.js'

export const configName = 'config.json'

export interface LoadPretrainedOptions {
  /**
   * For a classifier: a new last layer, of so many classes, instead of the one that the file may have. A part before it that the
   * file lacks (BERT's pooler) is new as well.
   */
  readonly numClasses?: number
}

/**
 * Loads a model that Hugging Face's Transformers (or torchvision, or timm) has saved.
 *
 * Its weights are the first values of a training: `model: () => loadPretrained('gpt2', nn.GPT)`.
 *
 * @param location a folder with `config.json` and `model.safetensors` (or its shards and their index); for torchvision's
 *   ResNets, which have no configuration, also a `.safetensors` file alone
 * @param expected the class that it has to be of; of BERT's classes the one that is wanted, whichever the file's is
 * @throws FILE_NOT_FOUND; INVALID_FILE naming the tensor or the key of the configuration that is wrong
 * @example const model = await loadPretrained('bert-base-uncased', nn.BERTSequenceClassifier, { numClasses: 2 })
 */
export async function loadPretrained<M extends Module = Module>(
  location: string,
  expected?: ModelClass<M>,
  { numClasses }: LoadPretrainedOptions = {},
): Promise<M> {
  checkOptions('loadPretrained', { numClasses: [numClasses, ranges.count] })
  const files = await TensorFiles.open(location)
  try {
    const isFile = location.endsWith('.safetensors')
    const file = isFile ? location : path.join(location, configName)
    const config = isFile ? {} : await readConfig(file)
    const facts = { config, file, entries: files.entries, expected, numClasses }
    const family = familyOf(facts)
    const named = { ...facts, entries: renamed(family, files) }
    const model = family.make(named)
    if (expected !== undefined && !(model instanceof expected)) throw ofAnotherClass(model, family, expected, file)
    await fill(model, family, files, named)
    return model as Module as M
  } finally {
    await files.close()
  }
}

function ofAnotherClass(model: Module, { name }: Family, expected: ModelClass, file: string): TalwegError {
  const found = model.constructor.name
  return unusable(file, `it is of a ${name} model, nn.${found}, not of nn.${expected.name}`, `load it as nn.${found}`)
}

/** Tensors by the names that the family has for them now. */
function renamed({ rename = (name) => name }: Family, { entries }: TensorFiles): ReadonlyMap<string, TensorEntry> {
  return new Map(Array.from(entries, ([name, entry]) => [rename(name), entry]))
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
  // A class of another family is told as such once the model is made.
  const found =
    families.find((family) => family.isIn(facts)) ??
    families.find((family) => family.isIn({ ...facts, expected: undefined }))
  if (found !== undefined) return found
  const { model_type: type, architectures } = facts.config
  throw unusable(
    facts.file,
    type === undefined
      ? 'no "model_type" says what model this is, and its tensors are not those of a ResNet'
      : `there is no model of type ${JSON.stringify(type)} (${JSON.stringify(architectures ?? null)}) here`,
    `Talweg reads ${families.map(({ name }) => name).join(', ')}`,
  )
}

/** Gives every parameter its value, but those of parts that are to be new. */
async function fill(model: Module, family: Family, files: TensorFiles, facts: PretrainedFacts): Promise<void> {
  const { entries } = facts
  const pairings = pairUp(model, family.rows)
  requireClassifier(pairings, model, facts)
  const nameOf = prefixRule(family, facts)
  const names = new Map(pairings.map((pairing) => [nameOf(pairing.theirs), pairing]))
  refuseUnknown(model, family, files, facts, names)
  for (const [name, pairing] of names) {
    const entry = entries.get(name)
    if (isNew(pairing, entry, facts)) continue
    if (entry === undefined) throw missing(name, pairing, names, facts)
    checkShape(pairing, entry, files)
    give(pairing, asFloat32(await files.read(entry)))
  }
}

function requireClassifier(pairings: readonly Pairing[], model: Module, { numClasses }: PretrainedFacts): void {
  if (numClasses === undefined || pairings.some(({ part }) => part === 'classifier')) return
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'loadPretrained',
    problem: `numClasses is ${numClasses}, and nn.${model.constructor.name} has no classifier`,
    hint: 'name a class that has one, such as nn.BERTSequenceClassifier',
  })
}

function isNew({ part }: Pairing, entry: TensorEntry | undefined, { numClasses }: PretrainedFacts): boolean {
  return numClasses !== undefined && (part === 'classifier' || (part === 'pooler' && entry === undefined))
}

/** Their names as these files have them: with the family's prefix or without. */
function prefixRule({ prefix }: Family, { entries }: PretrainedFacts): (name: string) => string {
  if (prefix === undefined || [...entries.keys()].some((name) => name.startsWith(prefix))) return (name) => name
  return (name) => (name.startsWith(prefix) ? name.slice(prefix.length) : name)
}

function give({ ours, layout }: Pairing, theirs: TensorData): void {
  const shapes = ours.map(({ parameter }) => parameter.type.shape)
  const parts = splitColumns(toOurs(theirs, layout), shapes)
  for (const [index, { parameter }] of ours.entries()) parameter.loaded = parts[index]
}

function refuseUnknown(
  model: Module,
  family: Family,
  files: TensorFiles,
  facts: PretrainedFacts,
  names: ReadonlyMap<string, Pairing>,
): void {
  for (const [name, entry] of facts.entries) {
    if (names.has(name) || family.isIgnored?.(name, model, facts) === true) continue
    const near = nearest(name, names.keys())
    throw unusable(
      files.fileOf(entry.name),
      `tensor "${entry.name}" (${entry.stored} [${entry.type.shape.join(',')}]) is none of this ${family.name} model's`,
      near === undefined
        ? `the configuration makes a nn.${model.constructor.name} without it`
        : `the nearest is "${near}"`,
    )
  }
}

function missing(
  name: string,
  { shape, ours, part }: Pairing,
  names: ReadonlyMap<string, Pairing>,
  { entries, file }: PretrainedFacts,
): TalwegError {
  const unused = [...entries.keys()].filter((known) => !names.has(known))
  const near = nearest(name, unused)
  const other =
    part === undefined ? 'the configuration is of another model than the weights' : 'for a new one say { numClasses }'
  return unusable(
    path.dirname(file),
    `there is no tensor "${name}" ([${shape.join(',')}], for ${ours.map(({ path: each }) => each).join(', ')})`,
    near === undefined ? other : `the nearest is "${near}"`,
  )
}

function checkShape({ shape, ours, layout }: Pairing, { name, type }: TensorEntry, files: TensorFiles): void {
  if (sameShape(shape, type.shape)) return
  const paths = ours.map(({ path: each, parameter }) => `${each} [${parameter.type.shape.join(',')}]`).join(', ')
  const order = layout === 'same' ? '' : `, ${layout}`
  throw unusable(
    files.fileOf(name),
    `tensor "${name}" is [${type.shape.join(',')}] and has to be [${shape.join(',')}], for ${paths}${order}`,
    'the configuration is of another model than the weights',
  )
}
