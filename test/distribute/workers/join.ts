/** How the workers of these tests find each other: by what mpirun puts into the environment; one alone opens nothing. */
import type { Communicator } from '../../../src/engine/communicator.js'
import { openCommunicator } from '../../../src/engine/native/index.js'

export const rank = Number(process.env['OMPI_COMM_WORLD_RANK'] ?? 0)
export const size = Number(process.env['OMPI_COMM_WORLD_SIZE'] ?? 1)

export async function join(timeoutMs = 60_000): Promise<Communicator | undefined> {
  return size === 1 ? undefined : openCommunicator({ rank, size, timeoutMs })
}
