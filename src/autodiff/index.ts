/** Derivatives: `grad`, `valueAndGrad`, `gradients`, rematerialisation. */
export { grad, gradients, remat, valueAndGrad, type ValueAndGradient } from './grad.js'
export { stopGradient } from '../ops/structure.js'
