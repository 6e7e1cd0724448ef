/** `npm run bench -- CASE…`: Talweg and its peers in turn, in one go, on the same work. */
import { TalwegError } from '../../src/core/errors.js'
import type { Case, Precision } from '../cases/index.js'
import { checkBuilt } from './built.js'
import { coreLatencyNanoseconds } from './coreLatency.js'
import { describeMachine, talwegCommit } from './machine.js'
import { measure, type Measured } from './measure.js'
import { readOptions, usage, type BenchOptions } from './options.js'
import { formatLine, formatTable } from './report.js'
import { saveResults } from './resultFile.js'
import type { SystemResult } from './statistics.js'

async function measureOne(example: Case, precision: Precision, options: BenchOptions): Promise<Measured> {
  const before = await coreLatencyNanoseconds()
  const measured = await measure(example, precision, options, (message) => console.error(message))
  const after = await coreLatencyNanoseconds()
  const latency = `${before.toFixed(0)} and ${after.toFixed(0)} ns between the cores, before and after`
  console.error(`${example.name} ${precision}: ${latency}`)
  if (options.save === undefined) return measured
  const circumstances = {
    date: new Date().toISOString(),
    commit: talwegCommit(),
    threads: options.threads,
    pairs: options.pairs,
    coreLatencyNanoseconds: [Math.round(before), Math.round(after)] as const,
  }
  const kept = measured.results.map((result) => ({
    ...result,
    version: measured.versions[result.system] ?? null,
    ...circumstances,
  }))
  saveResults(options.save, describeMachine(), kept)
  return measured
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return console.log(usage)
  const options = readOptions(args)
  if (options.launches > 0) checkBuilt()
  const results: SystemResult[] = []
  for (const example of options.cases) {
    for (const precision of example.precisions.filter((name) => options.precisions.includes(name))) {
      try {
        const measured = await measureOne(example, precision, options)
        results.push(...measured.results)
        if (options.json) for (const result of measured.results) console.log(formatLine(result))
      } catch (error) {
        // The other cases may still be measured; the exit code tells.
        complain(error)
      }
    }
  }
  if (!options.json && results.length > 0) console.log(formatTable(results))
}

function complain(error: unknown): void {
  const isExpected = error instanceof TalwegError || String(Object(error).code).startsWith('ERR_PARSE_ARGS')
  console.error(isExpected ? (error as Error).message : error)
  process.exitCode = 1
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  complain(error)
}
