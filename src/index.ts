/**
 * Talweg: training models by gradient descent, from TypeScript.
 *
 * What a training file imports: `defineTraining` and the families `nn`, `optim`, `data`, `ops`.
 */
export { grad, gradients, remat, stopGradient, valueAndGrad } from './autodiff/index.js'
export { errorCodes, exitCodes, TalwegError, type ErrorCode, type ErrorPlace } from './core/errors.js'
export type { DType } from './core/dtype.js'
export type { Shape, TensorData, TensorType } from './core/shape.js'
export * as data from './data/index.js'
export {
  loadPretrained,
  type LoadPretrainedOptions,
  savePretrained,
  type ModelClass,
  type SavePretrainedOptions,
} from './exchange/pretrained/index.js'
export { Tensor, trace, type AnyTensor } from './graph/index.js'
export * as nn from './nn/index.js'
export * as ops from './ops/index.js'
export * as optim from './optim/index.js'
export { tunable, type Tunable, type TunableChoices, type TunableRange } from './train/tunable.js'
export {
  defineTraining,
  Training,
  type BatchTensor,
  type BatchTensors,
  type DataFacts,
  type TrainingDefinition,
} from './train/training.js'
