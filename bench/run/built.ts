/** Launches are of the command as it is built; a build older than its sources would be measured for what it is not. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { TalwegError } from '../../src/core/errors.js'
import { pathOf } from './systems.js'

/** @throws FILE_NOT_FOUND where there is no build, or an older one */
export function checkBuilt(): void {
  const sources = pathOf('src')
  const built = pathOf('dist/cli/main.js')
  const builtMs = existsSync(built) ? statSync(built).mtimeMs : 0
  const newer = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .find((file) => statSync(path.join(sources, file)).mtimeMs > builtMs)
  if (newer === undefined) return
  throw new TalwegError({
    code: 'FILE_NOT_FOUND',
    operation: 'bench',
    problem: `dist/ is older than src/${newer}`,
    hint: 'npm run build, or --launches 0 to leave out what is measured of the command itself',
  })
}
