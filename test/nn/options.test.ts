/** Numbers given to optimisers, schedules, losses and layers are checked where they are given. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { TalwegError } from '../../src/core/errors.js'
import { trace, type AnyTensor } from '../../src/graph/index.js'
import { tensorType } from '../../src/core/shape.js'
import * as nn from '../../src/nn/index.js'
import * as ops from '../../src/ops/index.js'
import * as optim from '../../src/optim/index.js'

const gpt = { vocabulary: 5, context: 4, layers: 1, heads: 2, width: 8 }
const learningRate = 0.1

/** Traces with an image of 6 x 6. */
function onImages(body: (x: AnyTensor) => AnyTensor): () => unknown {
  return () => trace('images', [{ name: 'x', type: tensorType('f32', [2, 6, 6, 4]) }], (x) => ({ y: body(x) }))
}

const refused: readonly [message: RegExp, make: () => unknown][] = [
  [/^sgd: learningRate is 0; it takes a number above 0\./, () => optim.sgd({ learningRate: 0 })],
  [/^adam: learningRate is NaN;/, () => optim.adam({ learningRate: Number.NaN })],
  [/^lion: learningRate is Infinity;/, () => optim.lion({ learningRate: Infinity })],
  [
    /^adamw: learningRate is missing; it takes a number above 0 or a schedule\./,
    () => optim.adamw({} as optim.AdamOptions),
  ],
  [/^adamw: learningRate is "1e-3";/, () => optim.adamw({ learningRate: '1e-3' as never })],
  [/^gradientDescent: clipNorm is -1; it takes a number above 0\./, () => optim.gradientDescent({ learningRate, clipNorm: -1 })], // prettier-ignore
  [/^sgd: momentum is 1; it takes a number of at least 0 and below 1\./, () => optim.sgd({ learningRate, momentum: 1 })], // prettier-ignore
  [/^sgd: weightDecay is -0\.1; it takes a number of at least 0\./, () => optim.sgd({ learningRate, weightDecay: -0.1 })], // prettier-ignore
  [/^adam: beta1 is 1\.5;/, () => optim.adam({ learningRate, beta1: 1.5 })],
  [/^adamw: beta2 is 1;/, () => optim.adamw({ learningRate, beta2: 1 })],
  [/^adamw: epsilon is 0; it takes a number above 0\./, () => optim.adamw({ learningRate, epsilon: 0 })],
  [/^lion: beta2 is -0\.1;/, () => optim.lion({ learningRate, beta2: -0.1 })],
  [/^constant: warmup is -3; it takes a whole number of at least 0\./, () => optim.constant(1, { warmup: -3 })],
  [/^linear: final is 2; it takes a number from 0 to 1\./, () => optim.linear({ peak: 1, final: 2 })],
  [/^cosine: peak is 0;/, () => optim.cosine({ peak: 0 })],
  [/^cosine: warmup is 1\.5;/, () => optim.cosine({ peak: 1, warmup: 1.5 })],
  [/^stepDecay: every is 0; it takes a whole number of at least 1\./, () => optim.stepDecay({ peak: 1, every: 0 })],
  [/^stepDecay: factor is 0;/, () => optim.stepDecay({ peak: 1, every: 5, factor: 0 })],
  [/^oneCycle: rise is 1\.1;/, () => optim.oneCycle({ peak: 1, rise: 1.1 })],
  [/^oneCycle: initial is 0;/, () => optim.oneCycle({ peak: 1, initial: 0 })],
  [/^Linear: numInputs is 0;/, () => new nn.Linear(0, 3)],
  [/^Linear: numOutputs is undefined|^Linear: numOutputs is null/, () => new nn.Linear(3, null as never)],
  [/^Embedding: width is 2\.5;/, () => new nn.Embedding(4, 2.5)],
  [/^Dropout: rate is 1\.2;/, () => new nn.Dropout(1.2)],
  [/^LayerNorm: epsilon is -1;/, () => new nn.LayerNorm(4, -1)],
  [/^RMSNorm: width is 0;/, () => new nn.RMSNorm(0)],
  [/^BatchNorm: momentum is 2;/, () => new nn.BatchNorm(4, { momentum: 2 })],
  [/^MultiHeadAttention: width 8 is not divisible by 3 heads/, () => new nn.MultiHeadAttention({ width: 8, heads: 3 })],
  [/^MultiHeadAttention: heads is 0;/, () => new nn.MultiHeadAttention({ width: 8, heads: 0 })],
  [/^MLP: hidden\[1\] is -2;/, () => new nn.MLP({ inputs: 3, hidden: [4, -2], outputs: 1 })],
  [/^GPT: width 8 is not divisible by 3 heads/, () => new nn.GPT({ ...gpt, heads: 3 })],
  [/^GPT: layers is 0;/, () => new nn.GPT({ ...gpt, layers: 0 })],
  [/^GPT: context is 1\.5;/, () => new nn.GPT({ ...gpt, context: 1.5 })],
  [/^GPT: dropout is -0\.1;/, () => new nn.GPT({ ...gpt, dropout: -0.1 })],
  [/^GPT: 4 heads can't share 3 heads of keys and values/, () => new nn.GPT({ ...gpt, heads: 4, keyValueHeads: 3 })],
  [
    /^GPT: positions is "sine"; it takes 'learned' or 'rotary'/,
    () => new nn.GPT({ ...gpt, positions: 'sine' as never }),
  ],
  [/^GPT: feedForwardWidth is 0;/, () => new nn.GPT({ ...gpt, feedForwardWidth: 0 })],
  [/^RotaryEmbedding: a head is 3 wide/, () => new nn.GPT({ ...gpt, width: 6, positions: 'rotary' })],
  [/^RotaryEmbedding: scaling\.factor is 0;/, () => new nn.RotaryEmbedding(4, { scaling: { factor: 0, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8 } })], // prettier-ignore
  [/^SwiGLU: hidden is 1\.5;/, () => new nn.SwiGLU({ width: 4, hidden: 1.5 })],
  [/^FeedForward: width is 0;/, () => new nn.FeedForward({ width: 0 })],
  [/^BERT: tokenTypes is 0;/, () => new nn.BERT({ ...gpt, tokenTypes: 0 })],
  [/^BERTTokenClassifier: numClasses is 0;/, () => new nn.BERTTokenClassifier({ ...gpt, numClasses: 0 })],
  [/^ResNet: stages\[1\] is 0;/, () => new nn.ResNet({ block: 'basic', stages: [1, 0], numClasses: 2 })],
  [/^ResNet: block is "wide"; it takes 'basic' or 'bottleneck'/, () => new nn.ResNet({ block: 'wide' as never, stages: [1], numClasses: 2 })], // prettier-ignore
  [/^BasicBlock: stride is 0;/, () => new nn.BasicBlock({ numInputs: 2, width: 2, stride: 0 })],
  [/^AdaptiveAveragePool2d: size\[1\] is 0;/, () => new nn.AdaptiveAveragePool2d([2, 0])],
  [/^Conv2d: size\[1\] is 0;/, () => new nn.Conv2d(4, 4, [3, 0])],
  [/^Conv2d: 3 groups do not divide 4 inputs and 6 outputs/, () => new nn.Conv2d(4, 6, 3, { groups: 3 })],
  [/^convolution2d: stride\[0\] is 0;/, onImages((x) => ops.convolution2d(x, ops.full([3, 3, 4, 1], 1), { stride: 0 }))], // prettier-ignore
  [/^convolution2d: dilation\[1\] is 1\.5;/, onImages((x) => ops.convolution2d(x, ops.full([3, 3, 4, 1], 1), { dilation: [1, 1.5] }))], // prettier-ignore
  [/^convolution2d: padding is -1; it takes 'same', 'valid', a whole number/, onImages((x) => ops.convolution2d(x, ops.full([3, 3, 4, 1], 1), { padding: -1 }))], // prettier-ignore
  [/^convolution2d: the window spans 7 x 7, and the image with its padding 6 x 6 \(f32\[2,6,6,4\]\)/, onImages((x) => ops.convolution2d(x, ops.full([7, 7, 4, 1], 1)))], // prettier-ignore
  [/^maxPool2d: size\[0\] is 0;/, onImages((x) => ops.maxPool2d(x, 0))],
  [/^maxPool2d: the window spans 8 x 8/, onImages((x) => ops.maxPool2d(x, 8))],
  [/^averagePool2d: padding is \[\[1,1\]\];/, onImages((x) => ops.averagePool2d(x, 2, { padding: [[1, 1]] }))],
  [/^huber: delta is 0;/, onImages((x) => nn.huber(x, x, 0))],
  [/^crossEntropy: labelSmoothing is 1\.5;/, onImages((x) => nn.crossEntropy(x, ops.full([2, 6, 6], 1, 'i32'), { labelSmoothing: 1.5 }))], // prettier-ignore
]

for (const [message, make] of refused) {
  test(`refused with the user's line: ${message.source}`, () => {
    assert.throws(make, (error) => {
      assert(error instanceof TalwegError)
      assert.match(error.message, message)
      assert.deepEqual([error.code === 'SHAPE_MISMATCH' ? 'INVALID_SETTING' : error.code, error.exitCode], ['INVALID_SETTING', 2]) // prettier-ignore
      assert.equal(path.basename(error.place?.file ?? ''), path.basename(import.meta.filename))
      return true
    })
  })
}

test('the ends of ranges are taken', () => {
  optim.adamw({ learningRate, beta1: 0, beta2: 0, weightDecay: 0, clipNorm: 1e-9 })
  optim.sgd({ learningRate: optim.linear({ peak: 1, final: 1 }), momentum: 0 })
  optim.oneCycle({ peak: 1, rise: 0, initial: 1, final: 0 })
  optim.stepDecay({ peak: 1, every: 1, factor: 1 })
  assert.equal(new nn.Dropout(1).rate, 1)
  onImages((x) => ops.maxPool2d(x, 6))()
})
