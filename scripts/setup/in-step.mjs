/**
 * Exits 0 where node_modules holds what package-lock.json says, 1 where `npm ci` is needed.
 *
 * npm records what it installed in node_modules/.package-lock.json; a package that it has not recorded counts by its own
 * version. Optional packages (those of another platform) may be missing. What is there besides does no harm: work trees of
 * several commits may share one node_modules, and one that emptied it would do so for all.
 */
import { readFileSync } from 'node:fs'

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

const wanted = read('package-lock.json')?.packages
const installed = read('node_modules/.package-lock.json')?.packages
const inStep =
  wanted !== undefined &&
  installed !== undefined &&
  Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true
    const found = installed[path]
    if (found !== undefined) return found.version === version && found.integrity === integrity
    return optional === true || read(`${path}/package.json`)?.version === version
  })
process.exit(inStep ? 0 : 1)
