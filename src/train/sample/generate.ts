/**
 * Generating text with a GPT, token by token: the program of one token, with the keys and values of all before kept in
 * the engine (its state), so that a token costs one token's work. A prompt goes through in blocks. There are programs for
 * caches filled so far and twice as far and so on, so that a short text does not read the whole of them.
 *
 * The model's positions end at its context. A longer text goes on from its own last half, fed in again.
 */
import { compileGraph } from '../../compile/index.js'
import { invariant } from '../../core/errors.js'
import { tensorData, tensorType, type Shape, type TensorData } from '../../core/shape.js'
import type { Engine, EngineBuffer, Executable } from '../../engine/engine.js'
import { trace, type AnyTensor, type NamedType, type Tensor } from '../../graph/index.js'
import { parameterValue, withParameters, type AnyParameter, type GPT } from '../../nn/index.js'
import { reshape } from '../../ops/index.js'
import { chooseToken, type SamplingOptions } from './choose.js'

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
  const cached = CachedModel.create(model, parameters, engine)
  const text = [...prompt]
  const halfContext = Math.max(1, Math.floor(context / 2))
  let fed = Math.max(0, text.length - context)
  let start = fed
  for (let count = 0; count < numTokens; count++) {
    if (text.length - start > context) {
      start = text.length - halfContext
      fed = start
    }
    const logits = await cached.feed(text.slice(fed), fed - start)
    fed = text.length
    const token = chooseToken(logits, text.length, options)
    text.push(token)
    yield token
  }
}

/** Tokens of a prompt that go through the model together, which reads its weights once for all of them. */
const blockLength = 32
/** The least number of places of the cache that a program looks at; each next one looks at twice as many. */
const leastVisible = 64

/** A model with its caches in the engine, and the programs that put tokens through it. */
class CachedModel {
  readonly #programs = new Map<string, Promise<Executable>>()

  private constructor(
    readonly model: GPT,
    readonly engine: Engine,
    readonly buffers: ReadonlyMap<string, EngineBuffer>,
  ) {}

  static create(model: GPT, parameters: ReadonlyMap<string, TensorData>, engine: Engine): CachedModel {
    const buffers = new Map<string, EngineBuffer>()
    for (const [name, { type }] of model.namedParameters())
      buffers.set(name, engine.allocate(type, parameterValue('sample', name, type, parameters)))
    for (const { name, type } of cacheTypes(model))
      buffers.set(name, engine.allocate(type, tensorData(type.dtype, type.shape)))
    return new CachedModel(model, engine, buffers)
  }

  /** Puts tokens through the model at places from `position` on; the logits after the last. */
  async feed(tokens: readonly number[], position: number): Promise<Float32Array> {
    let logits: Float32Array | undefined
    for (let done = 0; done < tokens.length;) {
      const length = tokens.length - done >= blockLength ? blockLength : 1
      const executable = await this.#programFor(length, position + done + length)
      const outputs = await executable.run({
        tokens: tensorData('i32', [1, length], tokens.slice(done, done + length)),
        position: tensorData('i32', [], [position + done]),
      })
      logits = outputs.logits.data as Float32Array
      done += length
    }
    invariant(logits !== undefined, 'a token is fed')
    return logits
  }

  /** For so many tokens at once, of which the last is the `seen`th of the text. Made when first wanted. */
  #programFor(length: number, seen: number): Promise<Executable> {
    let visible = leastVisible
    while (visible < seen) visible *= 2
    visible = Math.min(visible, this.model.options.context)
    const key = `${length} ${visible}`
    const known = this.#programs.get(key) ?? this.#load(length, visible)
    this.#programs.set(key, known)
    return known
  }

  async #load(length: number, visible: number): Promise<Executable> {
    const { model, engine, buffers } = this
    const caches = cacheTypes(model)
    const named = model.namedParameters()
    const state = Object.fromEntries([
      ...Array.from(named.keys(), (name) => [name, undefined] as const),
      ...caches.map(({ name }) => [name, newName(name)] as const),
    ])
    const graph = traceTokens(model, named, caches, length, visible)
    return engine.load(compileGraph(graph, engine, { state, outputs: ['logits'] }).program, buffers)
  }
}

function cacheTypes(model: GPT): NamedType[] {
  const { context, heads, keyValueHeads, width } = model.options
  const type = tensorType('f32', [1, context, keyValueHeads, width / heads])
  return model.blocks.flatMap((_, layer) => [
    { name: cacheName(layer, 'key'), type },
    { name: cacheName(layer, 'value'), type },
  ])
}

function traceTokens(
  model: GPT,
  named: ReadonlyMap<string, AnyParameter>,
  caches: readonly NamedType[],
  length: number,
  visible: number,
): ReturnType<typeof trace> {
  const inputs: NamedType[] = [
    ...Array.from(named, ([name, { type }]) => ({ name, type })),
    ...caches,
    { name: 'tokens', type: tensorType('i32', [1, length]) },
    { name: 'position', type: tensorType('i32', []) },
  ]
  return trace('tokens', inputs, (...tensors) => {
    const byName = new Map(inputs.map(({ name }, index) => [name, tensors[index]]))
    const get = (name: string): AnyTensor => byName.get(name)!
    const values = new Map(Array.from(named, ([name, parameter]) => [parameter, get(name)]))
    return withParameters({ training: false, values, updates: new Map() }, () => {
      const layers = model.blocks.map((_, layer) => ({
        key: get(cacheName(layer, 'key')),
        value: get(cacheName(layer, 'value')),
      }))
      const tokens = get('tokens') as Tensor<Shape, 'i32'>
      const { logits, caches: grown } = model.forwardCached(tokens, layers, get('position'), visible)
      const results: Record<string, AnyTensor> = { logits: reshape(logits, [model.options.vocabulary]) }
      for (const [layer, { key, value }] of grown.entries()) {
        results[newName(cacheName(layer, 'key'))] = key
        results[newName(cacheName(layer, 'value'))] = value
      }
      return results
    })
  })
}
