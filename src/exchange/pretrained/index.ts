/** Models of the rest of the world, in and out. */
export { loadPretrained, type ModelClass } from './load.js'
export { savePretrained, type SavePretrainedOptions } from './save.js'
