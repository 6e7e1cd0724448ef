/**
 * Learning rates that change with the step: functions traced into the step's graph, so that many steps can run in one
 * call, each with its own rate.
 */
import { TalwegError } from '../core/errors.js'
import type { Shape } from '../core/shape.js'
import { checkOptions, ranges } from '../graph/checkOptions.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor, Tensor } from '../graph/tensor.js'
import { add, cos, divide, exp, floor, less, minimum, multiply, power, subtract, where } from '../ops/elementwise.js'
import { full } from '../ops/creation.js'

export interface ScheduleContext {
  /** `f32` scalar: steps done before this one. Exact up to 2²⁴. */
  readonly step: AnyTensor
  /** Steps that the whole training takes. */
  readonly totalSteps: number
}

export interface Schedule {
  readonly kind: string
  /** The largest rate: what `--learning-rate` replaces. */
  readonly peak: number
  readonly withPeak: (peak: number) => Schedule
  /** Traces the rate of a step, an `f32` scalar. */
  readonly rate: (context: ScheduleContext) => AnyTensor
}

interface Warmup {
  /** Steps over which the rate rises from 0 (exclusive) to the peak. */
  readonly warmup?: number
}

function make<S extends { readonly peak: number }>(
  kind: string,
  settings: S,
  rate: (settings: S, context: ScheduleContext) => AnyTensor,
): Schedule {
  return {
    kind,
    peak: settings.peak,
    withPeak: (peak) => make(kind, { ...settings, peak }, rate),
    rate: (context) => rate(settings, context),
  }
}

/** `after` from step `warmup` on; before, a straight line: step 0 has peak / warmup, step warmup - 1 the peak. */
function warmed(warmup: number, peak: number, step: AnyTensor, after: AnyTensor): AnyTensor {
  if (warmup === 0) return after
  const rising = multiply(add(step, 1), peak / warmup)
  return where(less(step, warmup) as Tensor<Shape, 'bool'>, rising, after)
}

/** How far the training is after its warm-up, from 0 to 1. */
function progress({ step, totalSteps }: ScheduleContext, warmup: number): AnyTensor {
  return minimum(divide(subtract(step, warmup), Math.max(totalSteps - warmup, 1)), 1)
}

/** The same rate throughout, after a warm-up if there is one. */
export function constant(peak: number, { warmup = 0 }: Warmup = {}): Schedule {
  checkOptions('constant', { peak: [peak, ranges.positive], warmup: [warmup, ranges.countOrNone] })
  return make('constant', { peak, warmup }, (s, { step }) => warmed(s.warmup, s.peak, step, full([], s.peak)))
}

export interface DecayOptions extends Warmup {
  readonly peak: number
  /** The rate at the end, as a share of the peak. Default 0. */
  readonly final?: number
}

function checkDecay(operation: string, { peak, warmup, final }: DecayOptions): void {
  checkOptions(operation, {
    peak: [peak, ranges.positive],
    warmup: [warmup, ranges.countOrNone],
    final: [final, ranges.share],
  })
}

/** A straight line from the peak down to `final` of it. */
export function linear({ peak, warmup = 0, final = 0 }: DecayOptions): Schedule {
  checkDecay('linear', { peak, warmup, final })
  return make('linear', { peak, warmup, final }, (s, context) => {
    const falling = multiply(subtract(1, multiply(progress(context, s.warmup), 1 - s.final)), s.peak)
    return warmed(s.warmup, s.peak, context.step, falling)
  })
}

/** Half a cosine from the peak down to `final` of it. Source: Loshchilov, Hutter, "SGDR", 2016. */
export function cosine({ peak, warmup = 0, final = 0 }: DecayOptions): Schedule {
  checkDecay('cosine', { peak, warmup, final })
  return make('cosine', { peak, warmup, final }, (s, context) => {
    const wave = multiply(add(cos(multiply(progress(context, s.warmup), Math.PI)), 1), 0.5)
    const falling = multiply(add(multiply(wave, 1 - s.final), s.final), s.peak)
    return warmed(s.warmup, s.peak, context.step, falling)
  })
}

