/** Which of the results the picture shows, and what it calls them. */
import type { SystemResult } from './statistics.js'

export interface Bar {
  /** Case and precision. */
  readonly group: string
  readonly system: string
  /** Times of Talweg's time. */
  readonly ratio: number
  readonly label: string
}

type Shown = Pick<SystemResult, 'case' | 'precision' | 'system' | 'secondsPerStep' | 'ratio'>

const names: Readonly<Record<string, string>> = {
  talweg: 'Talweg',
  torch: 'PyTorch',
  jax: 'JAX',
  numpy: 'NumPy',
  sklearn: 'scikit-learn',
  tfjs: 'TensorFlow.js',
  'jax-js': 'jax-js',
}

/** A peer's name without the form that it ran in. */
function peerOf(system: string): string {
  return system === 'jax-js' ? system : system.split('-')[0]
}

/** Of a peer's forms (eager and compiled, f32 and f64) the fastest, in each case and precision. */
export function barsOf(results: readonly Shown[]): Bar[] {
  const fastest = new Map<string, Shown>()
  for (const result of results) {
    const key = `${result.case} ${result.precision} ${peerOf(result.system)}`
    const other = fastest.get(key)
    if (other === undefined || result.ratio.median < other.ratio.median) fastest.set(key, result)
  }
  return Array.from(fastest.values(), ({ case: name, precision, system, secondsPerStep, ratio }) => ({
    group: `${name}, ${precision}`,
    system: names[peerOf(system)] ?? system,
    ratio: ratio.median,
    label: system === 'talweg' ? describe(secondsPerStep.median) : `${ratio.median.toFixed(2)}×`,
  }))
}

function describe(seconds: number): string {
  if (seconds >= 1) return `${seconds.toPrecision(3)} s`
  if (seconds >= 1e-3) return `${(seconds * 1e3).toPrecision(3)} ms`
  return `${(seconds * 1e6).toPrecision(3)} µs`
}
