/** The families that are exchanged with others. */
import type { Family } from '../family.js'
import { gpt2 } from './gpt2.js'

// A family's own functions are only called with models that its `has` has let through.
export const families = [gpt2] as unknown as readonly Family[]
