/**
 * Writes what a case's peers start from. For a training: Talweg's initial weights, the first batches in the order in which
 * Talweg sees them, and `work.json`, which says what the model is and how it is trained. For a table: its rows as `fit` reads
 * them, and their order.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadTraining } from '../../../src/cli/trainingFile.js'
import { sizeBytes, tensorData, type TensorData } from '../../../src/core/shape.js'
import {
  allocateBatch,
  BatchReader,
  ShuffledOrder,
  table,
  type Batch,
  type DataSource,
} from '../../../src/data/index.js'
import { BERTMaskedLanguageModel, GPT, MLP, ResNet, type Module } from '../../../src/nn/index.js'
import { writeSafetensors } from '../../../src/exchange/safetensors/index.js'
import { describeSettings, prepareTraining, TrainingSession } from '../../../src/train/session.js'
import { target } from '../../cases/linear.js'

/** Peers go through these again and again; where more steps are checked, through a batch for each of them. */
const usualBatches = 64
const maxBytes = 32e6

/** The first batches, each input's behind each other: `[batches, batch, …]`. */
function firstBatches(source: DataSource, seed: number, batchSize: number, numWanted: number): Batch {
  const bytes = Object.values(source.element).reduce((sum, type) => sum + sizeBytes(type), 0) * batchSize
  const numBatches = Math.max(1, numWanted, Math.min(usualBatches, Math.floor(maxBytes / bytes)))
  const reader = new BatchReader(source, { seed, batchSize })
  const stacks: Record<string, TensorData> = {}
  for (let index = 0; index < numBatches; index++) {
    for (const [name, { dtype, shape, data }] of Object.entries(reader.nextSync())) {
      stacks[name] ??= tensorData(dtype, [numBatches, ...shape])
      stacks[name].data.set(data as never, index * data.length)
    }
  }
  return stacks
}

function describeModel(model: Module): { model: string; options: object } {
  if (model instanceof GPT) return { model: 'gpt', options: model.options }
  if (model instanceof BERTMaskedLanguageModel) return { model: 'bert', options: model.bert.options }
  if (model instanceof MLP) return { model: 'mlp', options: {} }
  if (model instanceof ResNet) return { model: 'resnet', options: model.options }
  return { model: model.constructor.name.toLowerCase(), options: {} }
}

async function prepareTrainingCase(file: string, into: string, numBatches: number): Promise<object> {
  const training = await loadTraining(file)
  const settings = training.settings({ engine: 'native' })
  const prepared = await prepareTraining(training, settings, (message) => console.error(message))
  const weights = await (await TrainingSession.open(prepared)).copyModel()
  const batches = firstBatches(prepared.source, settings.seed, prepared.batchSize, numBatches)
  const { optimizer, learningRate } = describeSettings(prepared)
  await writeSafetensors(path.join(into, 'weights.safetensors'), weights)
  await writeSafetensors(path.join(into, 'batches.safetensors'), new Map(Object.entries(batches)))
  await prepared.source.close()
  return {
    ...describeModel(prepared.model),
    inputs: prepared.step.inputs,
    batchSize: prepared.batchSize,
    optimizer: { ...(optimizer as object), learningRate },
  }
}

async function prepareFitCase(file: string, into: string, method: string, learningRate: number): Promise<object> {
  const source = await table(file, { target, standardize: false, intercept: true, task: 'regression' })
  const { numSamples, element } = source
  const rows = allocateBatch(element, numSamples)
  const all = Float64Array.from({ length: numSamples }, (_, row) => row)
  source.gatherSync(all, rows)
  const order = new ShuffledOrder(numSamples, 0)
  const places = tensorData(
    'i32',
    [numSamples],
    Array.from(all, (row) => order.at(row)),
  )
  await writeSafetensors(path.join(into, 'batches.safetensors'), new Map(Object.entries({ ...rows, order: places })))
  await source.close()
  return { model: 'linear', method, learningRate }
}

const { values } = parseArgs({
  options: {
    file: { type: 'string', default: '' },
    into: { type: 'string', default: '' },
    method: { type: 'string' },
    rate: { type: 'string', default: '' },
    batches: { type: 'string', default: '0' },
  },
})
mkdirSync(values.into, { recursive: true })
const work =
  values.method === undefined
    ? await prepareTrainingCase(values.file, values.into, Number(values.batches))
    : await prepareFitCase(values.file, values.into, values.method, Number(values.rate))
writeFileSync(path.join(values.into, 'work.json'), `${JSON.stringify(work, null, 2)}\n`)
