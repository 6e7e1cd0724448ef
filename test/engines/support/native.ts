/** For tests that only the native engine is fast enough for. */
import { TalwegError } from '../../../src/core/errors.js'
import { openEngine } from '../../../src/train/index.js'

/** Why there is no native engine here, to skip by; with CI=true there must be one. */
export async function lackingNative(): Promise<string | undefined> {
  try {
    await openEngine('native', {}, () => undefined)
    return undefined
  } catch (error) {
    const isAbsent = error instanceof TalwegError && error.code === 'ENGINE_UNAVAILABLE'
    if (!isAbsent || process.env['CI'] === 'true') throw error
    return error.message
  }
}
