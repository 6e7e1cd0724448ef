/** Derivatives of operations that move elements: the cotangent is moved back. */
import type { OperationName, GatherAttributes, ScatterAttributes } from '../../core/operations.js'
import { TalwegError } from '../../core/errors.js'
import type { Shape } from '../../core/shape.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import { constant, zerosLike } from '../../ops/creation.js'
import { and, clamp, greaterEqual, lessEqual, subtract, where } from '../../ops/elementwise.js'
import { apply } from '../../ops/lift.js'
import { broadcastTo, pad, reshape, reverse, slice, transpose } from '../../ops/movement.js'
import { all, sum } from '../../ops/reductions.js'
import { simple, type Rule } from './rule.js'

type Movement = Extract<OperationName, 'broadcastInDim' | 'reshape' | 'transpose' | 'slice' | 'concatenate' | 'pad' | 'reverse' | 'gather' | 'scatter'> // prettier-ignore

export const movementRules: { readonly [O in Movement]: Rule<O> } = {
  // y repeats x: the sum over the copies
  broadcastInDim: simple(({ dy, x, attributes: { shape, dims } }) => {
    const repeated = shape
      .map((_, dim) => dim)
      .filter((dim) => !dims.includes(dim) || (x.shape[dims.indexOf(dim)] === 1 && shape[dim] !== 1))
    const summed = repeated.length === 0 ? dy : sum(dy, repeated)
    return [reshape(unpermute(summed, dims, repeated), x.shape)]
  }),
  // y has x's elements in order: dy in x's shape
  reshape: simple(({ dy, x }) => [reshape(dy, x.shape)]),
  // y[i] = x[permutation(i)]: the inverse permutation
  transpose: simple(({ dy, attributes: { permutation } }) => [transpose(dy, inversePermutation(permutation))]),
  // y is a part of x: dy in its place, zeros around and between
  slice: simple(({ dy, x, attributes: { starts, strides } }) => {
    const spans = dy.shape.map((size, dim) => (size === 0 ? 0 : (size - 1) * strides[dim] + 1))
    const high = x.shape.map((size, dim) => size - starts[dim] - spans[dim])
    return [
      pad(
        dy,
        starts,
        high,
        0,
        strides.map((stride) => stride - 1),
      ),
    ]
  }),
  // y joins the operands: each one's part of dy
  concatenate: simple(({ dy, inputs, attributes: { dim } }) => {
    let start = 0
    return inputs.map((input) => {
      const from = start
      start += input.shape[dim]
      return slice(
        dy,
        dy.shape.map((_, d) => (d === dim ? from : 0)),
        dy.shape.map((size, d) => (d === dim ? start : size)),
      )
    })
  }),
  // y is x with padding around and between: dy where x is; the padding gets the sum of the rest
  pad: simple(({ dy, x, attributes: { low, high, interior }, wants }) => {
    const uncut = pad(
      dy,
      low.map((n) => -n),
      high.map((n) => -n),
    )
    const dx = slice(
      uncut,
      uncut.shape.map(() => 0),
      uncut.shape,
      interior.map((n) => n + 1),
    )
    const inPlace = x.shape.includes(0) ? zerosLike(x) : dx
    return [inPlace, wants(1) ? subtract(sum(dy), sum(inPlace)) : undefined]
  }),
  // y runs backwards: dy backwards
  reverse: simple(({ dy, attributes: { dims } }) => [reverse(dy, dims)]),
  // y takes slices of x: each is added back where it was taken (starts are clamped, as gather does)
  gather: simple(({ dy, inputs: [x, starts], attributes }) => {
    const clamped = clampStarts(starts, x.shape, attributes)
    return [apply('scatter', [zerosLike(x), clamped, dy], { ...scatterFromGather(attributes), kind: 'add' })]
  }),
  scatter: simple(({ dy, inputs: [x, starts, updates], attributes, wants }) => {
    if (attributes.kind !== 'add') throw notDifferentiable(`scatter of kind ${attributes.kind}`)
    return [dy, undefined, wants(2) ? takenUpdates(dy, x.shape, starts, updates, attributes) : undefined]
  }),
}

