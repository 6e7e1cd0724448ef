/** The safetensors format. */
export type { SafetensorsHeader, TensorEntry } from './header.js'
export { readSafetensors, readSafetensorsHeader, SafetensorsFile } from './reader.js'
export {
  outgoing,
  outgoingBytes,
  replaceSafetensors,
  writeSafetensors,
  writeSafetensorsUnflushed,
  type NamedTensors,
  type OutgoingTensor,
} from './writer.js'
