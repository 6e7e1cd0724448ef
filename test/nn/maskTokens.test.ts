/** The masked-token objective: what is chosen, what becomes of it, and what decides. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tensorData, tensorType, type Shape } from '../../src/core/shape.js'
import type { Engine } from '../../src/engine/engine.js'
import { trace, type AnyTensor, type Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import { random, scalar } from '../../src/ops/index.js'
import { evaluate } from '../engines/support/evaluate.js'
import { forEachEngine } from '../engines/support/engines.js'

const [numSamples, length] = [64, 256]
const count = numSamples * length
const [vocabulary, maskToken, special] = [1000, 999, 0]
/** Every eighth is special, no other is, and none is the mask. */
const tokens = Int32Array.from({ length: count }, (_, place) => (place % 8 === 0 ? special : 1 + ((place * 31) % 998)))

interface Draw {
  readonly training?: boolean
  readonly step?: number
  readonly firstSample?: number
  readonly rows?: number
  readonly options?: Partial<nn.MaskTokensOptions>
}

async function draw(engine: Engine, { training = true, step = 3, firstSample = 0, rows = numSamples, options }: Draw) {
  const u32 = (value: number): AnyTensor => scalar(value, 'u32') as AnyTensor
  const graph = trace('mask', [{ name: 'x0', type: tensorType('i32', [rows, length]) }], (given) => {
    const body = () =>
      nn.maskTokens(given as Tensor<Shape, 'i32'>, { vocabulary, maskToken, specialTokens: [special], ...options })
    const scope = { training, values: new Map(), updates: new Map() }
    const randomness = { seed: u32(5), step: u32(step), sampleOffset: u32(firstSample), numSamples: rows }
    const { tokens: seen, targets } = nn.withParameters(scope, () =>
      training ? random.withRandomness(randomness, body) : body(),
    )
    return { seen: seen as AnyTensor, targets: targets as AnyTensor }
  })
  const part = tokens.slice(firstSample * length, (firstSample + rows) * length)
  const [seen, targets] = await evaluate(engine, graph, [tensorData('i32', [rows, length], part)])
  return { seen: Array.from(seen.data, Number), targets: Array.from(targets.data, Number) }
}

/** Row r of so many has r ordinary tokens, and is special after them. */
async function drawPlaces(engine: Engine, rows: number, columns: number, rate: number, step = 3) {
  const u32 = (value: number): AnyTensor => scalar(value, 'u32') as AnyTensor
  const graph = trace('mask', [{ name: 'x0', type: tensorType('i32', [rows, columns]) }], (x) => {
    const options = { vocabulary, maskToken, specialTokens: [special], rate }
    const scope = { training: true, values: new Map(), updates: new Map() }
    const randomness = { seed: u32(5), step: u32(step), sampleOffset: u32(0), numSamples: rows }
    const masked = nn.withParameters(scope, () =>
      random.withRandomness(randomness, () => nn.maskPlaces(x as Tensor<Shape, 'i32'>, options)),
    )
    return {
      seen: masked.tokens as AnyTensor,
      places: masked.places as AnyTensor,
      targets: masked.targets as AnyTensor,
    }
  })
  const given = Int32Array.from({ length: rows * columns }, (_, index) =>
    index % columns < Math.floor(index / columns) ? 1 + ((index * 31) % 998) : special,
  )
  const results = await evaluate(engine, graph, [tensorData('i32', [rows, columns], given)])
  const [seen, places, targets] = results.map(({ data, shape }) =>
    Array.from({ length: rows }, (_, row) => Array.from(data.slice(row * shape[1], (row + 1) * shape[1]), Number)),
  )
  return { given: Array.from({ length: rows }, (_, row) => Array.from(given.slice(row * columns, (row + 1) * columns))), seen, places, targets } // prettier-ignore
}

/** That `found` of `total` is a share `probability`, within 4.5 standard errors. */
function assertShare(found: number, total: number, probability: number, what: string): void {
  const error = Math.sqrt(total * probability * (1 - probability))
  assert.ok(Math.abs(found - total * probability) <= 4.5 * error, `${what}: ${found} of ${total}`)
}

