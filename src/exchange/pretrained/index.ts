/** Models of the rest of the world, in and out. */
export type { ModelClass } from './family.js'
export { loadPretrained, type LoadPretrainedOptions } from './load.js'
export { describeModel, savePretrained, type SavePretrainedOptions } from './save.js'
