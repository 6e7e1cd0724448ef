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
export { AdaptiveAveragePool2d } from './layers/adaptivePool.js'
export {
  MultiHeadAttention,
  type KeyValueCache,
  type MultiHeadAttentionOptions,
  type Turn,
} from './layers/attention.js'
export { AveragePool2d, Conv2d, MaxPool2d, type Conv2dOptions } from './layers/convolution.js'
export { FeedForward, type FeedForwardOptions } from './layers/feedForward.js'
export { Embedding, Linear, type LinearOptions } from './layers/linear.js'
export { BatchNorm, LayerNorm, RMSNorm } from './layers/normalisation.js'
export { BasicBlock, BottleneckBlock, type ResidualOptions } from './layers/residual.js'
export { RotaryEmbedding, type RotaryOptions, type RotaryScaling, type RotaryTable } from './layers/rotary.js'
export { SwiGLU, type SwiGLUOptions } from './layers/swiGLU.js'
export * from './models/bert/index.js'
export * from './models/gpt/index.js'
export * from './models/resnet/index.js'
export { parameterValue } from './parameterValue.js'
export { maskPlaces, type MaskedPlaces } from './maskPlaces.js'
export { maskTokens, type MaskedTokens, type MaskTokensOptions } from './maskTokens.js'
export { MLP, type MLPOptions } from './models/mlp.js'
export { Sequential, type Layer } from './sequential.js'
export { freeze } from './tuning/freeze.js'
export { lora, LowRankAdapter, mergeLora, type LoraOptions } from './tuning/lora.js'
export { type PathPattern } from './tuning/match.js'
