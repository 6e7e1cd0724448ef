/** Llama, as Transformers' `LlamaForCausalLM` keeps it: weights [outputs, inputs], pairs of a rotation half a head apart, as ours. */
import * as z from 'zod'
import { GPT, type GPTOptions } from '../../../nn/index.js'
import { parseConfig, requireOf, type ConfigValue, type Family, type PretrainedFacts } from '../family.js'
import { affine, type Row } from '../rows.js'

const rows: readonly Row[] = [
  { theirs: 'model.embed_tokens.weight', ours: 'tokenEmbedding.weight' },
  { theirs: 'model.layers.{}.input_layernorm.weight', ours: 'blocks.{}.norm1.weight' },
  ...affine('model.layers.{}.self_attn.q_proj', 'blocks.{}.attention.query'),
  ...affine('model.layers.{}.self_attn.k_proj', 'blocks.{}.attention.key'),
  ...affine('model.layers.{}.self_attn.v_proj', 'blocks.{}.attention.value'),
  ...affine('model.layers.{}.self_attn.o_proj', 'blocks.{}.attention.output'),
  { theirs: 'model.layers.{}.post_attention_layernorm.weight', ours: 'blocks.{}.norm2.weight' },
  ...affine('model.layers.{}.mlp.gate_proj', 'blocks.{}.mlp.gate'),
  ...affine('model.layers.{}.mlp.up_proj', 'blocks.{}.mlp.up'),
  ...affine('model.layers.{}.mlp.down_proj', 'blocks.{}.mlp.down'),
  { theirs: 'model.norm.weight', ours: 'finalNorm.weight' },
  { theirs: 'lm_head.weight', ours: 'head.weight', layout: 'transposed' },
]

const count = z.number().int().positive()

/** Transformers 4 has `rope_theta` and `rope_scaling`, with the kind under either name; Transformers 5 has both in one. */
const rotarySchema = z.looseObject({
  rope_theta: z.number().positive().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
  factor: z.number().optional(),
  low_freq_factor: z.number().optional(),
  high_freq_factor: z.number().optional(),
  original_max_position_embeddings: count.optional(),
})

const schema = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  hidden_act: z.string().default('silu'),
  max_position_embeddings: count.default(2048),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: rotarySchema.nullish(),
  rope_parameters: rotarySchema.nullish(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
})

function make(facts: PretrainedFacts): GPT {
  const config = parseConfig(schema, facts)
  const { hidden_size: width, num_attention_heads: heads, hidden_act: activation, head_dim: headWidth } = config
  const { attention_bias: bias, mlp_bias: feedForwardBias } = config
  requireOf(facts.file, {
    hidden_act: [activation, activation === 'silu', 'silu'],
    head_dim: [headWidth, (headWidth ?? width / heads) === width / heads, `${width / heads}, hidden_size by heads`],
    mlp_bias: [feedForwardBias, feedForwardBias === bias, `${bias}, as attention_bias`],
  })
  return new GPT({
    vocabulary: config.vocab_size,
    context: config.max_position_embeddings,
    layers: config.num_hidden_layers,
    heads,
    keyValueHeads: config.num_key_value_heads ?? heads,
    width,
    feedForwardWidth: config.intermediate_size,
    normalisation: 'rmsNorm',
    normEpsilon: config.rms_norm_eps,
    positions: 'rotary',
    feedForward: 'swiGLU',
    bias,
    tiedHead: config.tie_word_embeddings,
    ...rotaryOf(config, facts.file),
  })
}

function rotaryOf(
  { rope_theta: base, rope_scaling: old, rope_parameters: parameters }: z.infer<typeof schema>,
  file: string,
): Pick<GPTOptions, 'rotaryBase' | 'rotaryScaling'> {
  const given = parameters ?? old ?? {}
  const kind = given.rope_type ?? given.type ?? 'default'
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = given
  const isWhole = [factor, low, high, original].every((value) => value !== undefined)
  requireOf(file, {
    [parameters == null ? 'rope_scaling' : 'rope_parameters']: [given, kind === 'default' || (kind === 'llama3' && isWhole), "the kinds 'default' and 'llama3', the latter with its four numbers"], // prettier-ignore
  })
  const rotaryBase = given.rope_theta ?? base ?? 10_000
  if (kind === 'default') return { rotaryBase }
  const rotaryScaling = { factor: factor!, lowFrequencyFactor: low!, highFrequencyFactor: high!, originalContext: original! } // prettier-ignore
  return { rotaryBase, rotaryScaling }
}

function isLlama({ options }: GPT): boolean {
  const { normalisation, positions, feedForward } = options
  return normalisation === 'rmsNorm' && positions === 'rotary' && feedForward === 'swiGLU'
}

function describeRotary({ rotaryBase, rotaryScaling: scaling }: GPT['options']): {
  readonly [key: string]: ConfigValue
} {
  const kind: { readonly [key: string]: ConfigValue } = scaling === undefined ? { rope_type: 'default' } : {
    rope_type: 'llama3',
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalContext,
  } // prettier-ignore
  const old = { rope_theta: rotaryBase, rope_scaling: scaling === undefined ? null : kind }
  return { rope_parameters: { rope_theta: rotaryBase, ...kind }, ...old }
}

export const llama: Family<GPT> = {
  name: 'Llama',
  isIn: ({ config }) => config.model_type === 'llama',
  has: (model) => model instanceof GPT && isLlama(model),
  make,
  rows,
  prefix: 'model.',
  // Frequencies of the rotation, which old files have, and the head where it is the token table.
  isIgnored: (name, { head }) =>
    name.endsWith('rotary_emb.inv_freq') || (head === undefined && name === 'lm_head.weight'),
  describe: ({ options, blocks }) => ({
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: options.vocabulary,
    hidden_size: options.width,
    intermediate_size: blocks[0].mlp.up.weight.type.shape[1],
    num_hidden_layers: options.layers,
    num_attention_heads: options.heads,
    num_key_value_heads: options.keyValueHeads,
    head_dim: options.width / options.heads,
    hidden_act: 'silu',
    max_position_embeddings: options.context,
    rms_norm_eps: options.normEpsilon,
    ...describeRotary(options),
    attention_bias: options.bias,
    mlp_bias: options.bias,
    tie_word_embeddings: options.tiedHead,
    bos_token_id: null,
    eos_token_id: null,
  }),
}
