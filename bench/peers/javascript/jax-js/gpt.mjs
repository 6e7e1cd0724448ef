/**
 * GPT-2's architecture in jax-js. Weights are Talweg's, by Talweg's names. An operation uses its operands up; what is wanted
 * again is passed as `.ref`.
 */
import { nn, numpy as np } from '@jax-js/jax'

const geluScale = Math.sqrt(2 / Math.PI)

function linear(weights, name, x) {
  return np.add(np.matmul(x, weights[`${name}.weight`].ref), weights[`${name}.bias`].ref)
}

function layerNorm(weights, name, x) {
  const centred = np.subtract(x.ref, np.mean(x, -1, { keepdims: true }))
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true })
  const scaled = np.divide(centred, np.sqrt(np.add(variance, 1e-5)))
  return np.add(np.multiply(scaled, weights[`${name}.weight`].ref), weights[`${name}.bias`].ref)
}

/** By tanh: the library's own is by the error function. */
function gelu(x) {
  const cubed = np.multiply(np.square(x.ref), x.ref)
  const inner = np.multiply(np.add(x.ref, np.multiply(cubed, 0.044715)), geluScale)
  return np.multiply(np.multiply(x, 0.5), np.add(np.tanh(inner), 1))
}

/** Written out: the library's own attention needs iterator helpers, which Node 20 has not. */
function attend(weights, name, x, { batch, length, heads, width }) {
  const size = width / heads
  const [query, key, value] = ['query', 'key', 'value'].map((part) =>
    np.transpose(np.reshape(linear(weights, `${name}.${part}`, x.ref), [batch, length, heads, size]), [0, 2, 1, 3]),
  )
  x.dispose()
  const scores = np.multiply(np.matmul(query, np.transpose(key, [0, 1, 3, 2])), 1 / Math.sqrt(size))
  const seen = np.lessEqual(np.arange(length), np.reshape(np.arange(length), [length, 1]))
  const mixed = np.matmul(nn.softmax(np.where(seen, scores, -1e9), -1), value)
  return linear(weights, `${name}.output`, np.reshape(np.transpose(mixed, [0, 2, 1, 3]), [batch, length, width]))
}

/** Tokens are looked up as a product with one-hot rows, whose gradient is a product too. */
export function lossOf(weights, tokens, targets, options) {
  const [batch, length] = tokens.shape
  const { vocabulary, layers, heads, width } = options
  const shape = { batch, length, heads, width }
  const table = weights['tokenEmbedding.weight']
  const places = weights['positionEmbedding.weight']
  let x = np.add(np.matmul(nn.oneHot(tokens, vocabulary), table.ref), places.ref)
  for (let layer = 0; layer < layers; layer++) {
    const name = `blocks.${layer}`
    x = np.add(x.ref, attend(weights, `${name}.attention`, layerNorm(weights, `${name}.norm1`, x), shape))
    const raised = gelu(linear(weights, `${name}.mlp.up`, layerNorm(weights, `${name}.norm2`, x.ref)))
    x = np.add(x, linear(weights, `${name}.mlp.down`, raised))
  }
  const logits = np.matmul(layerNorm(weights, 'finalNorm', x), np.transpose(table.ref))
  const chosen = np.sum(np.multiply(logits.ref, nn.oneHot(targets, vocabulary)), -1)
  return np.mean(np.subtract(nn.logsumexp(logits, -1), chosen))
}
