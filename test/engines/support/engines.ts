/** Which engines there are here. One that can't be had is a skipped test that says why; with CI=true native must be there. */
import { describe, test } from 'node:test'
import { TalwegError } from '../../../src/core/errors.js'
import type { Engine, EngineName } from '../../../src/engine/engine.js'
import { createReferenceEngine } from '../../../src/engine/reference/index.js'

export const reference = createReferenceEngine()

type Factory = () => Engine | Promise<Engine>

/** The engine, or why there is none. */
async function tryEngine(create: () => Promise<Engine>): Promise<Engine | string> {
  try {
    return await create()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return 'not written yet'
    if (error instanceof TalwegError && error.code === 'ENGINE_UNAVAILABLE') return error.message
    throw error
  }
}

async function importFactory(folder: string, factory: string): Promise<Engine> {
  const module = (await import(`../../../src/engine/${folder}/index.js`)) as Readonly<Record<string, Factory>>
  return module[factory]()
}

const found: Readonly<Record<EngineName, Engine | string>> = {
  reference,
  native: await tryEngine(() => importFactory('native', 'createNativeEngine')),
  portable: await tryEngine(() => importFactory('portable', 'createPortableEngine')),
}

/** Declares tests once for each engine, in a group with its name. */
export function forEachEngine(what: string, declare: (engine: Engine) => void): void {
  for (const [name, engine] of Object.entries(found)) {
    if (typeof engine !== 'string') describe(`${name}: ${what}`, () => declare(engine))
    else if (name === 'native' && process.env.CI === 'true')
      test(`${name}: ${what}`, () => Promise.reject(engine)) // prettier-ignore
    else test(`${name}: ${what}`, { skip: engine }, () => undefined)
  }
}
