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
  'simplify',
  'foldConstants',
  'commonSubexpressions',
  'foldTransposes',
  'maskByResult',
  'bfloat16',
  'roundAtSource',
  'fuseProducts',
  'fuseElementwise',
  'schedule',
  'views',
  'inPlace',
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
