/**
 * A worker of three that ends in one of the ways in which workers end. Each says its process first.
 *
 *     endings.ts agreeing|absent|silent|looping|exiting|throwing|forgetful
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { TalwegError } from '../../../src/core/errors.js'
import type { Communicator } from '../../../src/engine/communicator.js'
import { join, rank, size } from './join.js'

const ending = process.argv[2]
const timeoutMs = Number(process.argv[3] ?? 60_000)

function bytesOf(worker: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 7 + worker)
}

function assertSame(messages: readonly Uint8Array[], wanted: readonly Uint8Array[]): void {
  assert.equal(messages.length, wanted.length)
  for (const [index, bytes] of messages.entries()) assert.equal(Buffer.compare(bytes, wanted[index]), 0)
}

/** Worker by worker messages of other lengths: none, some, and more than fit one message. */
async function agree(communicator: Communicator): Promise<void> {
  assert.equal(communicator.hosts().length, size)
  for (const length of [0, 1, 4096, 4097, 2_500_000]) {
    const given = bytesOf(rank, length * (rank + 1))
    const wanted = Array.from({ length: size }, (_, worker) => bytesOf(worker, length * (worker + 1)))
    assertSame(await communicator.allGather(given), wanted)
    assertSame((await communicator.gather(given)) ?? [], rank === 0 ? wanted : [])
    for (const from of [0, size - 1]) {
      assertSame([await communicator.broadcast(rank === from ? given : undefined, from)], [wanted[from]])
    }
  }
  assert.ok(communicator.exchanged().bytesSent > 2_500_000)
  assert.equal(communicator.exchanged().bytesSent, 0)
  await communicator.close()
  await communicator.close()
}

async function loop(communicator: Communicator): Promise<never> {
  for (;;) await communicator.allGather(bytesOf(rank, 100))
}

console.log(`worker ${rank} is process ${process.pid}`)
try {
  if (rank === size - 1 && ending === 'absent') await sleep(60_000)
  const communicator = (await join(timeoutMs))!
  console.log(`worker ${rank} has joined`)
  if (ending === 'agreeing') await agree(communicator)
  else if (ending === 'forgetful') await communicator.allGather(bytesOf(rank, 1))
  else if (rank === size - 1 && ending === 'silent') await sleep(60_000)
  else if (rank === size - 1 && ending === 'exiting') process.exit(3)
  else if (rank === size - 1 && ending === 'throwing')
    throw new TalwegError({ code: 'INTERNAL', operation: 'endings', problem: 'as it should be' }) // prettier-ignore
  else await loop(communicator)
} catch (error) {
  if (!(error instanceof TalwegError)) throw error
  console.error(`worker ${rank}: ${error.code}: ${error.message}`)
  process.exitCode = error.exitCode
}
