/**
 * Checkpoints, of which the slow half is written while training goes on. The state goes from the engine to the system's file
 * cache in small pieces while nothing trains, which takes about as long as a copy of it would and no memory of this process;
 * bringing it to the disk and naming it happens behind the next steps. At most one is in flight.
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
   * Starts writing; returns once the snapshot's tensors may change. Waits for the one before, and throws what that one
   * failed with.
   */
  async start(snapshot: Snapshot): Promise<void> {
    await this.finish()
    this.#newestStep = snapshot.step
    await new Promise<void>((taken) => {
      this.#inFlight = writeCheckpoint(this.#folder, snapshot, this.#keep, taken)
        .then(
          () => undefined,
          (error: unknown) => void (this.#failure = { error }),
        )
        .finally(taken)
    })
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
