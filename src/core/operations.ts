/**
 * The vocabulary: every operation that a graph or a program may contain, with the type of its attributes.
 *
 * The operations are a subset of StableHLO, with its names in camelCase and its meaning
 * (https://openxla.org/stablehlo/spec). The list is in `core` because two rooms that don't know each other speak it:
 * `graph`, which builds and transforms, and `engine`, which runs. Every table of rules (shape inference, derivative,
 * printing, an engine's lowering) is a mapped type over `OperationName`, so that an operation without its rule does
 * not compile.
 *
 * Attributes are plain data: they can be compared, hashed, printed and handed to C++ as they are.
 */
import type { DType } from './dtype.js'
import type { Shape, TensorData, TensorType } from './shape.js'

export interface NoAttributes {
  readonly [name: string]: never
}

/** How a reduction, a scatter or a collective combines two values. */
export type ReductionKind = 'add' | 'multiply' | 'maximum' | 'minimum' | 'and' | 'or'
export type ComparisonDirection = 'EQ' | 'NE' | 'LT' | 'LE' | 'GT' | 'GE'

/** Padding before and after each spatial dimension. */
export type Padding = readonly (readonly [low: number, high: number])[]

export interface DotGeneralAttributes {
  readonly leftBatch: readonly number[]
  readonly rightBatch: readonly number[]
  readonly leftContracting: readonly number[]
  readonly rightContracting: readonly number[]
  /** Element type of the result; sums are kept in it or better. */
  readonly dtype: DType
}

export interface ConvolutionAttributes {
  readonly strides: readonly number[]
  readonly padding: Padding
  /** Zeros put between the elements of the input (StableHLO's `lhs_dilation`). */
  readonly inputDilation: readonly number[]
  /** Steps between the elements of the kernel (StableHLO's `rhs_dilation`). */
  readonly kernelDilation: readonly number[]
  readonly featureGroups: number
  readonly batchGroups: number
  /** Whether each spatial dimension of the kernel is run through backwards (StableHLO's `window_reversal`). */
  readonly reversal: readonly boolean[]
  readonly dimensions: ConvolutionDimensions
  readonly dtype: DType
}

/** Which dimension of each operand plays which part. NHWC x HWIO -> NHWC unless said otherwise. */
export interface ConvolutionDimensions {
  readonly inputBatch: number
  readonly inputFeature: number
  readonly inputSpatial: readonly number[]
  readonly kernelInputFeature: number
  readonly kernelOutputFeature: number
  readonly kernelSpatial: readonly number[]
  readonly outputBatch: number
  readonly outputFeature: number
  readonly outputSpatial: readonly number[]
}

export interface ReduceWindowAttributes {
  readonly kind: ReductionKind
  /** One entry for each dimension of the operand. */
  readonly window: readonly number[]
  readonly strides: readonly number[]
  readonly padding: Padding
  readonly baseDilation: readonly number[]
  readonly windowDilation: readonly number[]
}

/** StableHLO's `gather` dimension numbers; starts out of range are clamped. */
export interface GatherAttributes {
  readonly offsetDims: readonly number[]
  readonly collapsedSliceDims: readonly number[]
  readonly startIndexMap: readonly number[]
  readonly indexVectorDim: number
  readonly sliceSizes: readonly number[]
}

/** StableHLO's `scatter` dimension numbers; updates out of range are dropped. `kind` undefined: the last one wins. */
export interface ScatterAttributes {
  readonly updateWindowDims: readonly number[]
  readonly insertedWindowDims: readonly number[]
  readonly scatterDimsToOperandDims: readonly number[]
  readonly indexVectorDim: number
  readonly kind: ReductionKind | 'replace'
}

/** Half the squared difference to a number, or the cross-entropy of a class 0 or 1 with the score as its logit. */
export type LinearModelKind = 'linear' | 'logistic'

