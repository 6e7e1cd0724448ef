/** TensorFlow.js on its WebAssembly backend (SIMD; in Node it has no threads), training a GPT with AdamW. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import { readArguments, takeTurns } from '../turns.mjs'
import { readWork } from '../work.mjs'
import { lossOf } from './gpt.mjs'

const { work: folder, numChecked } = readArguments()
const wasm = path.dirname(fileURLToPath(import.meta.resolve('@tensorflow/tfjs-backend-wasm')))
setWasmPaths(`${wasm}/`)
await tf.setBackend('wasm')

const { options, optimizer, batches, weights: initial } = readWork(folder)
const { learningRate, beta1, beta2, epsilon, weightDecay } = optimizer
const parameters = Object.entries(initial).map(([name, { shape, data }]) => ({
  name,
  value: tf.variable(tf.tensor(data, shape)),
  mean: tf.variable(tf.zeros(shape)),
  variance: tf.variable(tf.zeros(shape)),
}))
const weights = Object.fromEntries(parameters.map(({ name, value }) => [name, value]))
const inputs = batches.map(([tokens, targets]) => [
  tf.tensor(tokens.data, tokens.shape, 'int32'),
  tf.tensor(targets.data, targets.shape, 'int32'),
])

function update({ value, mean, variance }, gradient, step) {
  const newMean = tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1))
  const newVariance = tf.add(tf.mul(variance, beta2), tf.mul(tf.square(gradient), 1 - beta2))
  const spread = tf.add(tf.sqrt(tf.div(newVariance, 1 - beta2 ** step)), epsilon)
  const direction = tf.div(tf.div(newMean, 1 - beta1 ** step), spread)
  const kept = value.rank >= 2 ? tf.mul(value, 1 - learningRate * weightDecay) : value
  mean.assign(newMean)
  variance.assign(newVariance)
  value.assign(tf.sub(kept, tf.mul(direction, learningRate)))
}

let numSteps = 0

function step() {
  const [tokens, targets] = inputs[numSteps % inputs.length]
  numSteps++
  return tf.tidy(() => {
    const { value: loss, grads } = tf.variableGrads(() => lossOf(weights, tokens, targets, options))
    for (const parameter of parameters) update(parameter, grads[parameter.value.name], numSteps)
    return loss
  })
}

async function read(loss) {
  const [value] = await loss.data()
  loss.dispose()
  return value
}

await takeTurns(`TensorFlow.js ${tf.version['tfjs-core']}, wasm`, step, numChecked, read)
