/**
 * `metrics.jsonl`: a report a line. A run that is resumed cuts what came after the checkpoint's step, so that the file
 * reads as if the run had never stopped.
 */
import { open, readFile, truncate, type FileHandle } from 'node:fs/promises'
import { orDiskFull } from '../../exchange/disk.js'
import type { Report } from './report.js'

export const metricsName = 'metrics.jsonl'

export class MetricsLog {
  readonly #file: string
  readonly #handle: FileHandle

  private constructor(file: string, handle: FileHandle) {
    this.#file = file
    this.#handle = handle
  }

  static async open(file: string): Promise<MetricsLog> {
    return orDiskFull(file, async () => new MetricsLog(file, await open(file, 'a')))
  }

  /** @throws DISK_FULL */
  async write(report: Report): Promise<void> {
    await orDiskFull(this.#file, () => this.#handle.appendFile(`${JSON.stringify(report)}\n`))
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** The reports of a file; a last line that a crash has cut short is left out. Empty where there is no file. */
export async function readReports(file: string): Promise<Report[]> {
  return (await readLines(file)).map(({ report }) => report)
}

/**
 * Cuts the lines after `step`, and a line cut short.
 *
 * @returns the last report that is left
 */
export async function cutReportsAfter(file: string, step: number): Promise<Report | undefined> {
  const lines = await readLines(file)
  const kept = lines.findLastIndex(({ report }) => report.step <= step)
  if (kept < 0 && lines.length === 0) return undefined
  await truncate(file, kept < 0 ? 0 : lines[kept].endBytes)
  return lines[kept]?.report
}

interface ReportLine {
  readonly report: Report
  /** Where the line ends in the file, its line feed included. */
  readonly endBytes: number
}

async function readLines(file: string): Promise<ReportLine[]> {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0))
  const lines: ReportLine[] = []
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0x0a, start)
    if (end < 0) break
    const report = parseReport(bytes.toString('utf8', start, end))
    if (report === undefined) break
    lines.push({ report, endBytes: end + 1 })
    start = end + 1
  }
  return lines
}

function parseReport(line: string): Report | undefined {
  try {
    const report = JSON.parse(line) as Report
    return typeof report.step === 'number' ? report : undefined
  } catch {
    return undefined
  }
}
