/** Residual networks. */
export { type ResNetConfigName } from './configs.js'
export { ResNet, type ResNetOptions } from './model.js'