forEachEngine('masked tokens', (engine) => {
  test('15 % are to be guessed: of them 80 % hidden, 10 % another token, 10 % as they were', async () => {
    const { seen, targets } = await draw(engine, {})
    const places = targets.flatMap((target, place) => (target === -1 ? [] : [place]))
    assertShare(places.length, (count * 7) / 8, 0.15, 'chosen')
    for (const place of places) assert.equal(targets[place], tokens[place], 'a target is the token that was there')
    const numHidden = places.filter((place) => seen[place] === maskToken).length
    const numKept = places.filter((place) => seen[place] === tokens[place]).length
    assertShare(numHidden, places.length, 0.8, 'hidden')
    assertShare(numKept, places.length, 0.1, 'kept')
    const drawn = places.map((place) => seen[place]).filter((token, index) => token !== maskToken && token !== tokens[places[index]]) // prettier-ignore
    assert.ok(drawn.every((token) => token >= 0 && token < vocabulary))
    assertShare(drawn.filter((token) => token < vocabulary / 2).length, drawn.length, 0.5, 'drawn below half')
  })

  test('what is not to be guessed is left as it is, special tokens always', async () => {
    const { seen, targets } = await draw(engine, { options: { rate: 1 } })
    tokens.forEach((token, place) => {
      assert.equal(targets[place], token === special ? -1 : token)
      if (token === special) assert.equal(seen[place], special)
    })
    const none = await draw(engine, { options: { rate: 0, ignoredTarget: -100 } })
    assert.deepEqual(none.seen, Array.from(tokens))
    assert.ok(none.targets.every((target) => target === -100))
  })

  test('each step chooses others; the same step the same, however the batch is shared out', async () => {
    const whole = await draw(engine, {})
    assert.deepEqual(await draw(engine, {}), whole)
    assert.notDeepEqual(await draw(engine, { step: 4 }), whole)
    const half = numSamples / 2
    const parts = [await draw(engine, { rows: half }), await draw(engine, { rows: half, firstSample: half })]
    assert.deepEqual([...parts[0].seen, ...parts[1].seen], whole.seen)
    assert.deepEqual([...parts[0].targets, ...parts[1].targets], whole.targets)
  })

  test('validation hides the same each time, in a short batch as in a whole one', async () => {
    const whole = await draw(engine, { training: false })
    const short = await draw(engine, { training: false, rows: 5 })
    assert.deepEqual(short.seen, whole.seen.slice(0, 5 * length))
    assertShare(whole.targets.filter((target) => target !== -1).length, (count * 7) / 8, 0.15, 'chosen')
  })
})

forEachEngine('masked places', (engine) => {
  const [rows, columns, rate] = [40, 40, 0.15]

  test('of each row, 15 % of its tokens that are not special, rounded and at least one', async () => {
    const { given, seen, places, targets } = await drawPlaces(engine, rows, columns, rate)
    for (let row = 0; row < rows; row++) {
      assert.equal(places[row].length, 6)
      assert.equal(new Set(places[row]).size, 6, 'no place twice')
      const guessed = places[row].filter((_, index) => targets[row][index] !== -1)
      assert.equal(guessed.length, row === 0 ? 0 : Math.max(1, Math.round(rate * row)))
      guessed.forEach((place, index) => assert.equal(targets[row][index], given[row][place]))
      const changed = seen[row].flatMap((token, place) => (token === given[row][place] ? [] : [place]))
      assert.ok(
        changed.every((place) => guessed.includes(place) && place < row),
        `row ${row} changes ${changed}`,
      )
    }
    const all = places.flatMap((row, index) => row.filter((_, each) => targets[index][each] !== -1).map((place) => seen[index][place])) // prettier-ignore
    assertShare(all.filter((token) => token === maskToken).length, all.length, 0.8, 'hidden')
  })

  test('every place is chosen as often as any other; each step chooses others', async () => {
    const [first, second] = [await drawPlaces(engine, 2000, 10, 0.3), await drawPlaces(engine, 2000, 10, 0.3, 4)]
    const counts = Array.from({ length: 10 }, (_, place) => first.places.slice(10).flat().filter((each) => each === place).length) // prettier-ignore
    counts.forEach((count, place) => assertShare(count, 1990, 0.3, `place ${place}`))
    assert.notDeepEqual(first.places, second.places)
    assert.deepEqual(await drawPlaces(engine, 2000, 10, 0.3), first)
  })
})

test('shares that are more than all are refused', async () => {
  const graph = (options: Partial<nn.MaskTokensOptions>) => () =>
    trace('mask', [{ name: 'x0', type: tensorType('i32', [1, 2]) }], (x) => {
      const { targets } = nn.maskTokens(x as Tensor<Shape, 'i32'>, { vocabulary, maskToken, ...options })
      return { targets: targets as AnyTensor }
    })
  assert.throws(graph({ hiddenShare: 0.95 }), /maskTokens: hiddenShare \+ randomShare is 1\.05; it takes/)
  assert.throws(graph({ rate: 2 }), /maskTokens: rate is 2; it takes a number from 0 to 1/)
})
