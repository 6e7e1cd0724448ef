/** Layers, losses and models. */
export { Module } from './module.js'
export {
  isTraining,
  Parameter,
  updateParameter,
  withParameters,
  type AnyParameter,
  type ModelScope,
} from './parameter.js'
export * as initializers from './initializers.js'
export type { Initializer } from './initializers.js'
export { accuracy, binaryCrossEntropy, crossEntropy, huber, Mean, meanOf, squaredError, type CrossEntropyLossOptions } from './losses.js' // prettier-ignore
export { activations, Dropout, type ActivationName } from './layers/activation.js'
export { MultiHeadAttention, type KeyValueCache, type MultiHeadAttentionOptions } from './layers/attention.js'
export { AveragePool2d, Conv2d, MaxPool2d, type Conv2dOptions } from './layers/convolution.js'
export { Embedding, Linear, type LinearOptions } from './layers/linear.js'
export { BatchNorm, LayerNorm, RMSNorm } from './layers/normalisation.js'
export { GPT, type GPTOptions } from './models/gpt.js'
export { MLP, type MLPOptions } from './models/mlp.js'
export { Sequential, type Layer } from './sequential.js'
