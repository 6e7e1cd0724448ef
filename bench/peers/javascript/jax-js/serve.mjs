/** jax-js on its WebAssembly device: the whole training step of a GPT (forward, backward, AdamW) under one `jit`. */
import { readFileSync } from 'node:fs'
import { jit, numpy as np, tree, valueAndGrad } from '@jax-js/jax'
import { readArguments, takeTurns } from '../turns.mjs'
import { readWork } from '../work.mjs'
import { lossOf } from './gpt.mjs'

const { work: folder, numChecked } = readArguments()
const { options, optimizer, batches, weights: initial } = readWork(folder)
const { learningRate, beta1, beta2, epsilon, weightDecay } = optimizer

function adamw(parameter, gradient, mean, variance, corrections) {
  const newMean = np.add(np.multiply(mean, beta1), np.multiply(gradient.ref, 1 - beta1))
  const newVariance = np.add(np.multiply(variance, beta2), np.multiply(np.square(gradient), 1 - beta2))
  const spread = np.add(np.sqrt(np.divide(newVariance.ref, corrections.variance.ref)), epsilon)
  const direction = np.divide(np.divide(newMean.ref, corrections.mean.ref), spread)
  const decay = parameter.shape.length >= 2 ? 1 - learningRate * weightDecay : 1
  const updated = np.subtract(np.multiply(parameter, decay), np.multiply(direction, learningRate))
  return { value: updated, mean: newMean, variance: newVariance }
}

const train = jit((state, corrections, tokens, targets) => {
  const weights = Object.fromEntries(Object.entries(state).map(([name, { value }]) => [name, value.ref]))
  const [loss, gradients] = valueAndGrad((given) => {
    const value = lossOf(given, tokens, targets, options)
    tree.dispose(given)
    return value
  })(weights)
  const updated = Object.fromEntries(
    Object.entries(state).map(([name, { value, mean, variance }]) => [
      name,
      adamw(value, gradients[name], mean, variance, corrections),
    ]),
  )
  tree.dispose(corrections)
  return { loss, updated }
})

let state = Object.fromEntries(
  Object.entries(initial).map(([name, { shape, data }]) => [
    name,
    { value: np.array(data, { shape }), mean: np.zeros(shape), variance: np.zeros(shape) },
  ]),
)
const inputs = batches.map((tensors) => tensors.map(({ shape, data }) => np.array(data, { shape, dtype: np.int32 })))
let numSteps = 0

function step() {
  const [tokens, targets] = inputs[numSteps % inputs.length]
  numSteps++
  const corrections = { mean: np.array(1 - beta1 ** numSteps), variance: np.array(1 - beta2 ** numSteps) }
  const { loss, updated } = train(state, corrections, tokens.ref, targets.ref)
  state = updated
  return loss
}

async function read(loss) {
  const [value] = await loss.data()
  return value
}

const manifest = new URL('../node_modules/@jax-js/jax/package.json', import.meta.url)
const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
await takeTurns(`jax-js ${version}, wasm`, step, numChecked, read)
