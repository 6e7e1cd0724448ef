/**
 * BERT with a head for what it is trained for. Parameters beside those of `bert.`:
 *
 * | model | path | shape |
 * |---|---|---|
 * | BERTMaskedLanguageModel | transform.weight, .bias | [width, width], [width] |
 * | | norm.weight, .bias | [width] |
 * | | bias | [vocabulary]; the matrix is the token table |
 * | BERTSequenceClassifier, BERTTokenClassifier | output.weight, .bias | [width, numClasses], [numClasses] |
 */
import type { Shape } from '../../../core/shape.js'
import { checkOptions, ranges } from '../../../graph/checkOptions.js'
import type { AnyTensor, Tensor } from '../../../graph/tensor.js'
import { gelu } from '../../../ops/composites/gelu.js'
import { add } from '../../../ops/elementwise.js'
import { takePlaces } from '../../../ops/indexing.js'
import { dotGeneral } from '../../../ops/products.js'
import { Dropout } from '../../layers/activation.js'
import { Linear } from '../../layers/linear.js'
import { LayerNorm } from '../../layers/normalisation.js'
import { Module } from '../../module.js'
import { Parameter } from '../../parameter.js'
import { BERT, linearOptions, type BERTInputs } from './model.js'
import type { BERTOptions } from './options.js'

type Tokens = Tensor<Shape, 'i32'>
type Floats = Tensor<Shape, 'f32'>

export interface MaskedLanguageModelInputs extends BERTInputs {
  /** i32 [B, P]: the places in their row whose tokens are to be guessed; all T where not given. */
  readonly places?: Tensor<Shape, 'i32'>
}

/**
 * Guesses tokens from what is around them: i32 [B, T] to logits f32 [B, T, vocabulary], or [B, P, vocabulary] for P places.
 *
 * @example
 * const { tokens, places, targets } = nn.maskPlaces(batch.tokens, { vocabulary: 30_522, maskToken: 103, specialTokens: [0, 101, 102] })
 * nn.crossEntropy(model.forward(tokens, { places }), targets, { ignoredTarget: -1 })
 */
export class BERTMaskedLanguageModel extends Module {
  readonly bert: BERT
  readonly transform: Linear
  readonly norm: LayerNorm
  readonly bias: Parameter

  constructor(options: Omit<BERTOptions, 'pooler'>) {
    super()
    this.bert = new BERT({ ...options, pooler: false })
    const { width, vocabulary, normEpsilon } = this.bert.options
    this.transform = new Linear(width, width, linearOptions)
    this.norm = new LayerNorm(width, normEpsilon)
    this.bias = new Parameter<Shape>([vocabulary])
  }

  forward(tokens: Tokens, { places, ...inputs }: MaskedLanguageModelInputs = {}): Floats {
    const { hidden: all } = this.bert.forward(tokens, inputs)
    const hidden = places === undefined ? all : takePlaces(all, places)
    const x = this.norm.forward(gelu(this.transform.forward(hidden as Floats)))
    const table = this.bert.tokenEmbedding.weight
    const logits = dotGeneral(x as AnyTensor, table, { leftContracting: [2], rightContracting: [1] })
    return add(logits, this.bias as AnyTensor) as AnyTensor as Floats
  }
}

export interface BERTClassifierOptions extends Omit<BERTOptions, 'pooler'> {
  readonly numClasses: number
}

/** What both classifiers are made of. */
abstract class BERTClassifier extends Module {
  readonly bert: BERT
  readonly dropout: Dropout
  readonly output: Linear

  protected constructor(name: string, { numClasses, ...options }: BERTClassifierOptions, pooler: boolean) {
    super()
    checkOptions(name, { numClasses: [numClasses, ranges.count] })
    this.bert = new BERT({ ...options, pooler })
    this.dropout = new Dropout(this.bert.options.dropout)
    this.output = new Linear(this.bert.options.width, numClasses, linearOptions)
  }

  protected classify(x: AnyTensor): Floats {
    return this.output.forward(this.dropout.forward(x) as Floats)
  }
}

/**
 * The class of a whole sequence, from its first token: i32 [B, T] to logits f32 [B, numClasses].
 *
 * @example new nn.BERTSequenceClassifier({ ...nn.BERT.configs['bert-base'], numClasses: 2 })
 */
export class BERTSequenceClassifier extends BERTClassifier {
  constructor(options: BERTClassifierOptions) {
    super('BERTSequenceClassifier', options, true)
  }

  forward(tokens: Tokens, inputs: BERTInputs = {}): Floats {
    return this.classify(this.bert.forward(tokens, inputs).pooled!)
  }
}

/**
 * A class for each token: i32 [B, T] to logits f32 [B, T, numClasses].
 *
 * @example new nn.BERTTokenClassifier({ ...nn.BERT.configs['bert-base-cased'], numClasses: 9 })
 */
export class BERTTokenClassifier extends BERTClassifier {
  constructor(options: BERTClassifierOptions) {
    super('BERTTokenClassifier', options, false)
  }

  forward(tokens: Tokens, inputs: BERTInputs = {}): Floats {
    return this.classify(this.bert.forward(tokens, inputs).hidden)
  }
}
