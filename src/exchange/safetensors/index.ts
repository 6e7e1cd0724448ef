/** The safetensors format. */
export type { SafetensorsHeader, TensorEntry } from './header.js'
export { readSafetensors, readSafetensorsHeader, SafetensorsFile } from './reader.js'
export {
  replaceSafetensors,
  outgoingBytes,
  writeSafetensors,
  type NamedTensors,
  type OutgoingTensor,
} from './writer.js'
