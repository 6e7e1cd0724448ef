/** GPT-2, GPT-3 and Llama. */
export { type GPTConfigName } from './configs.js'
export { GPT } from './model.js'
export { type GPTOptions, type ResolvedGPTOptions } from './options.js'
