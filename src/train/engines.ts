/** Opening the engine that a run asked for; `auto` is the native one where it was built, else the portable one. */
import { TalwegError } from '../core/errors.js'
import type { Engine, EngineName, EngineOptions } from '../engine/engine.js'

export const engineNames = ['native', 'portable', 'reference'] as const satisfies readonly EngineName[]
export const engineChoices = ['auto', ...engineNames] as const
export type EngineChoice = (typeof engineChoices)[number]

/** Each is loaded only when it is asked for. */
const factories: { readonly [E in EngineName]: (options: EngineOptions) => Promise<Engine> } = {
  native: async (options) => (await import('../engine/native/index.js')).createNativeEngine(options),
  portable: async () => (await import('../engine/portable/index.js')).createPortableEngine(),
  reference: async () => (await import('../engine/reference/index.js')).createReferenceEngine(),
}

/**
 * @param notify is told in one line what was chosen instead of the native engine, and what to install
 * @throws ENGINE_UNAVAILABLE
 */
export async function openEngine(
  choice: EngineChoice,
  options: EngineOptions,
  notify: (message: string) => void,
): Promise<Engine> {
  if (options.communicator !== undefined && choice !== 'native' && choice !== 'auto') {
    throw new TalwegError({
      code: 'UNSUPPORTED_BY_ENGINE',
      operation: 'train',
      problem: `the ${choice} engine trains on one worker, not on ${options.communicator.size}`,
      hint: 'use --engine native for more than one worker',
    })
  }
  if (options.communicator !== undefined) return factories.native(options)
  if (choice !== 'auto') return factories[choice](options)
  try {
    return await factories.native(options)
  } catch (error) {
    if (!(error instanceof TalwegError) || error.code !== 'ENGINE_UNAVAILABLE') throw error
    notify(
      `using the portable engine, several times slower: ${error.problem}. For the native one: ${error.hint ?? 'see talweg doctor'}`,
    )
    return factories.portable(options)
  }
}
