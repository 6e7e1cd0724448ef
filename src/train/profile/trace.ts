/**
 * A profile's times as a trace in Chrome's Trace Event Format, which https://ui.perfetto.dev and chrome://tracing open.
 * Two tracks: the calls as the loop makes them, and what the engine's thread does in them.
 */
import type { Profile } from './profile.js'
import type { TracedCall } from './profiler.js'
import { formatName } from './names.js'

interface TraceEvent {
  readonly name: string
  readonly ph: 'X' | 'M'
  /** Microseconds. */
  readonly ts: number
  readonly dur?: number
  readonly pid: number
  readonly tid: number
  readonly cat?: string
  readonly args: Readonly<Record<string, string | number>>
}

const pid = 1
const loopThread = 1
const engineThread = 2

export interface Trace {
  readonly traceEvents: readonly TraceEvent[]
  readonly displayTimeUnit: 'ms'
}

/** @param stepsBefore steps of the training before the first call */
export function makeTrace(calls: readonly TracedCall[], profile: Profile, stepsBefore: number): Trace {
  const traceEvents = [
    metadata('process_name', loopThread, 'talweg train'),
    metadata('thread_name', loopThread, 'training loop'),
    metadata('thread_name', engineThread, profile.engine),
  ]
  const describe = describeInstructions(profile)
  let step = stepsBefore
  for (const call of calls) {
    const name = `call of ${call.times.steps} step${call.times.steps === 1 ? '' : 's'}`
    traceEvents.push(span(name, 'call', loopThread, call.startSeconds, call.startSeconds + call.seconds, {}))
    addSteps(traceEvents, call, step, describe)
    step += call.times.steps
  }
  return { traceEvents, displayTimeUnit: 'ms' }
}

type Described = readonly { readonly name: string; readonly kind: string; readonly args: TraceEvent['args'] }[]

function describeInstructions({ instructions }: Profile): Described {
  return instructions.map((instruction) => {
    const { kind, operation, place, index, flops, bytes } = instruction
    return {
      name: place === undefined ? operation : `${operation} ${place}`,
      kind,
      args: { instruction: index, is: formatName(instruction), flops, bytes },
    }
  })
}

function addSteps(
  events: TraceEvent[],
  { startSeconds, times: { steps, marks } }: TracedCall,
  before: number,
  describe: Described,
): void {
  const width = marks.length / steps
  for (let step = 0; step < steps; step++) {
    const at = (mark: number): number => startSeconds + marks[step * width + mark]
    events.push(span(`step ${before + step + 1}`, 'step', engineThread, at(0), at(width - 1), {}))
    describe.forEach(({ name, kind, args }, index) =>
      events.push(span(name, kind, engineThread, at(index + 1), at(index + 2), args)),
    )
  }
}

function span(
  name: string,
  cat: string,
  tid: number,
  start: number,
  end: number,
  args: TraceEvent['args'],
): TraceEvent {
  return { name, cat, ph: 'X', ts: microseconds(start), dur: microseconds(end - start), pid, tid, args }
}

function metadata(name: string, tid: number, value: string): TraceEvent {
  return { name, ph: 'M', ts: 0, pid, tid, args: { name: value } }
}

/** To the nanosecond, which is what clocks have. */
function microseconds(seconds: number): number {
  return Math.round(seconds * 1e9) / 1e3
}
