/** Checkpoints: written whole, verified when read. */
export {
  checkpointName,
  latestCheckpoint,
  listCheckpoints,
  modelFileName,
  optimizerFileName,
  removeTemporaries,
  writeCheckpoint,
  type CheckpointEntry,
  type Snapshot,
} from './folder.js'
export type { JsonValue, Manifest } from './manifest.js'
export { loadCheckpoint, loadNewestWhole, verifyCheckpoint, type LoadedCheckpoint } from './resume.js'
export { CheckpointWriter } from './writer.js'
