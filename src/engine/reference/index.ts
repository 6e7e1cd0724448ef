/** The engine that defines what the others have to compute. */
export { createReferenceEngine } from './engine.js'
