/** GPT-2's architecture in TensorFlow.js. Weights are Talweg's, by Talweg's names. */
import * as tf from '@tensorflow/tfjs'

const geluScale = Math.sqrt(2 / Math.PI)

function linear(weights, name, x) {
  return tf.add(tf.matMul(x, weights[`${name}.weight`]), weights[`${name}.bias`])
}

function layerNorm(weights, name, x) {
  const centred = tf.sub(x, tf.mean(x, -1, true))
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5))
  return tf.add(tf.mul(tf.mul(centred, scale), weights[`${name}.weight`]), weights[`${name}.bias`])
}

function gelu(x) {
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), geluScale)
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1))
}

/** @param x [batch * length, width] */
function attend(weights, name, x, mask, { batch, length, heads, width }) {
  const split = (part) =>
    tf.transpose(tf.reshape(linear(weights, `${name}.${part}`, x), [batch, length, heads, width / heads]), [0, 2, 1, 3])
  const scores = tf.mul(tf.matMul(split('query'), split('key'), false, true), 1 / Math.sqrt(width / heads))
  const mixed = tf.matMul(tf.softmax(tf.add(scores, mask)), split('value'))
  return linear(weights, `${name}.output`, tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch * length, width]))
}

/** 0 where a row may look and a large negative number where it may not. */
function causalMask(length) {
  const rows = Array.from({ length }, (_, row) => Array.from({ length }, (_, column) => (column > row ? -1e9 : 0)))
  return tf.tensor2d(rows)
}

/** The backend has no gradient of gather, so tokens are looked up as a product with one-hot rows. */
export function lossOf(weights, tokens, targets, options) {
  const [batch, length] = tokens.shape
  const { vocabulary, layers, heads, width } = options
  const table = weights['tokenEmbedding.weight']
  const shape = { batch, length, heads, width }
  const oneHot = (indices) => tf.cast(tf.oneHot(tf.reshape(indices, [batch * length]), vocabulary), 'float32')
  const mask = causalMask(length)
  const embedded = tf.reshape(tf.matMul(oneHot(tokens), table), [batch, length, width])
  const places = tf.slice(weights['positionEmbedding.weight'], [0, 0], [length, width])
  let x = tf.reshape(tf.add(embedded, places), [batch * length, width])
  for (let layer = 0; layer < layers; layer++) {
    const name = `blocks.${layer}`
    x = tf.add(x, attend(weights, `${name}.attention`, layerNorm(weights, `${name}.norm1`, x), mask, shape))
    const raised = gelu(linear(weights, `${name}.mlp.up`, layerNorm(weights, `${name}.norm2`, x)))
    x = tf.add(x, linear(weights, `${name}.mlp.down`, raised))
  }
  const logits = tf.matMul(layerNorm(weights, 'finalNorm', x), table, false, true)
  const chosen = tf.sum(tf.mul(logits, oneHot(targets)), -1)
  return tf.mean(tf.sub(tf.logSumExp(logits, -1), chosen))
}
