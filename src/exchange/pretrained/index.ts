/** Models of the rest of the world, in and out. */
export { loadPretrained, type ModelClass } from './load.js'
export { describeModel, savePretrained, type SavePretrainedOptions } from './save.js'
