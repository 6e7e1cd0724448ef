/**
 * This worker among the others, as the training loop sees it. Tensors are exchanged by the program's own instructions; what
 * workers have to agree on besides (who is there, what the next call does, when to stop) goes through here.
 *
 * Every worker makes the same calls in the same order. Each call has a deadline: with nothing heard for as long, it ends in
 * `EXCHANGE_TIMEOUT`, which names the workers that didn't come. After an error nothing can be exchanged any more.
 */
export interface Communicator {
  /** This worker, from 0. */
  readonly rank: number
  /** How many workers there are. */
  readonly size: number
  /** Where each worker is. */
  hosts(): readonly string[]
  /** What worker `from` (0 by default) gives; the others give undefined. */
  broadcast(bytes: Uint8Array | undefined, from?: number): Promise<Uint8Array>
  /** What each worker gives, in their order, at worker 0; undefined at the others. */
  gather(bytes: Uint8Array): Promise<readonly Uint8Array[] | undefined>
  /** What each worker gives, in their order, at every worker. */
  allGather(bytes: Uint8Array): Promise<readonly Uint8Array[]>
  /** What was exchanged since this was last asked. */
  exchanged(): Exchanged
  /**
   * Waits for all workers to call it, then ends the connection. A worker that ends without it makes mpirun end the others.
   * It may be called again.
   */
  close(): Promise<void>
}

export interface Exchanged {
  /** By this worker, of tensors and all else. */
  readonly bytesSent: number
  /** While tensors were under way, whether or not the engine computed meanwhile. */
  readonly secondsExchanging: number
  /** While the engine had nothing to do but wait for them. */
  readonly secondsWaiting: number
}
