/** How the families' models are called in ONNX: by the names of Hugging Face's own exports, so that transformers.js can run them. */
import type { Shape } from '../../core/shape.js'
import type { DataSource } from '../../data/index.js'
import type { OnnxExport, OnnxInput } from '../../exchange/onnx/index.js'
import type { AnyTensor, Tensor } from '../../graph/index.js'
import {
  BERT,
  BERTMaskedLanguageModel,
  BERTSequenceClassifier,
  BERTTokenClassifier,
  GPT,
  ResNet,
  type BERTInputs,
  type Module,
} from '../../nn/index.js'
import { concatenate, full, notEqual, sum, transpose } from '../../ops/index.js'

export type ModelCall = Pick<OnnxExport, 'inputs' | 'forward' | 'traceSizes'>

type Indices = AnyTensor & Tensor<Shape, 'i32'>

const text = ['batch', 'sequence'] as const

/**
 * How a model of a known family is called, or undefined.
 *
 * @param open the data, whose images say how large a ResNet's are
 */
export function callOfFamily(
  model: Module,
  open: () => Promise<DataSource>,
): ModelCall | Promise<ModelCall> | undefined {
  if (model instanceof GPT) return callOfGPT(model)
  if (model instanceof BERT) return callOfBERT(model.options.context, (...given) => ({ last_hidden_state: model.forward(...given).hidden })) // prettier-ignore
  if (
    model instanceof BERTMaskedLanguageModel ||
    model instanceof BERTSequenceClassifier ||
    model instanceof BERTTokenClassifier
  )
    // prettier-ignore
    return callOfBERT(model.bert.options.context, (...given) => ({ logits: model.forward(...given) }))
  return model instanceof ResNet ? callOfResNet(model, open) : undefined
}

/** What a length is traced with, and one more must be in the context. */
function lengthOf(context: number): number {
  return Math.max(1, Math.min(3, context - 1))
}

/** Keys and values of a layer's places, as Hugging Face has them: [batch, heads, places, width of a head]. */
const headsFirst = [0, 2, 1, 3]

/**
 * With the keys and values of all places before (none, for a prompt) and of all places after: whoever generates text gives them
 * back, so that a token costs one token's work. Of texts of several lengths, the shorter begin with padding: the mask is 0 there, and
 * a token's position is its place in its own text.
 */
function callOfGPT(model: GPT): ModelCall {
  const { layers, keyValueHeads, width, heads } = model.options
  const parts = Array.from({ length: layers }, (_, layer) => ['key', 'value'].map((part) => `${layer}.${part}`)).flat()
  const past = parts.map((part): OnnxInput => {
    const shape = ['batch', keyValueHeads, 'past_sequence', width / heads]
    return { name: `past_key_values.${part}`, dtype: 'f32', shape }
  })
  return {
    inputs: [
      { name: 'input_ids', dtype: 'i32', shape: text },
      { name: 'attention_mask', dtype: 'i32', shape: ['batch', ['past_sequence', 'sequence']] },
      { name: 'position_ids', dtype: 'i32', shape: text },
      ...past,
    ],
    forward: (tokens, mask, places, ...given) => {
      const before = given.map((each) => transpose(each, headsFirst))
      const { logits, grown } = afterPast(model, { tokens, mask, places, before })
      const present = parts.map((part, index) => [`present.${part}`, transpose(grown[index], headsFirst)] as const)
      return { logits, ...Object.fromEntries(present) }
    },
    traceSizes: { sequence: lengthOf(model.options.context) },
  }
}

interface PastCall {
  readonly tokens: AnyTensor
  readonly mask: AnyTensor
  readonly places: AnyTensor
  /** Keys and values of each layer. */
  readonly before: readonly AnyTensor[]
}

/** By the model's own cache, which is made as long as it has to be: the places before, and room for the new ones. */
function afterPast(model: GPT, { tokens, mask, places, before }: PastCall): { logits: AnyTensor; grown: AnyTensor[] } {
  const [batch, length] = tokens.shape
  const roomy = before.map((each) =>
    concatenate([each, full([batch, length, ...each.shape.slice(2)], 0) as AnyTensor], 1),
  )
  const caches = model.blocks.map((_, layer) => ({ key: roomy[2 * layer], value: roomy[2 * layer + 1] }))
  // Its number is known when the model runs: it is as many ones.
  const position = sum(full([before[0].shape[1]], 1, 'i32') as AnyTensor)
  const { hidden, caches: grown } = model.hiddenCached(tokens as Indices, caches, position, {
    mask: notEqual(mask, 0) as AnyTensor as Tensor<Shape, 'bool'>,
    places: places as Indices,
  })
  return { logits: model.logits(hidden), grown: grown.flatMap(({ key, value }) => [key, value]) }
}

function callOfBERT(
  context: number,
  forward: (tokens: Tensor<Shape, 'i32'>, inputs: BERTInputs) => Readonly<Record<string, AnyTensor>>,
): ModelCall {
  const names = ['input_ids', 'attention_mask', 'token_type_ids']
  return {
    inputs: names.map((name) => ({ name, dtype: 'i32', shape: text })),
    forward: (tokens, mask, types) =>
      forward(tokens as AnyTensor as Tensor<Shape, 'i32'>, {
        mask,
        tokenTypes: types as AnyTensor as Tensor<Shape, 'i32'>,
      }),
    traceSizes: { sequence: lengthOf(context) },
  }
}

/** Channels come first there. The image's size is the data's: what a network does to it is no multiple of it. */
async function callOfResNet(model: ResNet, open: () => Promise<DataSource>): Promise<ModelCall> {
  const source = await open()
  try {
    const { channels = 3 } = model.options
    const images = Object.values(source.element).find(({ shape }) => shape.length === 3 && shape[2] === channels)
    const [height, width] = images?.shape ?? [224, 224]
    return {
      inputs: [{ name: 'pixel_values', dtype: 'f32', shape: ['batch', channels, height, width] }],
      forward: (pixels) => ({ logits: model.forward(transpose(pixels, [0, 2, 3, 1])) }),
    }
  } finally {
    await source.close()
  }
}
