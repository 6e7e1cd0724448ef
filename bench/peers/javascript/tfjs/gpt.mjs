/** GPT-2's architecture in TensorFlow.js. Weights are Talweg's, by Talweg's names. */
import * as tf from '@tensorflow/tfjs'

const geluScale = Math.sqrt(2 / Math.PI)

/**
 * A product of matrices. The backend's fast kernel takes only two plain ones; for one that is to be read transposed, as the
 * gradients ask for, it has plain loops. So they are transposed first.
 */
const product = tf.customGrad((left, right, save) => {
  save([left, right])
  return {
    value: tf.matMul(left, right),
    gradFunc: (slope, [savedLeft, savedRight]) => [
      tf.matMul(slope, tf.transpose(savedRight)),
      tf.matMul(tf.transpose(savedLeft), slope),
    ],
  }
})

/** The products of matrices behind each other, each by itself for the same reason: [n, a, b] by [n, b, c]. */
function productOfEach(left, right) {
  const rights = tf.unstack(right)
  return tf.stack(tf.unstack(left).map((matrix, index) => tf.matMul(matrix, rights[index])))
}

const batchProduct = tf.customGrad((left, right, save) => {
  save([left, right])
  return {
    value: productOfEach(left, right),
    gradFunc: (slope, [savedLeft, savedRight]) => [
      productOfEach(slope, tf.transpose(savedRight, [0, 2, 1])),
      productOfEach(tf.transpose(savedLeft, [0, 2, 1]), slope),
    ],
  }
})

function linear(weights, name, x) {
  return tf.add(product(x, weights[`${name}.weight`]), weights[`${name}.bias`])
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
  const size = width / heads
  const split = (part) => {
    const parts = tf.reshape(linear(weights, `${name}.${part}`, x), [batch, length, heads, size])
    return tf.reshape(tf.transpose(parts, [0, 2, 1, 3]), [batch * heads, length, size])
  }
  const scores = tf.mul(batchProduct(split('query'), tf.transpose(split('key'), [0, 2, 1])), 1 / Math.sqrt(size))
  const mixed = batchProduct(tf.softmax(tf.add(scores, mask)), split('value'))
  const joined = tf.transpose(tf.reshape(mixed, [batch, heads, length, size]), [0, 2, 1, 3])
  return linear(weights, `${name}.output`, tf.reshape(joined, [batch * length, width]))
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
  const embedded = tf.reshape(product(oneHot(tokens), table), [batch, length, width])
  const places = tf.slice(weights['positionEmbedding.weight'], [0, 0], [length, width])
  let x = tf.reshape(tf.add(embedded, places), [batch * length, width])
  for (let layer = 0; layer < layers; layer++) {
    const name = `blocks.${layer}`
    x = tf.add(x, attend(weights, `${name}.attention`, layerNorm(weights, `${name}.norm1`, x), mask, shape))
    const raised = gelu(linear(weights, `${name}.mlp.up`, layerNorm(weights, `${name}.norm2`, x)))
    x = tf.add(x, linear(weights, `${name}.mlp.down`, raised))
  }
  const logits = product(layerNorm(weights, 'finalNorm', x), tf.transpose(table))
  const chosen = tf.sum(tf.mul(logits, oneHot(targets)), -1)
  return tf.mean(tf.sub(tf.logSumExp(logits, -1), chosen))
}
