/**
 * Blocks of residual networks: convolutions, each with batch norm, added to what they were given. Sources: He, Zhang, Ren,
 * Sun, "Deep residual learning for image recognition", 2015; the stride in the 3 × 3 convolution of a bottleneck, as
 * torchvision has it (v1.5), rather than in the first 1 × 1.
 */
import type { AnyTensor } from '../../graph/tensor.js'
import { add, relu } from '../../ops/elementwise.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import { normal, ones, zeros, type Initializer } from '../initializers.js'
import { Module } from '../module.js'
import { Conv2d } from './convolution.js'
import { BatchNorm } from './normalisation.js'

export interface ResidualOptions {
  /** Channels of the input. */
  readonly numInputs: number
  /** Channels of the convolutions; the result has `expansion` times as many. */
  readonly width: number
  readonly stride?: number
  /**
   * Whether the last norm's weight begins at 0, so that the block begins as its shortcut: deep networks then train stably from
   * the start. Source: Goyal et al., "Accurate, large minibatch SGD", 2017, section 5.1. False by default, as in torchvision.
   */
  readonly zeroInitResidual?: boolean
}

/** Of spread √(2 / fan out), He's choice for what is followed by ReLU, as torchvision takes it. */
function kaimingByFanOut(numOutputs: number, size: number): Initializer {
  return normal(Math.sqrt(2 / (numOutputs * size * size)))
}

/** A convolution without bias, which batch norm after it would take off again. */
export class NormalisedConvolution extends Module {
  readonly convolution: Conv2d
  readonly norm: BatchNorm

  constructor(numInputs: number, numOutputs: number, size: number, stride = 1, normWeightInitializer = ones()) {
    super()
    this.convolution = new Conv2d(numInputs, numOutputs, size, {
      stride,
      padding: (size - 1) / 2,
      bias: false,
      weightInitializer: kaimingByFanOut(numOutputs, size),
    })
    this.norm = new BatchNorm(numOutputs, { weightInitializer: normWeightInitializer })
  }

  /** f32 [N, H, W, numInputs] to [N, ceil(H / stride), ceil(W / stride), numOutputs]. */
  forward(x: AnyTensor): AnyTensor {
    return this.norm.forward(this.convolution.forward(x))
  }
}

/** Of the weight of a block's last norm. */
function lastNormInitializer({ zeroInitResidual = false }: ResidualOptions): Initializer {
  return zeroInitResidual ? zeros() : ones()
}

/** What is added to: the input, or, where sizes differ, its projection by a 1 × 1 convolution. */
function shortcutOf({ numInputs, width, stride = 1 }: ResidualOptions, expansion: number) {
  const isSame = stride === 1 && numInputs === expansion * width
  return isSame ? undefined : new NormalisedConvolution(numInputs, expansion * width, 1, stride)
}

function checkResidual(operation: string, { numInputs, width, stride }: ResidualOptions): void {
  checkOptions(operation, {
    numInputs: [numInputs, ranges.count],
    width: [width, ranges.count],
    stride: [stride, ranges.count],
  })
}

/**
 * Two 3 × 3 convolutions: ReLU(x + second(ReLU(first(x)))). f32 [N, H, W, numInputs] to [N, H / stride, W / stride, width].
 *
 * @example new nn.BasicBlock({ numInputs: 64, width: 128, stride: 2 })
 */
export class BasicBlock extends Module {
  static readonly expansion = 1
  readonly first: NormalisedConvolution
  readonly second: NormalisedConvolution
  readonly shortcut: NormalisedConvolution | undefined

  constructor(options: ResidualOptions) {
    super()
    checkResidual('BasicBlock', options)
    const { numInputs, width, stride } = options
    this.first = new NormalisedConvolution(numInputs, width, 3, stride)
    this.second = new NormalisedConvolution(width, width, 3, 1, lastNormInitializer(options))
    this.shortcut = shortcutOf(options, BasicBlock.expansion)
  }

  forward(x: AnyTensor): AnyTensor {
    const changed = this.second.forward(relu(this.first.forward(x)))
    return relu(add(changed, this.shortcut?.forward(x) ?? x))
  }
}

/**
 * 1 × 1 to few channels, 3 × 3 there, 1 × 1 to four times as many. f32 [N, H, W, numInputs] to
 * [N, H / stride, W / stride, 4 width].
 *
 * @example new nn.BottleneckBlock({ numInputs: 256, width: 128, stride: 2 })
 */
export class BottleneckBlock extends Module {
  static readonly expansion = 4
  readonly first: NormalisedConvolution
  readonly second: NormalisedConvolution
  readonly third: NormalisedConvolution
  readonly shortcut: NormalisedConvolution | undefined

  constructor(options: ResidualOptions) {
    super()
    checkResidual('BottleneckBlock', options)
    const { numInputs, width, stride } = options
    this.first = new NormalisedConvolution(numInputs, width, 1)
    this.second = new NormalisedConvolution(width, width, 3, stride)
    this.third = new NormalisedConvolution(width, BottleneckBlock.expansion * width, 1, 1, lastNormInitializer(options))
    this.shortcut = shortcutOf(options, BottleneckBlock.expansion)
  }

  forward(x: AnyTensor): AnyTensor {
    const narrow = relu(this.first.forward(x))
    const changed = this.third.forward(relu(this.second.forward(narrow)))
    return relu(add(changed, this.shortcut?.forward(x) ?? x))
  }
}
