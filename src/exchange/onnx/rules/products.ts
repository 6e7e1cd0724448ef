/** Products, and rows of tables. */
import type { Node } from '../../../graph/index.js'
import { int64Type } from '../schema.js'
import { unsupported, type OnnxWriter } from '../writer.js'

/** A plain product by a matrix is `MatMul`; any other is said in Einstein's notation. */
export function dotGeneral(node: Node<'dotGeneral'>, writer: OnnxWriter): void {
  const [left, right] = node.inputs
  const { leftBatch, leftContracting, rightContracting } = node.attributes
  const isByMatrix =
    leftBatch.length === 0 &&
    right.type.shape.length === 2 &&
    leftContracting.length === 1 &&
    leftContracting[0] === left.type.shape.length - 1
  const names = [writer.full(left), writer.full(right)]
  if (!isByMatrix) return writer.name(node.outputs[0], writer.add('Einsum', names, { equation: equationOf(node) }))
  const matrix = rightContracting[0] === 0 ? names[1] : writer.add('Transpose', [names[1]], { perm: [1, 0] })
  writer.name(node.outputs[0], writer.add('MatMul', [names[0], matrix]))
}

/** Such as `abcd,aecd->acbe`: first the batch dimensions, then the left's own, then the right's. */
function equationOf({ inputs: [left, right], attributes }: Node<'dotGeneral'>): string {
  const { leftBatch, rightBatch, leftContracting, rightContracting } = attributes
  let next = 0
  const letter = (): string => String.fromCharCode(97 + next++)
  const leftLetters = left.type.shape.map(letter)
  const rightLetters = right.type.shape.map((_, dim) => {
    const [batch, contracting] = [rightBatch.indexOf(dim), rightContracting.indexOf(dim)]
    if (batch >= 0) return leftLetters[leftBatch[batch]]
    return contracting >= 0 ? leftLetters[leftContracting[contracting]] : letter()
  })
  const ownOf = (letters: readonly string[], ...others: (readonly number[])[]): string[] =>
    letters.filter((_, dim) => others.every((dims) => !dims.includes(dim)))
  const results = [
    ...leftBatch.map((dim) => leftLetters[dim]),
    ...ownOf(leftLetters, leftBatch, leftContracting),
    ...ownOf(rightLetters, rightBatch, rightContracting),
  ]
  return `${leftLetters.join('')},${rightLetters.join('')}->${results.join('')}`
}

/**
 * Whole rows along one dimension are `Gather`; elements by all their leading indices `GatherND`. An index out of range takes the
 * nearest, which ONNX leaves to be said.
 */
export function gather(node: Node<'gather'>, writer: OnnxWriter): void {
  const [operand, starts] = node.inputs
  const { collapsedSliceDims, startIndexMap, indexVectorDim, sliceSizes } = node.attributes
  const numIndices = startIndexMap.length
  const isWhole = sliceSizes.every((size, dim) => (collapsedSliceDims.includes(dim) ? size === 1 : size === operand.type.shape[dim])) // prettier-ignore
  const isSame = collapsedSliceDims.length === numIndices && startIndexMap.every((dim, index) => dim === collapsedSliceDims[index]) // prettier-ignore
  const [axis] = startIndexMap
  const rank = starts.type.shape.length
  const isVector = indexVectorDim === rank - 1
  if (!isWhole || !isSame || !(isVector || indexVectorDim === rank)) throw unsupported(node, 'it takes parts of rows')
  const indices = clampedIndices(node, writer)
  if (numIndices === 1 && hasOffsets(node, axis, isVector ? rank - 1 : rank)) {
    const flat = isVector ? writer.add('Squeeze', [indices, writer.ints([-1])]) : indices
    return writer.name(node.outputs[0], writer.add('Gather', [writer.full(operand), flat], { axis }))
  }
  const isLeading = startIndexMap.every((dim, index) => dim === index) && isVector
  if (!isLeading || !hasOffsets(node, 0, rank - 1)) throw unsupported(node, 'it orders dimensions as ONNX does not')
  writer.name(node.outputs[0], writer.add('GatherND', [writer.full(operand), indices]))
}

/** Whether the rows' own dimensions are in the result where ONNX has them: around the indices' at `axis`. */
function hasOffsets({ attributes: { offsetDims } }: Node<'gather'>, axis: number, numIndexDims: number): boolean {
  return offsetDims.every((dim, index) => dim === (index < axis ? index : index + numIndexDims))
}

function clampedIndices(node: Node<'gather'>, writer: OnnxWriter): string {
  const [operand, starts] = node.inputs
  const sizes = writer.dimsOf(operand)
  const limits = writer.vector(node.attributes.startIndexMap.map((dim) => sizes[dim]))
  const last = writer.add('Sub', [limits, writer.ints([1])])
  const given = writer.add('Cast', [writer.full(starts)], { to: int64Type })
  return writer.add('Min', [writer.add('Max', [given, writer.ints([0])]), last])
}

/**
 * Rows written along one dimension, as into a cache of keys: `ScatterND`, which has that dimension first. The places have to be
 * there; ONNX does not drop what lies outside.
 */
export function scatter(node: Node<'scatter'>, writer: OnnxWriter): void {
  const [operand, places, updates] = node.inputs
  const { updateWindowDims, insertedWindowDims, scatterDimsToOperandDims, indexVectorDim, kind } = node.attributes
  const [dim] = scatterDimsToOperandDims
  const isOfRows =
    scatterDimsToOperandDims.length === 1 &&
    insertedWindowDims.join() === String(dim) &&
    places.type.shape.length === 1 &&
    indexVectorDim === 1
  const reductions: Partial<Record<typeof kind, string>> = { replace: 'none', add: 'add', multiply: 'mul', maximum: 'max', minimum: 'min' } // prettier-ignore
  const reduction = reductions[kind]
  if (!isOfRows || reduction === undefined) throw unsupported(node, 'it writes other than rows along one dimension')
  const rank = operand.type.shape.length
  const first = [dim, ...Array.from({ length: rank }, (_, index) => index).filter((index) => index !== dim)]
  const written = updates.type.shape.map((_, index) => index).find((index) => !updateWindowDims.includes(index))!
  const rows = writer.add('Transpose', [writer.full(operand)], { perm: first })
  const values = writer.add('Transpose', [writer.full(updates)], { perm: [written, ...updateWindowDims] })
  const indices = writer.add('Unsqueeze', [writer.add('Cast', [writer.full(places)], { to: int64Type }), writer.ints([1])]) // prettier-ignore
  const result = writer.add('ScatterND', [rows, indices, values], { reduction })
  const back = first.map((_, index) => first.indexOf(index))
  writer.name(node.outputs[0], writer.add('Transpose', [result], { perm: back }))
}
