/** One segment of a program as a function that jax-js' `jit` has compiled: traced at its first call, kernels fused. */
import { jit } from '@jax-js/jax'
import type { TensorData, TensorType } from '../../core/shape.js'
import { portableDType } from './dtypes.js'
import type { Segment } from './plan.js'
import { Scope, type DeviceArray } from './term.js'

export interface CompiledSegment extends Segment {
  /** Takes over its arguments, gives its results to the caller. */
  readonly call: (inputs: readonly DeviceArray[]) => DeviceArray[]
  readonly dispose: () => void
}

/** @param constants what is known of slots, for rules that do better with it */
export function compileSegment(
  segment: Segment,
  types: readonly TensorType[],
  constants: ReadonlyMap<number, TensorData>,
): CompiledSegment {
  const compiled = jit((inputs: DeviceArray[]) => runSteps(segment, types, constants, inputs))
  return { ...segment, call: (inputs) => compiled([...inputs]) as DeviceArray[], dispose: () => compiled.dispose() }
}

/** The function that is traced. Each array is released after the last step that reads it. */
function runSteps(
  { steps, inputs, outputs }: Segment,
  types: readonly TensorType[],
  constants: ReadonlyMap<number, TensorData>,
  given: readonly DeviceArray[],
): DeviceArray[] {
  const held = new Map(inputs.map((slot, index) => [slot, given[index]]))
  const isResult = new Set(outputs)
  const inline = new Set<number>()
  const dying = lastReaders(segmentReads(steps), isResult)
  steps.forEach((step, position) => {
    const scope = new Scope()
    const operands = step.inputs.map((slot) => {
      const knowledge = { constant: constants.get(slot), isInline: inline.has(slot) }
      return scope.borrow(held.get(slot)!, portableDType(types[slot], step.label), knowledge)
    })
    const results = scope.close(step.lower(operands, scope))
    step.outputs.forEach((slot, index) => held.set(slot, results[index]))
    const isInline =
      step.kind === 'arithmetic' || (step.kind === 'movement' && step.inputs.some((slot) => inline.has(slot)))
    if (isInline) step.outputs.forEach((slot) => inline.add(slot))
    for (const slot of dying[position]) held.get(slot)!.dispose()
  })
  return outputs.map((slot) => held.get(slot)!)
}

function segmentReads(steps: Segment['steps']): number[][] {
  return steps.map((step) => [...new Set([...step.inputs, ...step.outputs])])
}

/** For each step, the slots that it is the last to touch. */
function lastReaders(touched: readonly (readonly number[])[], kept: ReadonlySet<number>): number[][] {
  const seen = new Set(kept)
  return touched
    .toReversed()
    .map((slots) => {
      const dying = slots.filter((slot) => !seen.has(slot))
      dying.forEach((slot) => seen.add(slot))
      return dying
    })
    .toReversed()
}
