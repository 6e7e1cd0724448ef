/**
 * LoRA: fine-tuning by a product of two narrow matrices beside each chosen weight, which stays as it is. Source: Hu et al.,
 * "LoRA: low-rank adaptation of large language models", 2021.
 *
 * Weights keep their paths, so that they load as ever; beside `….query.weight` there are `….query.adapter.down` [inputs, rank] and
 * `….query.adapter.up` [rank, outputs].
 */
import { invariant, TalwegError } from '../../core/errors.js'
import { formatType, numberAt, tensorData, type Shape, type TensorData } from '../../core/shape.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import { currentPlace } from '../../graph/location.js'
import type { AnyTensor } from '../../graph/tensor.js'
import { multiply } from '../../ops/elementwise.js'
import { matmul } from '../../ops/products.js'
import { fanInUniform, zeros } from '../initializers.js'
import { Linear } from '../layers/linear.js'
import { Module } from '../module.js'
import { Parameter } from '../parameter.js'
import { chosenBy, matches, type PathPattern } from './match.js'

export interface LoraOptions {
  /** Width of the narrow matrices. Default 8. */
  readonly rank?: number
  /** The product counts alpha / rank times. Default 16. */
  readonly alpha?: number
  /** Paths of the linear layers. By default the queries and values of attention, as in the paper. */
  readonly match?: PathPattern
  /** Paths of parameters to train as well, such as those of a new head. */
  readonly alsoTrain?: PathPattern
}

/** What is added to a linear layer's result: scale · x down up. It begins as nothing. */
export class LowRankAdapter extends Module {
  readonly down: Parameter
  readonly up: Parameter

  constructor(
    numInputs: number,
    numOutputs: number,
    rank: number,
    readonly scale: number,
  ) {
    super()
    this.down = new Parameter<Shape>([numInputs, rank], { initializer: fanInUniform(numInputs) })
    this.up = new Parameter<Shape>([rank, numOutputs], { initializer: zeros() })
  }

  /** x [..., inputs] to [..., outputs]. */
  forward(x: AnyTensor): AnyTensor {
    const narrow = matmul(x, this.down as AnyTensor) as AnyTensor
    return multiply(matmul(narrow, this.up as AnyTensor) as AnyTensor, this.scale) as AnyTensor
  }
}

/**
 * Freezes the model and puts adapters beside its chosen linear layers.
 *
 * @returns the model
 * @example
 * model: async () => nn.lora(await loadPretrained('gpt2'), { rank: 8, alpha: 16 })
 * @throws INVALID_SETTING where no linear layer matches, or one has an adapter already
 */
export function lora<M extends Module>(model: M, options: LoraOptions = {}): M {
  const { rank = 8, alpha = 16, match = ['**.query', '**.value'], alsoTrain } = options
  checkOptions('lora', { rank: [rank, ranges.count], alpha: [alpha, ranges.positive] })
  const layers = linearLayers(model)
  const chosen = chosenBy('lora', match, 'linear layer', [...layers.keys()])
  const parameters = model.namedParameters()
  if (alsoTrain !== undefined) chosenBy('lora', alsoTrain, 'parameter', [...parameters.keys()])
  for (const [path, parameter] of parameters)
    if (alsoTrain === undefined || !matches(alsoTrain, path)) parameter.trainable = false
  for (const path of chosen) {
    const layer = layers.get(path)!
    if (layer.adapter !== undefined) throw adaptedTwice(path)
    const [numInputs, numOutputs] = layer.weight.type.shape
    layer.adapter = new LowRankAdapter(numInputs, numOutputs, rank, alpha / rank)
  }
  return model
}

/**
 * The values of a model's parameters with each adapter's product added to its weight, and without the adapters: for the same
 * model made without `lora`. Sums are taken in double precision.
 *
 * @param values by path, as a checkpoint has them
 * @throws CHECKPOINT_MISMATCH where a weight or an adapter is missing
 */
export function mergeLora(model: Module, values: ReadonlyMap<string, TensorData>): Map<string, TensorData> {
  const merged = new Map(values)
  for (const [path, { adapter }] of linearLayers(model)) {
    if (adapter === undefined) continue
    const get = (name: string): TensorData => values.get(name) ?? missing(name)
    const [down, up] = [get(`${path}.adapter.down`), get(`${path}.adapter.up`)]
    merged.set(`${path}.weight`, addProduct(get(`${path}.weight`), down, up, adapter.scale))
    merged.delete(`${path}.adapter.down`)
    merged.delete(`${path}.adapter.up`)
  }
  return merged
}

function linearLayers(model: Module): Map<string, Linear> {
  return new Map([...model.namedModules()].filter((entry): entry is [string, Linear] => entry[1] instanceof Linear))
}

/** weight [inputs, outputs] + scale · down [inputs, rank] up [rank, outputs]. */
function addProduct(weight: TensorData, down: TensorData, up: TensorData, scale: number): TensorData {
  const [numInputs, numOutputs] = weight.shape
  const rank = up.shape[0]
  invariant(
    down.shape.join() === [numInputs, rank].join() && up.shape[1] === numOutputs,
    `${formatType(down)} and ${formatType(up)} fit ${formatType(weight)}`,
  )
  const result = tensorData(weight.dtype, weight.shape)
  const row = new Float64Array(numOutputs)
  for (let input = 0; input < numInputs; input++) {
    row.fill(0)
    for (let inner = 0; inner < rank; inner++) {
      const factor = scale * numberAt(down, input * rank + inner)
      for (let output = 0; output < numOutputs; output++)
        row[output] += factor * numberAt(up, inner * numOutputs + output)
    }
    const start = input * numOutputs
    for (let output = 0; output < numOutputs; output++)
      result.data[start + output] = numberAt(weight, start + output) + row[output]
  }
  return result
}

function missing(name: string): never {
  throw new TalwegError({
    code: 'CHECKPOINT_MISMATCH',
    operation: 'mergeLora',
    problem: `there is no ${name}`,
    hint: 'give the parameters of the model with its adapters',
  })
}

function adaptedTwice(path: string): TalwegError {
  return new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'lora',
    problem: `${path} has an adapter already`,
    hint: 'give lora() all that is to be adapted at once',
    place: currentPlace(),
  })
}