/** Attributes of each named composite. Those marked structural are taken apart by the compiler before any engine. */
export interface CompositeAttributes {
  /** Structural. Identity whose derivative is zero. */
  stopGradient: NoAttributes
  /** Structural. Its inside is computed again in the backward pass instead of being kept. */
  remat: NoAttributes
  /** A group of elementwise operations, made by the fusion pass and run block by block in one pass. */
  elementwise: NoAttributes
  /** A product with what follows it (bias, activation), made by the fusion pass. */
  dotEpilogue: NoAttributes
  /** A reduction of a bf16 operand in f32, made by the fusion pass: (x) -> reduce(convert(x)). */
  widenedReduce: NoAttributes
  /** (x) -> erf(x). */
  erf: NoAttributes
  /** (x) -> gelu(x). */
  gelu: { readonly approximate: 'tanh' | 'none' }
  /** (dy, x) -> dx. */
  geluGradient: { readonly approximate: 'tanh' | 'none' }
  /** (x) -> softmax over the last dimension. */
  softmax: NoAttributes
  /** (dy, y) -> dx. */
  softmaxGradient: NoAttributes
  /** (x [..., C], weight [C], bias [C]) -> (y, mean [...], reciprocal standard deviation [...]). */
  layerNorm: { readonly epsilon: number }
  /** (dy, x, weight, mean, rstd) -> (dx, dweight, dbias). */
  layerNormGradient: NoAttributes
  /** (x [..., C], weight [C]) -> (y, reciprocal root mean square [...]). */
  rmsNorm: { readonly epsilon: number }
  /** (dy, x, weight, rstd) -> (dx, dweight). */
  rmsNormGradient: NoAttributes
  /** Training form, statistics over all dimensions but the last. (x [..., C], weight, bias) -> (y, mean [C], variance [C]). */
  batchNorm: { readonly epsilon: number }
  /** (dy, x, weight, mean, variance) -> (dx, dweight, dbias). */
  batchNormGradient: { readonly epsilon: number }
  /**
   * Batch norm, then ReLU, then max pooling by windows side by side, [1, 1] for none; made by a pass.
   * (x [..., C], weight, bias) -> (y, mean [C], variance [C]).
   */
  batchNormRelu: { readonly epsilon: number; readonly window: readonly [height: number, width: number] }
  /** (dy, x, weight, bias, mean, variance) -> (dx, dweight, dbias). */
  batchNormReluGradient: { readonly epsilon: number; readonly window: readonly [height: number, width: number] }
  /** (logits [N, V], targets i32 [N]) -> (losses [N], logSumExp [N]). The loss of an ignored target is 0. */
  softmaxCrossEntropy: { readonly labelSmoothing: number; readonly ignoredTarget: number | null }
  /** (dlosses [N], logits, targets, logSumExp) -> dlogits. */
  softmaxCrossEntropyGradient: { readonly labelSmoothing: number; readonly ignoredTarget: number | null }
  /**
   * (query [B, T, H, D], key [B, S, G, D], value [B, S, G, D], mask bool [B|1, H|1, T|1, S] if `masked`)
   * -> (out [B, T, H, D], logSumExp [B, H, T]). G divides H: each key head serves H / G query heads in a row.
   * Causal: row t sees columns up to t + S - T. A row that sees nothing gives zeros.
   */
  attention: { readonly causal: boolean; readonly scale: number; readonly masked: boolean }
  /** (dout, query, key, value, mask if `masked`, out, logSumExp) -> (dquery, dkey, dvalue). */
  attentionGradient: { readonly causal: boolean; readonly scale: number; readonly masked: boolean }
  /**
   * (parameter, gradient, mean, variance, kept f32[], learning rate f32[], corrections of mean and variance f32[], and if
   * `guarded` a condition bool[]) -> new (parameter, mean, variance), or the old ones where the condition is false.
   */
  adamUpdate: {
    readonly beta1: number
    readonly beta2: number
    readonly epsilon: number
    /** What of the parameter is added to its gradient. */
    readonly coupledDecay: number
    readonly guarded: boolean
  }
  /** (dy, x, y = max pool of x) -> dx; of several largest in a window the first gets it all. */
  maxPoolGradient: Omit<ReduceWindowAttributes, 'kind'>
  /**
   * A linear model's objective and gradient, summed over its rows, in one pass.
   * (features [N, F], targets [N], weights [F, 1], intercept [1]) -> (loss [], dweights [F, 1], dintercept [1]).
   */
  linearGradient: { readonly model: LinearModelKind }
  /**
   * Steps of stochastic descent, one after the other, each over the rows that `order` names.
   * (features [N, F], targets [N], order i32 [K, B], rates [K], weights [F, 1], intercept [1])
   * -> (weights [F, 1], intercept [1], losses [K]). Without `intercept` it stays as it is.
   */
  linearDescent: { readonly model: LinearModelKind; readonly intercept: boolean }
  /**
   * `allReduce` that is begun here and waited for by `allReduceDone`; made by a pass for engines of `asynchronousExchange`.
   * Its results lie in its operands' memory, which nobody touches until then.
   */
  allReduceStart: AllReduceAttributes
  /** (results of `allReduceStart`) -> the same, once they are there. */
  allReduceDone: CollectiveAttributes
}

export type CompositeName = keyof CompositeAttributes

/** A composite's name with its own attributes. */
export type CompositeCall<N extends CompositeName = CompositeName> = {
  [K in N]: { readonly name: K; readonly attributes: CompositeAttributes[K] }
}[N]

export interface CollectiveAttributes {
  /** The mesh axis over which workers take part. */
  readonly axis: string
  /** Number of workers along that axis. */
  readonly size: number
}

export interface AllReduceAttributes extends CollectiveAttributes {
  readonly kind: ReductionKind
  /** Leaves of the tree of `core/shardTree.ts`, which fixes the order of the sum; one for each worker by default. */
  readonly shards?: number
}

