/** The fixtures' models, made of Talweg's own layers; each parameter has the name that it has in the fixture. */
import type { Shape } from '../../src/core/shape.js'
import type { AnyTensor, Tensor } from '../../src/graph/index.js'
import * as nn from '../../src/nn/index.js'
import * as ops from '../../src/ops/index.js'
import type { ModelName } from './fixture.js'

export type ParityModel = nn.Module & { forward(inputs: AnyTensor): AnyTensor }

class ConvNet extends nn.Module {
  readonly convolution1 = new nn.Conv2d(2, 6, 3, { padding: 1, bias: false })
  readonly norm1 = new nn.BatchNorm(6)
  readonly convolution2 = new nn.Conv2d(6, 8, 3, { stride: 2, padding: 1 })
  readonly output = new nn.Linear(8, 5)

  forward(images: AnyTensor): AnyTensor {
    const pooled = ops.maxPool2d(ops.relu(this.norm1.forward(this.convolution1.forward(images))), 2)
    const features = ops.mean(ops.relu(this.convolution2.forward(pooled)), [1, 2])
    return this.output.forward(features as Tensor<Shape, 'f32'>)
  }
}

export const parityModels: { readonly [M in ModelName]: () => ParityModel } = {
  gpt: () => new nn.GPT({ vocabulary: 29, context: 16, layers: 2, heads: 2, width: 32 }) as ParityModel,
  mlp: () => new nn.MLP({ inputs: 12, hidden: [16, 8], outputs: 5, activation: 'relu' }),
  convnet: () => new ConvNet(),
}
