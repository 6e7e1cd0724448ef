/** A run's model as Hugging Face keeps it, with the tokenizer that it was trained with. */
import path from 'node:path'
import type { TensorData } from '../../core/shape.js'
import { replaceFile } from '../../exchange/disk.js'
import { savePretrained } from '../../exchange/pretrained/index.js'
import type { Module } from '../../nn/index.js'
import type { JsonValue } from '../checkpoint/index.js'

const tokenizerName = 'tokenizer.json'

/**
 * @param data what the run's data said of itself
 * @returns the names of the files
 * @throws INVALID_SETTING where the model's family has no format, DISK_FULL
 */
export async function exportAsHuggingFace(
  model: Module,
  weights: ReadonlyMap<string, TensorData>,
  data: JsonValue,
  folder: string,
): Promise<string[]> {
  const files = await savePretrained(model, folder, { weights })
  return [...files, ...(await writeTokenizer(data, folder))]
}

/** The tokenizer, where the run was trained with one of Hugging Face's. */
export async function writeTokenizer(data: JsonValue, folder: string): Promise<string[]> {
  const { codec } = Object(data) as { readonly codec?: { readonly kind?: string; readonly tokenizer?: JsonValue } }
  if (codec?.kind !== 'tokenizer' || codec.tokenizer === undefined) return []
  await replaceFile(path.join(folder, tokenizerName), `${JSON.stringify(codec.tokenizer)}\n`)
  return [tokenizerName]
}
