/** What the compiler is told: which results are whose new state, for which engine, with which passes. */
import type { Engine } from '../engine/engine.js'

export type Precision = 'f32' | 'bf16'

/** What the compiler has to know of an engine. */
export type CompileTarget = Pick<
  Engine,
  'name' | 'composites' | 'dtypes' | 'stridedInputs' | 'elementwiseComposites' | 'bfloat16Composites' | 'scratchBytes'
>

/** Passes that may be switched off. What is not listed here (inlining what the engine doesn't know) must run. */
export const passNames = [
  'simplify', // arithmetic and movements that can be left out with the same result
  'foldConstants', // what depends on small constants alone
  'commonSubexpressions', // the same is computed once
  'foldTransposes', // products and sums read transposed operands as they lie
  'scatterIntoSums', // what is scattered over zeros and added to something is scattered over that
  'maskByResult', // ReLU's derivative asks ReLU's result
  'fuseBatchNorm', // batch norm with ReLU and pooling after it
  'guardUpdates', // an optimiser's update keeps the old state itself where a step went wrong
  'bfloat16', // products in bf16, where `precision` asks for it
  'roundAtSource', // what is only rounded to bf16 is written in bf16
  'fuseProducts', // bias, residual and activation into products
  'fuseReductions', // sums of bf16 in f32, with no f32 copy
  'fuseElementwise', // elementwise groups
  'schedule', // an order that keeps little alive
  'recompute', // what is cheap is computed again for the backward pass, not kept
  'views', // strided views for engines that read them
  'inPlace', // results where operands die, new state in the state's buffer
] as const
export type PassName = (typeof passNames)[number]

export interface CompileOptions {
  /**
   * The graph's parameters that are state, by name, each with the name of the result that is its new value; undefined
   * for state that is only read. All other parameters are inputs.
   */
  readonly state?: Readonly<Record<string, string | undefined>>
  /** Inputs that have one more dimension in front in a call of several steps. */
  readonly steppedInputs?: ReadonlySet<string>
  /** Results to return; by default all that are no state's new value. */
  readonly outputs?: readonly string[]
  /** `bf16`: products take operands in bf16 and sum in f32. `f32` by default. */
  readonly precision?: Precision
  readonly disabledPasses?: ReadonlySet<PassName>
  /** Verify the graph after every pass, and that no two live buffers overlap. For tests. */
  readonly verify?: boolean
}
