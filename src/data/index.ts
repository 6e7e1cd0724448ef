/**
 * The data room: sources that can be read at any place, and the reader that makes batches of them.
 *
 * Training files use it as `data.characters(…)`, `data.table(…)` and so on.
 */
export { arrays, type ArrayInput, type ArraysOptions } from './arrays.js'
export { augmentImages } from './augmentImages.js'
export { characters, type CharactersOptions } from './characters.js'
export { idx, images, type IdxOptions, type ImagesOptions } from './images.js'
export { type AugmentOptions } from './images/augment.js'
export { BatchReader, readInOrder, rowsOfShare, type BatchReaderOptions, type Share } from './reader.js'
export { Permutation, ShuffledOrder } from './permutation.js'
export {
  allocateBatch,
  gatherRows,
  type Batch,
  type BatchElement,
  type DataSource,
  type JsonValue,
  type ResidentData,
  type SampleIndices,
  type SourceDescription,
} from './source.js'
export { type TextCodec } from './text/codec.js'
export { restoreTextCodec } from './text/restore.js'
export { texts, type TextsOptions } from './texts.js'
export { tokens, type TokensOptions } from './tokens.js'
export { table, type TableOptions } from './table.js'
export { describeTable, type TableColumn, type TableDescription } from './table/describe.js'
export {
  toTableUnits,
  type FeatureDesign,
  type InputDesign,
  type MissingPolicy,
  type TableDesign,
  type TargetDesign,
} from './table/design.js'
export { prepareRows, restoreTableDesign, type PreparedRows } from './table/predict.js'
export { type TableSource } from './table/tableSource.js'
