/** Choosing tokens, and generating with a key-value cache. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileGraph } from '../../src/compile/index.js'
import { numElements, tensorData, tensorType, type Shape, type TensorData } from '../../src/core/shape.js'
import { createReferenceEngine } from '../../src/engine/reference/index.js'
import { trace, type Tensor } from '../../src/graph/index.js'
import { GPT, withParameters } from '../../src/nn/index.js'
import { chooseToken, generateTokens } from '../../src/train/sample/index.js'
import { randomTensor } from '../engines/support/data.js'

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

const vocabulary = 7
const context = 6

test('with the cache the tokens are those of whole passes over the text, also beyond the context', async () => {
  const engine = createReferenceEngine()
  const model = new GPT({ vocabulary, context, layers: 2, heads: 2, width: 8 })
  const parameters = new Map([...model.namedParameters()].map(([name, { type }]) => [name, randomTensor(name, type)]))
  const generated: number[] = []
  for await (const token of generateTokens(model, parameters, engine, [1, 2], 9, { temperature: 0, seed: 1 }))
    generated.push(token)
  const text = [1, 2]
  let start = 0
  for (const token of generated) {
    if (text.length - start > context) start = text.length - context / 2
    assert.equal(token, await likeliestAfter(model, parameters, text.slice(start)), `after ${text.join(' ')}`)
    text.push(token)
  }
  assert.equal(generated.length, 9)
})

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
