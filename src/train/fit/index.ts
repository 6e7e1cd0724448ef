/** Regression on tables: `fit` and `predict`. */
export {
  fit,
  fitMethods,
  type FitMethod,
  type FitObserver,
  type FitOptions,
  type FitResult,
  type FittedModel,
} from './fit.js'
export { modelKinds, type ModelKind } from './model.js'
export { loadModel, saveModel, writingFailed } from './modelFile.js'
export { classesOf, predictRows, type Prediction } from './predict.js'
