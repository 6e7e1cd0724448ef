/** `npm run bench -- CASE…`: Talweg and its peers in turn, in one go, on the same work. */
import { TalwegError } from '../../src/core/errors.js'
import { measure } from './measure.js'
import { readOptions, usage } from './options.js'
import { formatLine, formatTable } from './report.js'
import type { SystemResult } from './statistics.js'

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return console.log(usage)
  const options = readOptions(args)
  const results: SystemResult[] = []
  for (const example of options.cases) {
    for (const precision of example.precisions.filter((name) => options.precisions.includes(name))) {
      const measured = await measure(example, precision, options, (message) => console.error(message))
      results.push(...measured.results)
      if (options.json) for (const result of measured.results) console.log(formatLine(result))
    }
  }
  if (!options.json) console.log(formatTable(results))
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof TalwegError ? error.message : error)
  process.exitCode = 1
}
