/**
 * Which operations that only move elements need no instruction, because what reads them can read a view.
 *
 * A reshape of a row-major value is always a view, and so is a slice that stays row-major. A transposition, a strided
 * slice or a broadcast is a view if everything that reads it takes strides (`Engine.stridedInputs`); otherwise it is
 * computed once, as an instruction. `optimizationBarrier` has done its work by now and is a view of its operands.
 */
import { invariant } from '../core/errors.js'
import { contiguousStrides, numElements, type Shape } from '../core/shape.js'
import type { Graph, Node, Value } from '../graph/index.js'
import type { CompileTarget } from './options.js'

export interface Placement {
  /** The value in whose memory this one lies: an instruction's result, a parameter or a constant. */
  readonly root: Value
  readonly offsetElements: number
  /** In elements; undefined for row-major. */
  readonly strides: readonly number[] | undefined
}

export type ViewPlan = ReadonlyMap<Value, Placement>

/** Whether a node needs no instruction, its results being views. */
export function isView(node: Node, plan: ViewPlan): boolean {
  return node.outputs.length > 0 && plan.get(node.outputs[0])!.root.node !== node
}

export function planViews(graph: Graph, target: CompileTarget, allowStrided: boolean): ViewPlan {
  const copies = new Set<Node>()
  // Each round places every value and turns views that someone can't read into copies; that can only move strides
  // downstream, so it ends, in practice after two rounds.
  for (;;) {
    const numCopies = copies.size
    const plan = new Map<Value, Placement>()
    for (const node of graph.nodes) {
      placeNode(node, plan, copies)
      if (isView(node, plan) || node.operation === 'parameter') continue
      if (!allowStrided || !takesStrides(node, target))
        node.inputs.forEach((input) => requireRowMajor(input, plan, copies))
    }
    for (const { value } of graph.results) requireRowMajor(value, plan, copies)
    if (copies.size === numCopies) return plan
  }
}

function takesStrides(node: Node, target: CompileTarget): boolean {
  const name = node.operation === 'composite' ? node.attributes.name : node.operation
  return target.stridedInputs?.has(name as never) ?? false
}

function requireRowMajor(value: Value, plan: ViewPlan, copies: Set<Node>): void {
  if (plan.get(value)!.strides !== undefined) copies.add(mover(value).node)
}

/** The nearest operation that gave a strided view its strides: reshapes and barriers only pass them on. */
function mover(value: Value): Value {
  const { node } = value
  if (node.operation === 'reshape') return mover(node.inputs[0])
  if (node.operation === 'optimizationBarrier') return mover(node.inputs[value.index])
  return value
}

function placeNode(node: Node, plan: Map<Value, Placement>, copies: Set<Node>): void {
  if (node.operation === 'optimizationBarrier') {
    node.outputs.forEach((output, index) => plan.set(output, plan.get(node.inputs[index])!))
    return
  }
  const placement = copies.has(node) ? undefined : placeView(node, plan, copies)
  if (placement !== undefined) plan.set(node.outputs[0], placement)
  else for (const output of node.outputs) plan.set(output, { root: output, offsetElements: 0, strides: undefined })
}

/** Where the result lies inside the operand's memory; undefined if the node is no view. */
function placeView(node: Node, plan: ViewPlan, copies: Set<Node>): Placement | undefined {
  switch (node.operation) {
    case 'reshape': {
      const from = plan.get(node.inputs[0])!
      if (from.strides === undefined) return from
      const strides = reshapeStrides(node.inputs[0].type.shape, from.strides, node.attributes.shape)
      if (strides !== undefined) return normalized(from, from.offsetElements, strides, node.attributes.shape)
      copies.add(mover(node.inputs[0]).node)
      return { ...from, strides: contiguousStrides(node.attributes.shape) } // placed again in the next round
    }
    case 'transpose': {
      const from = plan.get(node.inputs[0])!
      const strides = stridesOf(from, node.inputs[0])
      const { permutation } = node.attributes
      return normalized(
        from,
        from.offsetElements,
        permutation.map((dim) => strides[dim]),
        node.outputs[0].type.shape,
      )
    }
    case 'slice': {
      const from = plan.get(node.inputs[0])!
      const strides = stridesOf(from, node.inputs[0])
      const { starts, strides: steps } = node.attributes
      const offset = starts.reduce((sum, start, dim) => sum + start * strides[dim], from.offsetElements)
      return normalized(
        from,
        offset,
        strides.map((stride, dim) => stride * steps[dim]),
        node.outputs[0].type.shape,
      )
    }
    case 'broadcastInDim': {
      const from = plan.get(node.inputs[0])!
      const { shape, dims } = node.attributes
      const operand = stridesOf(from, node.inputs[0])
      const strides = shape.map((size, dim) => {
        const index = dims.indexOf(dim)
        return index < 0 || (node.inputs[0].type.shape[index] === 1 && size !== 1) ? 0 : operand[index]
      })
      return normalized(from, from.offsetElements, strides, shape)
    }
    default:
      return undefined
  }
}

function stridesOf(placement: Placement, value: Value): readonly number[] {
  return placement.strides ?? contiguousStrides(value.type.shape)
}

/** Strides of dimensions of size 1 mean nothing: a view is row-major if all others are as they would be. */
function normalized({ root }: Placement, offsetElements: number, strides: readonly number[], shape: Shape): Placement {
  const rowMajor = contiguousStrides(shape)
  const isRowMajor =
    numElements(shape) === 0 || strides.every((stride, dim) => shape[dim] === 1 || stride === rowMajor[dim])
  return {
    root,
    offsetElements: numElements(shape) === 0 ? 0 : offsetElements,
    strides: isRowMajor ? undefined : strides,
  }
}

/**
 * Strides of a reshaped view, or undefined where the new shape can't be had without moving elements. Dimensions of
 * both shapes are matched in the smallest runs of equal size; a run of the old shape has to be evenly spaced.
 */
export function reshapeStrides(shape: Shape, strides: readonly number[], newShape: Shape): number[] | undefined {
  invariant(numElements(shape) === numElements(newShape), 'a reshape keeps the number of elements')
  const dims = shape.map((size, dim) => ({ size, stride: strides[dim] })).filter(({ size }) => size !== 1)
  const result = new Array<number>(newShape.length).fill(0)
  let next = 0
  let dim = 0
  while (dim < newShape.length) {
    if (newShape[dim] === 1) {
      dim++
      continue
    }
    const firstDim = dim
    let newSize = newShape[dim++]
    let oldSize = dims[next].size
    let last = next++
    while (newSize !== oldSize) {
      if (newSize < oldSize) newSize *= newShape[dim++]
      else {
        if (dims[next].stride * dims[next].size !== dims[last].stride) return undefined
        oldSize *= dims[next].size
        last = next++
      }
    }
    let stride = dims[last].stride
    for (let d = dim - 1; d >= firstDim; d--) {
      result[d] = stride
      stride *= newShape[d]
    }
  }
  return result
}
