/** Which engines there are here. One that can't be had is a skipped test that says why; with CI=true native must be there. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TalwegError } from '../../../src/core/errors.js'
import type { Engine, EngineName } from '../../../src/engine/engine.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { createPortableEngine } from '../../../src/engine/portable/index.js'
import { createReferenceEngine } from '../../../src/engine/reference/index.js'

export const reference = createReferenceEngine()

/** The engine, or why there is none. */
async function tryEngine(name: EngineName, create: () => Engine | Promise<Engine>): Promise<Engine | string> {
  if (wanted !== undefined && !wanted.includes(name)) return `TALWEG_TEST_ENGINES is ${wanted}`
  try {
    return await create()
  } catch (error) {
    if (error instanceof TalwegError && error.code === 'ENGINE_UNAVAILABLE') return error.message
    throw error
  }
}

/** Set by tests that run the suite once more for one engine. */
const wanted = process.env['TALWEG_TEST_ENGINES']?.split(',')

const found: Readonly<Record<EngineName, Engine | string>> = {
  reference: await tryEngine('reference', () => reference),
  native: await tryEngine('native', () => createNativeEngine()),
  portable: await tryEngine('portable', () => createPortableEngine()),
}

/** Declares tests once for each engine, in a group with its name. */
export function forEachEngine(what: string, declare: (engine: Engine) => void): void {
  for (const [name, engine] of Object.entries(found)) {
    if (typeof engine !== 'string') describe(`${name}: ${what}`, () => declare(engine))
    else if (name === 'native' && process.env['CI'] === 'true') test(`${name}: ${what}`, () => assert.fail(engine))
    else test(`${name}: ${what}`, { skip: engine }, () => undefined)
  }
}
