/** The model of a run: made by its training file, with the weights of its newest whole checkpoint. */
import { TalwegError } from '../core/errors.js'
import type { TensorData } from '../core/shape.js'
import type { Module } from '../nn/index.js'
import { loadNewestWhole, type JsonValue } from '../train/checkpoint/index.js'
import { factsOf, type RunFolder, type Training } from '../train/index.js'
import { callUserAsync } from '../train/userCode.js'
import { loadTraining } from './trainingFile.js'

export interface RunModel {
  readonly training: Training
  readonly model: Module
  /** By path. */
  readonly parameters: ReadonlyMap<string, TensorData>
  /** Steps that the checkpoint has seen. */
  readonly step: number
  /** What the run's data said of itself. */
  readonly data: JsonValue
}

/**
 * @param facts what the model may ask of the data
 * @throws FILE_NOT_FOUND, INVALID_FILE naming the run, CHECKPOINT_DAMAGED, INVALID_TRAINING
 */
export async function loadRunModel(
  run: RunFolder,
  command: string,
  facts: Parameters<typeof factsOf>[0],
  warn: (message: string) => void,
): Promise<RunModel> {
  const { file, data, overrides } = await run.readDescription()
  const checkpoint = await loadNewestWhole(run.checkpoints, warn)
  if (checkpoint === undefined) throw runFault(run, command, 'the run has no checkpoint yet', 'train it first')
  if (file === null)
    throw runFault(run, command, 'the run does not say from which file it was trained', 'train from a file')
  const training = await loadTraining(run.resolve(file), command, overrides)
  const model = await callUserAsync('model', () => training.definition.model(factsOf(facts)))
  return { training, model, parameters: checkpoint.model, step: checkpoint.manifest.step, data }
}

export function runFault(run: RunFolder, command: string, problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: command, problem, hint, place: { file: run.path } })
}
