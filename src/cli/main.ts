#!/usr/bin/env node
/**
 * The `talweg` command. Only this small file is loaded before it is known what is wanted, so that `talweg --version`
 * answers at once and no command waits for another's libraries.
 */
import { readFileSync } from 'node:fs'

const args = process.argv.slice(2)
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  process.stdout.write(`${manifest.version}\n`)
} else {
  void import('./run.js').then(async ({ run }) => {
    process.exitCode = await run(args)
  })
}