/** A reduced broadcast's dimensions back in the operand's order. */
function unpermute(summed: AnyTensor, dims: readonly number[], repeated: readonly number[]): AnyTensor {
  const kept = dims.filter((dim) => !repeated.includes(dim))
  const order = [...kept].sort((a, b) => a - b)
  const permutation = kept.map((dim) => order.indexOf(dim))
  return permutation.every((from, to) => from === to) ? summed : transpose(summed, permutation)
}

export function inversePermutation(permutation: readonly number[]): number[] {
  const inverse = new Array<number>(permutation.length)
  permutation.forEach((from, to) => (inverse[from] = to))
  return inverse
}

function scatterFromGather({
  offsetDims,
  collapsedSliceDims,
  startIndexMap,
  indexVectorDim,
}: GatherAttributes): Omit<ScatterAttributes, 'kind'> {
  return {
    updateWindowDims: offsetDims,
    insertedWindowDims: collapsedSliceDims,
    scatterDimsToOperandDims: startIndexMap,
    indexVectorDim,
  }
}

/** The starts that `gather` really uses: each component between 0 and the last place where the slice fits. */
function clampStarts(
  starts: AnyTensor,
  operand: Shape,
  { startIndexMap, indexVectorDim, sliceSizes }: GatherAttributes,
): AnyTensor {
  const limits = startIndexMap.map((dim) => operand[dim] - sliceSizes[dim])
  return clamp(starts, 0, alongIndexVector(limits, starts, indexVectorDim))
}

/** One number for each component of the index vectors, in the starts' shape. */
function alongIndexVector(values: readonly number[], starts: AnyTensor, indexVectorDim: number): AnyTensor {
  const vector = constant(values, [values.length], 'i32') as AnyTensor
  if (indexVectorDim === starts.rank)
    return broadcastTo(
      reshape(
        vector,
        starts.shape.map(() => 1),
      ),
      starts.shape,
    )
  return broadcastTo(
    reshape(
      vector,
      starts.shape.map((_, dim) => (dim === indexVectorDim ? values.length : 1)),
    ),
    starts.shape,
  )
}

/** y = x with updates added: of dy the slices that were updated, zero for updates that fell outside and were dropped. */
function takenUpdates(
  dy: AnyTensor,
  operand: Shape,
  starts: AnyTensor,
  updates: AnyTensor,
  attributes: ScatterAttributes,
): AnyTensor {
  const { updateWindowDims, insertedWindowDims, scatterDimsToOperandDims, indexVectorDim } = attributes
  const windowSizes = updateWindowDims.map((dim) => updates.shape[dim])
  let nextWindow = 0
  const sliceSizes = operand.map((_, dim) => (insertedWindowDims.includes(dim) ? 1 : windowSizes[nextWindow++]))
  const taken = apply('gather', [dy, starts], {
    offsetDims: updateWindowDims,
    collapsedSliceDims: insertedWindowDims,
    startIndexMap: scatterDimsToOperandDims,
    indexVectorDim,
    sliceSizes,
  })
  const limits = scatterDimsToOperandDims.map((dim) => operand[dim] - sliceSizes[dim])
  const inside = and(
    greaterEqual(starts, 0),
    lessEqual(starts, alongIndexVector(limits, starts, indexVectorDim)),
  ) as Tensor<Shape, 'bool'>
  const whole = indexVectorDim === starts.rank ? inside : all(inside, indexVectorDim)
  const batchDims = updates.shape.map((_, dim) => dim).filter((dim) => !updateWindowDims.includes(dim))
  const spread = apply('broadcastInDim', [whole], { shape: updates.shape, dims: batchDims }) as Tensor<Shape, 'bool'>
  return where(spread, taken, 0)
}

export function notDifferentiable(what: string): TalwegError {
  return new TalwegError({
    code: 'NOT_DIFFERENTIABLE',
    operation: 'grad',
    problem: `${what} has no derivative here`,
    hint: 'use stopGradient() where no derivative is meant to pass',
  })
}
