/** Layers for images, [N, H, W, C]. */
import { TalwegError } from '../../core/errors.js'
import { checkOptions, ranges } from '../../graph/checkOptions.js'
import { currentPlace } from '../../graph/location.js'
import type { AnyTensor, Tensor } from '../../graph/tensor.js'
import type { Shape } from '../../core/shape.js'
import {
  averagePool2d,
  convolution2d,
  maxPool2d,
  type ConvolutionOptions,
  type WindowOptions,
} from '../../ops/convolution.js'
import { add } from '../../ops/elementwise.js'
import { fanInUniform, type Initializer } from '../initializers.js'
import { Module } from '../module.js'
import { Parameter } from '../parameter.js'

export interface Conv2dOptions extends ConvolutionOptions {
  readonly bias?: boolean
  readonly weightInitializer?: Initializer
}

/** Convolution with a kernel [KH, KW, inputs / groups, outputs] and a bias. */
export class Conv2d extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | undefined
  readonly window: ConvolutionOptions

  constructor(
    numInputs: number,
    numOutputs: number,
    size: number | readonly [number, number],
    options: Conv2dOptions = {},
  ) {
    super()
    const { bias = true, weightInitializer, ...window } = options
    const [height, width] = typeof size === 'number' ? [size, size] : size
    const { groups = 1 } = window
    checkOptions('Conv2d', {
      numInputs: [numInputs, ranges.count],
      numOutputs: [numOutputs, ranges.count],
      'size[0]': [height, ranges.count],
      'size[1]': [width, ranges.count],
      groups: [groups, ranges.count],
    })
    checkGroups(numInputs, numOutputs, groups)
    const inputsPerGroup = numInputs / groups
    const initializer = fanInUniform(height * width * inputsPerGroup)
    this.weight = new Parameter<Shape>([height, width, inputsPerGroup, numOutputs], {
      initializer: weightInitializer ?? initializer,
    })
    this.bias = bias ? new Parameter<Shape>([numOutputs], { initializer }) : undefined
    this.window = window
  }

  forward(x: AnyTensor): Tensor<Shape, 'f32'> {
    const result = convolution2d(x, this.weight, this.window)
    return (this.bias === undefined ? result : add(result, this.bias as AnyTensor)) as Tensor<Shape, 'f32'>
  }
}

function checkGroups(numInputs: number, numOutputs: number, groups: number): void {
  if (numInputs % groups === 0 && numOutputs % groups === 0) return
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'Conv2d',
    problem: `${groups} groups do not divide ${numInputs} inputs and ${numOutputs} outputs`,
    hint: 'choose a number of groups that divides both',
    place: currentPlace(),
  })
}

export class MaxPool2d extends Module {
  constructor(
    readonly size: number | readonly [number, number],
    readonly window: WindowOptions = {},
  ) {
    super()
  }

  forward(x: AnyTensor): AnyTensor {
    return maxPool2d(x, this.size, this.window)
  }
}

export class AveragePool2d extends Module {
  constructor(
    readonly size: number | readonly [number, number],
    readonly window: WindowOptions = {},
  ) {
    super()
  }

  forward(x: AnyTensor): AnyTensor {
    return averagePool2d(x, this.size, this.window)
  }
}
