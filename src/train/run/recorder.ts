/**
 * Keeps a run's reports: `metrics.jsonl` and TensorBoard's events while it goes on, the loss curve at its end. Writes
 * happen one after another behind the training; a failure is thrown at the next report.
 */
import { writeFile } from 'node:fs/promises'
import { orDiskFull } from '../../exchange/disk.js'
import { cutReportsAfter, drawLossCurve, EventFile, MetricsLog, readReports, type Report } from '../metrics/index.js'
import type { RunFolder } from './folder.js'

export class RunRecorder {
  readonly #folder: RunFolder
  readonly #log: MetricsLog
  readonly #events: EventFile
  /** The last report before the step from which the run goes on. */
  readonly previous: Report | undefined
  #writing: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined

  private constructor(folder: RunFolder, log: MetricsLog, events: EventFile, previous: Report | undefined) {
    this.#folder = folder
    this.#log = log
    this.#events = events
    this.previous = previous
  }

  /** @param step the step from which the run goes on; reports after it are cut */
  static async open(folder: RunFolder, step: number): Promise<RunRecorder> {
    const previous = await cutReportsAfter(folder.metrics, step)
    return new RunRecorder(
      folder,
      await MetricsLog.open(folder.metrics),
      await EventFile.create(folder.path, step + 1),
      previous,
    )
  }

  /** Throws what an earlier write has failed with. */
  record(report: Report): void {
    if (this.#failure !== undefined) throw this.#failure.error
    this.#writing = this.#writing
      .then(async () => {
        await this.#log.write(report)
        await this.#events.write(report)
      })
      .catch((error: unknown) => void (this.#failure ??= { error }))
  }

  /** Waits for all to be written. @throws DISK_FULL */
  async flush(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Draws the loss curve of the whole run. */
  async draw(): Promise<void> {
    await this.flush()
    const svg = await drawLossCurve(await readReports(this.#folder.metrics), this.#folder.name)
    await orDiskFull(this.#folder.lossCurve, () => writeFile(this.#folder.lossCurve, svg))
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#log.close()
    await this.#events.close()
  }
}
