/** Choosing tokens, and generating with a key-value cache. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph } from '../../src/compile/index.js'
import {
  numElements,
  tensorData,
  tensorType,
  type Shape,
  type TensorData,
  type TensorType,
} from '../../src/core/shape.js'
import { createReferenceEngine } from '../../src/engine/reference/index.js'
import { trace, type Tensor } from '../../src/graph/index.js'
import { GPT, withParameters, type GPTOptions } from '../../src/nn/index.js'
import { chooseToken, generateTokens } from '../../src/train/sample/index.js'
import { randomTensor } from '../engines/support/data.js'
import { forEachEngine } from '../engines/support/engines.js'

const logits = [0, 3, 1, 2]

test('temperature 0 takes the likeliest token', () => {
  assert.equal(chooseToken(logits, 5, { temperature: 0, seed: 1 }), 1)
})

test('drawn tokens follow the softmax of the logits, and the same seed and place draw the same', () => {
  const counts = [0, 0, 0, 0]
  const numDraws = 20_000
  for (let position = 0; position < numDraws; position++)
    counts[chooseToken(logits, position, { temperature: 1, seed: 3 })]++
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
  for (const [token, logit] of logits.entries()) {
    const expected = Math.exp(logit) / total
    assert(Math.abs(counts[token] / numDraws - expected) < 4 * Math.sqrt(expected / numDraws))
  }
  assert.equal(chooseToken(logits, 9, { temperature: 1, seed: 3 }), chooseToken(logits, 9, { temperature: 1, seed: 3 }))
})

test('top-k and top-p draw from the likeliest only', () => {
  const drawn = (options: { topK?: number; topP?: number }): Set<number> =>
    new Set(
      Array.from({ length: 2000 }, (_, position) =>
        chooseToken(logits, position, { temperature: 2, seed: 1, ...options }),
      ),
    )
  assert.deepEqual([...drawn({ topK: 2 })].toSorted(), [1, 3])
  assert.deepEqual([...drawn({ topK: 1 })], [1])
  // At temperature 2 the two likeliest have 0.455 and 0.276 of the probability.
  assert.deepEqual([...drawn({ topP: 0.5 })].toSorted(), [1, 3])
  assert.deepEqual([...drawn({ topP: 0.4 })], [1])
})

/** What `chooseToken` says, with all tokens put in order first. */
function chooseByOrder(all: readonly number[], topK: number, topP: number, share: number): number {
  const order = all.map((_, token) => token).sort((a, b) => all[b] - all[a] || a - b)
  const weights = order.slice(0, topK).map((token) => Math.exp(all[token] - all[order[0]]))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let numKept = 1
  for (let sum = weights[0]; numKept < weights.length && sum < topP * total;) sum += weights[numKept++]
  let left = share * weights.slice(0, numKept).reduce((sum, weight) => sum + weight, 0)
  return order[weights.slice(0, numKept).findIndex((weight) => (left -= weight) < 0)]
}

test('of a large vocabulary the token is the one that putting all in order gives, near the top or far from it', () => {
  const flat = Array.from({ length: 3000 }, (_, token) => ((token * 7919) % 3001) / 3001)
  const steep = flat.map((logit) => 12 * logit)
  // So that the same number is drawn: of so many equal tokens it is which of them is taken.
  const shareAt = (position: number): number => {
    const equal = Array.from({ length: 2 ** 20 }, () => 0)
    return (chooseToken(equal, position, { temperature: 1, seed: 4 }) + 0.5) / equal.length
  }
  for (let position = 0; position < 6; position++) {
    const share = shareAt(position)
    for (const all of [flat, steep]) {
      for (const [topK, topP] of [[3000, 1], [3000, 0.9], [100, 1], [700, 0.5], [1, 1]] as const) {
        const options = { temperature: 1, seed: 4, topK, topP }
        assert.equal(chooseToken(all, position, options), chooseByOrder(all, topK, topP, share), JSON.stringify(options))
      }
    }
  }
}) // prettier-ignore

const vocabulary = 23
const small: GPTOptions = { vocabulary, context: 72, layers: 2, heads: 4, width: 16 }
const forms: Readonly<Record<string, GPTOptions>> = {
  'GPT-2': small,
  Llama: {
    ...small,
    keyValueHeads: 2,
    normalisation: 'rmsNorm',
    positions: 'rotary',
    feedForward: 'swiGLU',
    bias: false,
    tiedHead: false,
  },
}

/** Tokens that differ much and biases that differ little, so that not one of them is always the likeliest. */
function valueOf(name: string, type: TensorType): TensorData {
  const most = name.endsWith('Embedding.weight') ? 2 : name.endsWith('bias') ? 0.1 : 1
  return randomTensor(name, type, { least: -most, most })
}

forEachEngine('generation', (engine) => {
  for (const [form, options] of Object.entries(forms)) {
    // A block of the prompt and the rest of it, caches that are looked at in part and whole, and the context's end.
    for (const [what, length, numTokens] of [['a short prompt', 2, 9], ['a prompt of blocks, beyond the context', 60, 16]] as const) {
      test(`${form}, ${what}: with the cache the tokens are those of whole passes over the text`, async () => {
        const model = new GPT(options)
        const parameters = new Map([...model.namedParameters()].map(([name, { type }]) => [name, valueOf(name, type)]))
        const prompt = Array.from({ length }, (_, place) => (place * place + 1) % vocabulary)
        const generated: number[] = []
        for await (const token of generateTokens(model, parameters, engine, prompt, numTokens, { temperature: 0, seed: 1 }))
          generated.push(token)
        assert.equal(generated.length, numTokens)
        const text = [...prompt]
        let start = 0
        for (const token of generated) {
          if (text.length - start > model.options.context) start = text.length - model.options.context / 2
          assert.equal(token, await likeliestAfter(model, parameters, text.slice(start)), `after ${text.join(' ')}`)
          text.push(token)
        }
        assert.ok(new Set(generated).size > 1, 'not always the same token')
      })
    }
  }
}) // prettier-ignore

async function likeliestAfter(
  model: GPT,
  parameters: ReadonlyMap<string, TensorData>,
  text: readonly number[],
): Promise<number> {
  const engine = createReferenceEngine()
  const named = [...model.namedParameters()]
  const inputs = [
    ...named.map(([name, { type }]) => ({ name, type })),
    { name: 'tokens', type: tensorType('i32', [1, text.length]) },
  ]
  const graph = trace('whole', inputs, (...tensors) => {
    const values = new Map(named.map(([, parameter], index) => [parameter, tensors[index]]))
    return withParameters({ training: false, values, updates: new Map() }, () => ({
      logits: model.forward(tensors[named.length] as Tensor<Shape, 'i32'>),
    }))
  })
  const executable = await engine.load(compileGraph(graph, engine).program, new Map())
  const results = await executable.run({
    ...Object.fromEntries(parameters),
    tokens: tensorData('i32', [1, text.length], text),
  })
  const last = results.logits.data.slice(numElements(results.logits.shape) - vocabulary)
  return last.indexOf(Math.max(...last))
}