export interface OperationAttributes {
  // Sources.
  parameter: { readonly name: string; readonly type: TensorType }
  constant: { readonly value: TensorData }
  iota: { readonly type: TensorType; readonly dim: number }
  /** Philox4x32-10 bits. Operand: `u32[4]` state (key low, key high, counter low, counter high); see `core/random.ts`. */
  rngBitGenerator: { readonly shape: Shape }

  // Elementwise on one operand.
  negate: NoAttributes
  abs: NoAttributes
  sign: NoAttributes
  exponential: NoAttributes
  exponentialMinusOne: NoAttributes
  log: NoAttributes
  logPlusOne: NoAttributes
  sqrt: NoAttributes
  rsqrt: NoAttributes
  cbrt: NoAttributes
  tanh: NoAttributes
  logistic: NoAttributes
  sine: NoAttributes
  cosine: NoAttributes
  floor: NoAttributes
  ceil: NoAttributes
  roundNearestEven: NoAttributes
  isFinite: NoAttributes
  not: NoAttributes
  convert: { readonly dtype: DType }
  bitcastConvert: { readonly dtype: DType }

  // Elementwise on two operands of the same type; broadcasting is explicit.
  add: NoAttributes
  subtract: NoAttributes
  multiply: NoAttributes
  divide: NoAttributes
  remainder: NoAttributes
  power: NoAttributes
  maximum: NoAttributes
  minimum: NoAttributes
  atan2: NoAttributes
  and: NoAttributes
  or: NoAttributes
  xor: NoAttributes
  shiftLeft: NoAttributes
  shiftRightLogical: NoAttributes
  shiftRightArithmetic: NoAttributes
  compare: { readonly direction: ComparisonDirection }
  /** Operands: `bool` predicate, value where true, value where false; all of one shape. */
  select: NoAttributes

  // Data movement.
  /** `dims[i]` is the result's dimension that operand dimension `i` becomes; a size of 1 is repeated. */
  broadcastInDim: { readonly shape: Shape; readonly dims: readonly number[] }
  reshape: { readonly shape: Shape }
  /** Result dimension `i` is operand dimension `permutation[i]`. */
  transpose: { readonly permutation: readonly number[] }
  slice: { readonly starts: readonly number[]; readonly limits: readonly number[]; readonly strides: readonly number[] }
  concatenate: { readonly dim: number }
  /** Operands: value, padding scalar. Negative `low` and `high` cut; `interior` spreads. */
  pad: { readonly low: readonly number[]; readonly high: readonly number[]; readonly interior: readonly number[] }
  reverse: { readonly dims: readonly number[] }
  /** Operands: value, `i32` starts. */
  gather: GatherAttributes
  /** Operands: value, `i32` starts, updates. */
  scatter: ScatterAttributes

  // Sums and products.
  dotGeneral: DotGeneralAttributes
  convolution: ConvolutionAttributes
  reduce: { readonly kind: ReductionKind; readonly dims: readonly number[] }
  reduceWindow: ReduceWindowAttributes

  // Structure.
  /** Identity on all operands together, through which the compiler moves and merges nothing. */
  optimizationBarrier: NoAttributes
  composite: CompositeCall

  // Exchange between workers; identity on one worker.
  /** Any number of operands of one element type, each combined with the other workers'. */
  allReduce: AllReduceAttributes
  allGather: CollectiveAttributes & { readonly dim: number }
  /** `shards` as for `allReduce`. */
  reduceScatter: CollectiveAttributes & { readonly kind: ReductionKind; readonly dim: number; readonly shards?: number }
  collectivePermute: CollectiveAttributes & { readonly pairs: readonly (readonly [source: number, target: number])[] }
}

export type OperationName = keyof OperationAttributes

export const unaryOperations = [
  'negate', 'abs', 'sign', 'exponential', 'exponentialMinusOne', 'log', 'logPlusOne', 'sqrt', 'rsqrt', 'cbrt', 'tanh',
  'logistic', 'sine', 'cosine', 'floor', 'ceil', 'roundNearestEven', 'isFinite', 'not', 'convert', 'bitcastConvert',
] as const satisfies readonly OperationName[] // prettier-ignore

export const binaryOperations = [
  'add', 'subtract', 'multiply', 'divide', 'remainder', 'power', 'maximum', 'minimum', 'atan2', 'and', 'or', 'xor',
  'shiftLeft', 'shiftRightLogical', 'shiftRightArithmetic', 'compare',
] as const satisfies readonly OperationName[] // prettier-ignore

export type UnaryOperation = (typeof unaryOperations)[number]
export type BinaryOperation = (typeof binaryOperations)[number]
export type ElementwiseOperation = UnaryOperation | BinaryOperation | 'select'

const elementwiseSet: ReadonlySet<string> = new Set([...unaryOperations, ...binaryOperations, 'select'])

/** Whether each element of the result depends on the elements at the same place in the operands alone. */
export function isElementwise(operation: OperationName): operation is ElementwiseOperation {
  return elementwiseSet.has(operation)
}
