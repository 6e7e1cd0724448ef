/** How the families' models are called in ONNX: by the names of Hugging Face's own exports, so that transformers.js can run them. */
import type { Shape } from '../../core/shape.js'
import type { DataSource } from '../../data/index.js'
import type { OnnxExport } from '../../exchange/onnx/index.js'
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
import { transpose } from '../../ops/index.js'

export type ModelCall = Pick<OnnxExport, 'inputs' | 'forward' | 'traceSizes'>

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

function callOfGPT(model: GPT): ModelCall {
  return {
    inputs: [{ name: 'input_ids', dtype: 'i32', shape: text }],
    forward: (tokens) => ({ logits: model.forward(tokens as AnyTensor as Tensor<Shape, 'i32'>) }),
    traceSizes: { sequence: lengthOf(model.options.context) },
  }
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
