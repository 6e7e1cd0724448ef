/**
 * ResNet: images to classes by residual blocks. Source: He, Zhang, Ren, Sun, "Deep residual learning for image
 * recognition", 2015, in torchvision's form v1.5.
 *
 * Parameters by path (kernels are [height, width, in, out]; S counts stages from 0, N blocks in one):
 *
 * | path | torchvision's name |
 * |---|---|
 * | stem.convolution.weight | conv1.weight |
 * | stem.norm.* | bn1.* |
 * | stages.S.N.first, second, third .convolution.weight | layer(S+1).N.conv1, conv2, conv3 .weight |
 * | stages.S.N.first, second, third .norm.* | layer(S+1).N.bn1, bn2, bn3 .* |
 * | stages.S.N.shortcut.convolution.weight | layer(S+1).N.downsample.0.weight |
 * | stages.S.N.shortcut.norm.* | layer(S+1).N.downsample.1.* |
 * | output.weight, .bias | fc.weight, .bias |
 *
 * A norm has weight, bias, and, moved by training but not trained, runningMean and runningVariance.
 */
import type { Shape } from '../../../core/shape.js'
import { checkOptions, ranges } from '../../../graph/checkOptions.js'
import type { AnyTensor, Tensor } from '../../../graph/tensor.js'
import { relu } from '../../../ops/elementwise.js'
import { reshape } from '../../../ops/movement.js'
import { AdaptiveAveragePool2d } from '../../layers/adaptivePool.js'
import { MaxPool2d } from '../../layers/convolution.js'
import { Linear } from '../../layers/linear.js'
import { BasicBlock, BottleneckBlock, NormalisedConvolution } from '../../layers/residual.js'
import { Module } from '../../module.js'
import { checkChoices } from '../choices.js'
import { resnetConfigs } from './configs.js'

export interface ResNetOptions {
  readonly block: 'basic' | 'bottleneck'
  /** Blocks in each stage; each stage but the first halves the image and doubles the channels. */
  readonly stages: readonly number[]
  readonly numClasses: number
  /** Channels of the images. Default 3. */
  readonly channels?: number
  /** Channels of the first stage. Default 64. */
  readonly width?: number
  /**
   * `large` (the default): a 7 × 7 convolution by steps of 2 and max pooling, so that stages begin at a quarter of the
   * image's size. `small`, for images such as CIFAR's: a 3 × 3 convolution.
   */
  readonly stem?: 'large' | 'small'
  /** Whether each block begins as its shortcut, the weight of its last norm being 0. Default false. */
  readonly zeroInitResidual?: boolean
}

const blocks = { basic: BasicBlock, bottleneck: BottleneckBlock } as const

/**
 * @example new nn.ResNet(nn.ResNet.configs['resnet50'])
 * @example new nn.ResNet({ ...nn.ResNet.configs['resnet18'], numClasses: 10, stem: 'small' })
 */
export class ResNet extends Module {
  /** Sizes of published models, by name. */
  static readonly configs = resnetConfigs

  readonly stem: NormalisedConvolution
  readonly pool: MaxPool2d | undefined
  readonly stages: readonly (readonly (BasicBlock | BottleneckBlock)[])[]
  readonly meanPool: AdaptiveAveragePool2d
  readonly output: Linear
  readonly options: ResNetOptions

  constructor(options: ResNetOptions) {
    super()
    const { block, stages, numClasses, channels = 3, width = 64, stem = 'large', zeroInitResidual } = options
    checkChoices('ResNet', { block: [block, ['basic', 'bottleneck']], stem: [stem, ['large', 'small']] })
    checkOptions('ResNet', {
      ...Object.fromEntries(stages.map((count, index) => [`stages[${index}]`, [count, ranges.count]])),
      numClasses: [numClasses, ranges.count],
      channels: [channels, ranges.count],
      width: [width, ranges.count],
    })
    const isLarge = stem === 'large'
    this.stem = new NormalisedConvolution(channels, width, isLarge ? 7 : 3, isLarge ? 2 : 1)
    this.pool = isLarge ? new MaxPool2d(3, { stride: 2, padding: 1 }) : undefined
    const Block = blocks[block]
    let numInputs = width
    this.stages = stages.map((numBlocks, stage) =>
      Array.from({ length: numBlocks }, (_, index) => {
        const inner = width * 2 ** stage
        const stride = stage > 0 && index === 0 ? 2 : 1
        const made = new Block({ numInputs, width: inner, stride, zeroInitResidual })
        numInputs = inner * Block.expansion
        return made
      }),
    )
    this.meanPool = new AdaptiveAveragePool2d(1)
    this.output = new Linear(numInputs, numClasses)
    this.options = options
  }

  /** Images f32 [N, H, W, channels] to logits f32 [N, numClasses]. */
  forward(images: AnyTensor): Tensor<Shape, 'f32'> {
    return this.output.forward(this.features(images) as Tensor<Shape, 'f32'>)
  }

  /** Images f32 [N, H, W, channels] to what the last layer classifies by, f32 [N, features]. */
  features(images: AnyTensor): AnyTensor {
    let x: AnyTensor = relu(this.stem.forward(images))
    if (this.pool !== undefined) x = this.pool.forward(x)
    for (const stage of this.stages) for (const block of stage) x = block.forward(x)
    return reshape(this.meanPool.forward(x), [x.shape[0], x.shape[3]]) as AnyTensor
  }
}
