/** The families that are exchanged with others. */
import type { Module } from '../../../nn/index.js'
import type { Family } from '../family.js'
import { bertFamilies } from './bert.js'
import { gpt2 } from './gpt2.js'
import { llama } from './llama.js'
import { resnet } from './resnet.js'

// A family's own functions are only called with models that its `has` has let through.
export const families = [gpt2, llama, ...bertFamilies, resnet] as unknown as readonly Family[]

/** A model's family, or undefined where others have none for it. */
export function familyOfModel(model: Module): Family | undefined {
  return families.find((family) => family.has(model))
}
