/**
 * Node's heap without what tracing and compiling left there. V8 keeps 33 MB for new objects once it has needed them, and looks
 * for garbage only when it makes more; while an engine computes, nothing does. So a training would reach the most that it
 * takes with all of that in memory.
 *
 * `gc()` collects, and keeps the room for new objects; V8's own inspector asks for what gives memory back.
 */
import { setImmediate } from 'node:timers/promises'

export async function emptyHeap(): Promise<void> {
  // A Node that was built without an inspector has no other way.
  if (!process.features.inspector) return
  const { Session } = await import('node:inspector')
  const session = new Session()
  session.connect()
  await new Promise<void>((resolve, reject) => {
    session.post('HeapProfiler.collectGarbage', (error) => (error === null ? resolve() : reject(error)))
  })
  // The answer comes from within V8's own task: a session that is closed there hangs.
  await setImmediate()
  session.disconnect()
}
