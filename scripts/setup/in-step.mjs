/**
 * Exits 0 where node_modules holds what package-lock.json says, 1 where `npm ci` is needed.
 *
 * npm records what it installed in node_modules/.package-lock.json. Optional packages (those of another platform) may
 * be missing from it. What is there besides does no harm: work trees of several commits may share one node_modules.
 */
import { readFileSync } from 'node:fs'

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

const wanted = packagesOf('package-lock.json')
const installed = packagesOf('node_modules/.package-lock.json')
const inStep =
  wanted !== undefined &&
  installed !== undefined &&
  Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true
    const found = installed[path]
    return found === undefined ? optional === true : found.version === version && found.integrity === integrity
  })
process.exit(inStep ? 0 : 1)
