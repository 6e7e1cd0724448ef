/** Reads what PyTorch computed (fixtures/README.md). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { TensorData } from '../../src/core/shape.js'
import { readSafetensors } from '../../src/exchange/safetensors/index.js'

const folder = path.join(import.meta.dirname, 'fixtures')

export type ModelName = 'gpt' | 'mlp' | 'convnet'
export type OptimizerName = 'adamw' | 'sgd'

export interface Fixture {
  /** Tensors of a group (`parameters`, `gradients`, `adamw`, `sgd`, `batches`), by name. */
  readonly group: (name: string) => ReadonlyMap<string, TensorData>
  /** Inputs and targets of a step. */
  readonly batch: (step: number) => { readonly inputs: TensorData; readonly targets: TensorData }
  readonly loss: number
  readonly losses: Readonly<Record<OptimizerName, readonly number[]>>
  readonly steps: number
  readonly adamw: Readonly<Record<'learningRate' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay', number>>
  readonly sgd: Readonly<Record<'learningRate' | 'momentum', number>>
}

export async function readFixture(model: ModelName): Promise<Fixture> {
  const tensors = await readSafetensors(path.join(folder, `${model}.safetensors`))
  const numbers = JSON.parse(readFileSync(path.join(folder, `${model}.json`), 'utf8')) as Omit<
    Fixture,
    'group' | 'batch'
  >
  const group = (name: string): Map<string, TensorData> => {
    const inGroup = [...tensors].filter(([key]) => key.startsWith(`${name}/`))
    assert.ok(inGroup.length > 0, `the fixture has ${name}`)
    return new Map(inGroup.map(([key, tensor]) => [key.slice(name.length + 1), tensor]))
  }
  const batches = group('batches')
  const batch = (step: number): { inputs: TensorData; targets: TensorData } => ({
    inputs: row(batches.get('inputs')!, step),
    targets: row(batches.get('targets')!, step),
  })
  return { ...numbers, group, batch }
}

/** Row `index` of the first dimension, counted round and round. */
function row({ dtype, shape, data }: TensorData, index: number): TensorData {
  const size = data.length / shape[0]
  const start = (index % shape[0]) * size
  return { dtype, shape: shape.slice(1), data: data.slice(start, start + size) }
}
