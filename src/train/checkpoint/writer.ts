/**
 * Checkpoints written while training goes on. The state has been copied out of the engine; writing, summing and flushing
 * the copy happens behind the next steps. At most one is in flight, so at most one copy of the state is in memory.
 */
import { writeCheckpoint, type Snapshot } from './folder.js'

export class CheckpointWriter {
  readonly #folder: string
  readonly #keep: number
  #inFlight: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined
  /** The step of the newest checkpoint that is on the disk, or being written. */
  #newestStep: number | undefined

  /** @param newestStep the checkpoint from which the run was resumed */
  constructor(folder: string, keep: number, newestStep?: number) {
    this.#folder = folder
    this.#keep = keep
    this.#newestStep = newestStep
  }

  get newestStep(): number | undefined {
    return this.#newestStep
  }

  /**
   * Starts writing. Waits for the one before, and throws what that one failed with.
   *
   * @param take copies the state; called once the one before is out of memory
   */
  async start(take: () => Promise<Snapshot>): Promise<void> {
    await this.finish()
    const snapshot = await take()
    this.#newestStep = snapshot.step
    this.#inFlight = writeCheckpoint(this.#folder, snapshot, this.#keep).then(
      () => undefined,
      (error: unknown) => void (this.#failure = { error }),
    )
  }

  /** Throws what a write in the background has failed with, if one has. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Waits until all is on the disk. @throws DISK_FULL */
  async finish(): Promise<void> {
    await this.#inFlight
    this.#inFlight = undefined
    this.check()
  }
}
