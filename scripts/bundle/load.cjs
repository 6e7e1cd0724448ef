/**
 * Loads `talweg.cjs`, once in a process. V8's compiled form of it lies beside (`talweg.cjs.cache`, written by the build after
 * a training, so with the functions that a training needs). V8 refuses one that is of another version of its own; then
 * Node compiles the file, and keeps what it compiled where it can (22 and newer).
 */
'use strict'
const { readFileSync } = require('node:fs')

const file = `${__dirname}/talweg.cjs`
/** A script that V8 made from a cache can't import by itself. */
const importModule = (name) => import(name)
let loaded

/** @param cachedData what the cache holds; the build gives none */
function compile(cachedData) {
  const { Script } = require('node:vm')
  // esbuild writes ASCII; as Latin-1 it need not be decoded.
  const text = `(function (module, require, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`
  return new Script(text, { filename: file, cachedData })
}

function evaluate(script) {
  const module = { exports: undefined }
  script.runInThisContext()(module, require, file, __dirname)
  return module.exports(importModule)
}

function readCache() {
  try {
    return readFileSync(`${file}.cache`)
  } catch {
    return undefined
  }
}

function load() {
  const { enableCompileCache } = require('node:module')
  // With --enable-source-maps Node reads the maps of what it loads itself.
  if (process.sourceMapsEnabled) return require(file)(importModule)
  const cachedData = readCache()
  const script = cachedData === undefined ? undefined : compile(cachedData)
  if (script !== undefined && (!script.cachedDataRejected || enableCompileCache === undefined)) return evaluate(script)
  enableCompileCache?.()
  return require(file)(importModule)
}

const parts = () => (loaded ??= load())

module.exports = { compile, evaluate, run: () => parts().run(), talweg: () => parts().talweg() }
