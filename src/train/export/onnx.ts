/**
 * A training's model as ONNX. What it is called with is known of the families; of any other model it is found by tracing the
 * training's own loss on a batch of its data: the arguments and the result of the model's `forward`.
 */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import type { TensorData } from '../../core/shape.js'
import type { DataSource } from '../../data/index.js'
import { orDiskFull } from '../../exchange/disk.js'
import { exportOnnx, type ExportedOnnx } from '../../exchange/onnx/index.js'
import { isTensor, type AnyTensor } from '../../graph/index.js'
import type { Module } from '../../nn/index.js'
import type { Training } from '../training.js'
import { callOfFamily, type ModelCall } from './familyCalls.js'
import { userBatch } from '../userBatch.js'
import { callUser, callUserAsync } from '../userCode.js'

/** Where transformers.js looks for it, beside `config.json`. */
const onnxFolder = 'onnx'
const onnxName = 'model.onnx'

/**
 * Writes `onnx/model.onnx` into a folder.
 *
 * @throws UNSUPPORTED_BY_ENGINE, INVALID_TRAINING, DISK_FULL
 */
export async function exportModelAsOnnx(
  training: Training,
  model: Module,
  weights: ReadonlyMap<string, TensorData>,
  folder: string,
): Promise<ExportedOnnx> {
  const open = (): Promise<DataSource> => callUserAsync('data', training.definition.data)
  const call = await (callOfFamily(model, open) ?? callOfLoss(training, model, open))
  const target = path.join(folder, onnxFolder)
  await orDiskFull(target, () => mkdir(target, { recursive: true }))
  const { files, inputs } = await exportOnnx(path.join(target, onnxName), { model, weights, ...call })
  return { files: files.map((name) => `${onnxFolder}/${name}`), inputs }
}

/** By the loss: all of a batch goes in, and what the model does not ask for is left out of the file. */
async function callOfLoss(training: Training, model: Module, open: () => Promise<DataSource>): Promise<ModelCall> {
  const source = await open()
  try {
    return traceCall(training, model, source)
  } finally {
    await source.close()
  }
}

function traceCall({ definition }: Training, model: Module, { element }: DataSource): ModelCall {
  const inputs = Object.entries(element).map(([name, { dtype, shape }]) => ({
    name,
    dtype,
    shape: ['batch', ...shape],
  }))
  const forward = (...tensors: AnyTensor[]): Record<string, AnyTensor> => {
    const batch = userBatch(Object.fromEntries(inputs.map(({ name }, index) => [name, tensors[index]])))
    return { logits: firstResult(model, () => void callUser('loss', () => definition.loss(model, batch))) }
  }
  return { inputs, forward }
}

/** What the model's `forward` gives the first time that it is called. */
function firstResult(model: Module, body: () => void): AnyTensor {
  const callable = model as Module & { forward?: (...args: unknown[]) => unknown }
  const { forward } = callable
  let result: unknown
  if (typeof forward === 'function') {
    callable.forward = (...args) => {
      const found = forward.apply(model, args)
      result ??= found
      return found
    }
  }
  try {
    body()
  } finally {
    delete callable.forward
  }
  if (isTensor(result)) return result
  throw new TalwegError({
    code: 'INVALID_TRAINING',
    operation: 'export',
    problem: `the loss does not call ${model.constructor.name}.forward, or that gives no tensor: what is to be exported is not known`,
    hint: "give the model a method forward that takes the batch's tensors and gives one, and call it in the loss",
  })
}
