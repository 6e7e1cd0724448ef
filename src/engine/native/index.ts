/** The engine for CPUs, at the speed of the hardware. Node only. */
export { createNativeEngine } from './engine.js'
export { openCommunicator, type CommunicatorOptions } from './communicator.js'
export { addonPath, howToBuild } from './addon.js'
