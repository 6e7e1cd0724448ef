/** BERT and its heads. */
export {
  BERTMaskedLanguageModel,
  BERTSequenceClassifier,
  BERTTokenClassifier,
  type BERTClassifierOptions,
  type MaskedLanguageModelInputs,
} from './heads.js'
export { BERT, type BERTInputs, type BERTResults } from './model.js'
export { type BERTConfigName, type BERTOptions, type ResolvedBERTOptions } from './options.js'