export interface StepDecayOptions extends Warmup {
  readonly peak: number
  /** Steps between reductions. */
  readonly every: number
  /** What the rate is multiplied by each time. */
  readonly factor?: number
}

/** Multiplied by `factor` after each `every` steps. */
export function stepDecay({ peak, every, factor = 0.1, warmup = 0 }: StepDecayOptions): Schedule {
  checkOptions('stepDecay', {
    peak: [peak, ranges.positive],
    every: [every, ranges.count],
    factor: [factor, ranges.positiveShare],
    warmup: [warmup, ranges.countOrNone],
  })
  return make('step', { peak, every, factor, warmup }, (s, { step }) => {
    const numReductions = floor(divide(step, s.every))
    const falling = multiply(power(full([], s.factor), numReductions), s.peak)
    return warmed(s.warmup, s.peak, step, falling)
  })
}

export interface ExponentialOptions {
  readonly from: number
  readonly to: number
}

/** From one rate to another, by the same factor each step: what a range test of learning rates goes through. */
export function exponential({ from, to }: ExponentialOptions): Schedule {
  checkOptions('exponential', { from: [from, ranges.positive], to: [to, ranges.positive] })
  const peak = Math.max(from, to)
  return {
    kind: 'exponential',
    peak,
    withPeak: (other) => exponential({ from: (from * other) / peak, to: (to * other) / peak }),
    rate: ({ step, totalSteps }) => {
      const share = divide(step, Math.max(totalSteps - 1, 1))
      return multiply(exp(multiply(share, Math.log(to / from))), from)
    },
  }
}

export interface OneCycleOptions {
  readonly peak: number
  /** Share of the training in which the rate rises. Default 0.3. */
  readonly rise?: number
  /** First rate, as a share of the peak. Default 1/25. */
  readonly initial?: number
  /** Last rate, as a share of the first. Default 1e-4. */
  readonly final?: number
}

/** Up along half a cosine, then down along another. Source: L. Smith, "Super-convergence", 2017. */
export function oneCycle({ peak, rise = 0.3, initial = 1 / 25, final = 1e-4 }: OneCycleOptions): Schedule {
  checkOptions('oneCycle', {
    peak: [peak, ranges.positive],
    rise: [rise, ranges.share],
    initial: [initial, ranges.positiveShare],
    final: [final, ranges.share],
  })
  return make('oneCycle', { peak, rise, initial, final }, (s, { step, totalSteps }) => {
    const top = Math.max(s.rise * totalSteps - 1, 1)
    const along = (from: number, to: number, share: AnyTensor): AnyTensor => {
      const wave = multiply(add(cos(multiply(share, Math.PI)), 1), 0.5)
      return add(multiply(wave, from - to), to)
    }
    const rising = along(s.initial * s.peak, s.peak, minimum(divide(step, top), 1))
    const rest = Math.max(totalSteps - 1 - top, 1)
    const falling = along(s.peak, s.initial * s.final * s.peak, minimum(divide(subtract(step, top), rest), 1))
    return where(less(step, top) as Tensor<Shape, 'bool'>, rising, falling)
  })
}

/**
 * A number is a constant schedule.
 *
 * @param optimizer that it is given to
 */
export function asSchedule(optimizer: string, learningRate: number | Schedule): Schedule {
  if (typeof learningRate !== 'number' && typeof Object(learningRate).rate === 'function') return learningRate
  if (typeof learningRate === 'number') {
    checkOptions(optimizer, { learningRate: [learningRate, ranges.positive] })
    return constant(learningRate)
  }
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: optimizer,
    problem: `learningRate is ${learningRate === undefined ? 'missing' : JSON.stringify(learningRate)}; it takes a number above 0 or a schedule`,
    place: currentPlace(),
  })
}
