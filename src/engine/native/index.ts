/** The engine for CPUs, at the speed of the hardware. Node only. */
export { createNativeEngine } from './engine.js'
export { addonPath, howToBuild } from './addon.js'
