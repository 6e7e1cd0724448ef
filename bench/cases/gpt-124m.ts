/** GPT-2 small, 124 million parameters. Its tokens are drawn: the commonest are common, as in a text (Zipf's law). */
import { data, defineTraining, nn } from 'talweg'
import { nextTokenLoss, optimizer } from './gpt.js'

const vocabulary = 50_257
const context = 256
const numWindows = 256

/** Windows of drawn tokens, and the same one token further on. */
function windows(): ReturnType<typeof data.arrays> {
  const shape = [numWindows, context]
  const stream = drawTokens(numWindows * context + 1)
  return data.arrays({
    tokens: { dtype: 'i32', shape, data: stream.subarray(0, -1) },
    targets: { dtype: 'i32', shape, data: stream.subarray(1) },
  })
}

/** Token r about in proportion to 1 / (r + 1): exp of a number evenly spread from 0 to log(vocabulary + 1). */
function drawTokens(count: number): Int32Array {
  let state = 1
  return Int32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.min(vocabulary - 1, Math.floor(Math.exp((state / 2 ** 32) * Math.log(vocabulary + 1))) - 1)
  })
}

export default defineTraining({
  model: () => new nn.GPT({ vocabulary, context, layers: 12, heads: 12, width: 768 }),
  data: windows,
  loss: nextTokenLoss,
  optimizer,
  batchSize: 2,
  steps: 1000,
  seed: 1,
})
