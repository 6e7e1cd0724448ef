/** Leaving parameters as they are, for fine-tuning: they get no gradient, no place in the optimiser, and no decay. */
import type { Module } from '../module.js'
import { chosenBy, type PathPattern } from './match.js'

/**
 * Freezes the trained parameters whose paths match. Batch norm's running statistics still move.
 *
 * @returns the model
 * @example nn.freeze(model, ['*Embedding.weight', 'blocks.0.**'])
 * @example nn.freeze(model, (path) => !path.startsWith('output.'))
 * @throws INVALID_SETTING where none matches
 */
export function freeze<M extends Module>(model: M, pattern: PathPattern): M {
  const parameters = model.namedParameters()
  const trained = [...parameters].flatMap(([path, { trainable }]) => (trainable ? [path] : []))
  for (const path of chosenBy('freeze', pattern, 'trained parameter', trained)) parameters.get(path)!.trainable = false
  return model
}
