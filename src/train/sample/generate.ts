/**
 * Generating text with a GPT, token by token: the program of one token, with the keys and values of all before kept in
 * the engine (its state), so that a token costs one token's work. A prompt goes through as one call of several steps.
 *
 * The model's positions end at its context. A longer text goes on from its own last half, fed in again.
 */
import { compileGraph } from '../../compile/index.js'
import { invariant, TalwegError } from '../../core/errors.js'
import { formatType, sameType, tensorData, tensorType, type TensorData, type TensorType } from '../../core/shape.js'
import type { Engine, EngineBuffer, Executable } from '../../engine/engine.js'
import { trace, type AnyTensor, type NamedType, type Tensor } from '../../graph/index.js'
import { withParameters, type AnyParameter, type GPT } from '../../nn/index.js'
import { reshape } from '../../ops/index.js'
import type { Shape } from '../../core/shape.js'
import { chooseToken, type SamplingOptions } from './choose.js'

interface TokenProgram {
  readonly executable: Executable
  readonly vocabulary: number
}

const cacheName = (layer: number, part: string): string => `cache.${layer}.${part}`
const newName = (name: string): string => `new ${name}`

/**
 * Tokens after a prompt, one at a time.
 *
 * @param parameters the model's, by path
 * @param prompt at least one token
 * @example for await (const token of generateTokens(model, parameters, engine, prompt, 100, { temperature: 0.8, seed: 1 }))
 */
export async function* generateTokens(
  model: GPT,
  parameters: ReadonlyMap<string, TensorData>,
  engine: Engine,
  prompt: readonly number[],
  numTokens: number,
  options: SamplingOptions,
): AsyncGenerator<number> {
  invariant(prompt.length > 0, 'a prompt has a token')
  const { context } = model.options
  const program = await loadProgram(model, parameters, engine)
  const text = [...prompt]
  const halfContext = Math.max(1, Math.floor(context / 2))
  let fed = Math.max(0, text.length - context)
  let start = fed
  for (let count = 0; count < numTokens; count++) {
    if (text.length - start > context) {
      start = text.length - halfContext
      fed = start
    }
    const logits = await feed(program, text.slice(fed), fed - start)
    fed = text.length
    const token = chooseToken(logits, text.length, options)
    text.push(token)
    yield token
  }
}

/** Puts tokens through the model at places from `position` on; the logits after the last. */
async function feed(
  { executable, vocabulary }: TokenProgram,
  tokens: readonly number[],
  position: number,
): Promise<Float32Array> {
  const steps = tokens.length
  const { logits } = await executable.run(
    {
      token: tensorData('i32', [steps, 1], tokens),
      position: tensorData(
        'i32',
        [steps],
        tokens.map((_, index) => position + index),
      ),
    },
    { steps },
  )
  return (logits.data as Float32Array).subarray((steps - 1) * vocabulary)
}

async function loadProgram(
  model: GPT,
  parameters: ReadonlyMap<string, TensorData>,
  engine: Engine,
): Promise<TokenProgram> {
  const named = model.namedParameters()
  const buffers = new Map<string, EngineBuffer>()
  for (const [name, { type }] of named)
    buffers.set(name, engine.allocate(type, checkedParameter(name, type, parameters)))
  const caches = cacheTypes(model)
  for (const { name, type } of caches) buffers.set(name, engine.allocate(type, tensorData(type.dtype, type.shape)))
  const state = Object.fromEntries([
    ...Array.from(named.keys(), (name) => [name, undefined] as const),
    ...caches.map(({ name }) => [name, newName(name)] as const),
  ])
  const graph = traceToken(model, named, caches)
  const steppedInputs = new Set(['token', 'position'])
  const { program } = compileGraph(graph, engine, { state, steppedInputs, outputs: ['logits'] })
  return { executable: await engine.load(program, buffers), vocabulary: model.options.vocabulary }
}

function checkedParameter(name: string, type: TensorType, parameters: ReadonlyMap<string, TensorData>): TensorData {
  const found = parameters.get(name)
  if (found !== undefined && sameType(found, type)) return found
  throw new TalwegError({
    code: 'CHECKPOINT_MISMATCH',
    operation: 'sample',
    problem: `the model's ${name} is ${formatType(type)}; the checkpoint has ${found === undefined ? 'none' : formatType(found)}`,
    hint: 'sample with the training file that the run was made with',
  })
}

function cacheTypes(model: GPT): NamedType[] {
  const { context, heads, keyValueHeads, width } = model.options
  const type = tensorType('f32', [1, context, keyValueHeads, width / heads])
  return model.blocks.flatMap((_, layer) => [
    { name: cacheName(layer, 'key'), type },
    { name: cacheName(layer, 'value'), type },
  ])
}

function traceToken(
  model: GPT,
  named: ReadonlyMap<string, AnyParameter>,
  caches: readonly NamedType[],
): ReturnType<typeof trace> {
  const inputs: NamedType[] = [
    ...Array.from(named, ([name, { type }]) => ({ name, type })),
    ...caches,
    { name: 'token', type: tensorType('i32', [1]) },
    { name: 'position', type: tensorType('i32', []) },
  ]
  return trace('token', inputs, (...tensors) => {
    const byName = new Map(inputs.map(({ name }, index) => [name, tensors[index]]))
    const get = (name: string): AnyTensor => byName.get(name)!
    const values = new Map(Array.from(named, ([name, parameter]) => [parameter, get(name)]))
    return withParameters({ training: false, values, updates: new Map() }, () => {
      const layers = model.blocks.map((_, layer) => ({
        key: get(cacheName(layer, 'key')),
        value: get(cacheName(layer, 'value')),
      }))
      const token = reshape(get('token'), [1, 1]) as AnyTensor as Tensor<Shape, 'i32'>
      const { logits, caches: grown } = model.forwardCached(token, layers, get('position'))
      const results: Record<string, AnyTensor> = { logits: reshape(logits, [model.options.vocabulary]) }
      for (const [layer, { key, value }] of grown.entries()) {
        results[newName(cacheName(layer, 'key'))] = key
        results[newName(cacheName(layer, 'value'))] = value
      }
      return results
    })
  })
}
