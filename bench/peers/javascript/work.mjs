/** What a peer in JavaScript starts from: the description of the work, its weights and batches. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

const arrays = { F32: Float32Array, I32: Int32Array }

/** @returns {Record<string, { shape: number[], data: Float32Array | Int32Array }>} */
function readSafetensors(file) {
  const bytes = readFileSync(file)
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0))
  const entries = Object.entries(JSON.parse(bytes.subarray(8, headerEnd).toString()))
  return Object.fromEntries(
    entries
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [begin, end],
          },
        ]) => {
          const own = Uint8Array.from(bytes.subarray(headerEnd + begin, headerEnd + end))
          return [name, { shape, data: new arrays[dtype](own.buffer) }]
        },
      ),
  )
}

/** `batches` are the inputs of one batch after the other, each in the order of `work.inputs`. */
export function readWork(folder) {
  const work = JSON.parse(readFileSync(path.join(folder, 'work.json'), 'utf8'))
  const stacked = readSafetensors(path.join(folder, 'batches.safetensors'))
  const [numBatches] = stacked[work.inputs[0]].shape
  const batches = Array.from({ length: numBatches }, (_, batch) =>
    work.inputs.map((name) => {
      const { shape, data } = stacked[name]
      const size = data.length / numBatches
      return { shape: shape.slice(1), data: data.slice(batch * size, (batch + 1) * size) }
    }),
  )
  return { ...work, batches, weights: readSafetensors(path.join(folder, 'weights.safetensors')) }
}
