/** Regression on tables: `fit` and `predict`. */
export {
  fit,
  fitMethods,
  type CrossValidationOptions,
  type FitMethod,
  type FitObserver,
  type FitOptions,
  type FitResult,
  type FittedModel,
  type FoldChoice,
} from './fit.js'
export type { CrossValidation, RateScore } from './crossValidation/crossValidate.js'
export { modelKinds, type ModelKind } from './model.js'
export { loadModel, saveModel, writingFailed } from './modelFile.js'
export { classesOf, predictRows, type Prediction } from './predict.js'
