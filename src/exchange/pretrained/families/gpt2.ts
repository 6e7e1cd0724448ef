/**
 * GPT-2, as Transformers' `GPT2LMHeadModel` keeps it. Its `Conv1D` layers have weights [inputs, outputs], as ours, and one of
 * them holds query, key and value side by side.
 */
import * as z from 'zod'
import { GPT } from '../../../nn/index.js'
import { parseConfig, requireOf, type Family, type PretrainedFacts } from '../family.js'
import { affine, type Row } from '../rows.js'

const rows: readonly Row[] = [
  { theirs: 'transformer.wte.weight', ours: 'tokenEmbedding.weight' },
  { theirs: 'transformer.wpe.weight', ours: 'positionEmbedding.weight' },
  ...affine('transformer.h.{}.ln_1', 'blocks.{}.norm1', 'same'),
  ...(['weight', 'bias'] as const).map((part) => ({
    theirs: `transformer.h.{}.attn.c_attn.${part}`,
    ours: ['query', 'key', 'value'].map((name) => `blocks.{}.attention.${name}.${part}`),
  })),
  ...affine('transformer.h.{}.attn.c_proj', 'blocks.{}.attention.output', 'same'),
  ...affine('transformer.h.{}.ln_2', 'blocks.{}.norm2', 'same'),
  ...affine('transformer.h.{}.mlp.c_fc', 'blocks.{}.mlp.up', 'same'),
  ...affine('transformer.h.{}.mlp.c_proj', 'blocks.{}.mlp.down', 'same'),
  ...affine('transformer.ln_f', 'finalNorm', 'same'),
  { theirs: 'lm_head.weight', ours: 'head.weight', layout: 'transposed' },
]

const count = z.number().int().positive()

const schema = z.looseObject({
  vocab_size: count,
  n_positions: count,
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_inner: count.nullish(),
  activation_function: z.string().default('gelu_new'),
  layer_norm_epsilon: z.number().nonnegative().default(1e-5),
  resid_pdrop: z.number().default(0.1),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
})

function make(facts: PretrainedFacts): GPT {
  const config = parseConfig(schema, facts)
  const { activation_function: activation, scale_attn_weights: isScaled, scale_attn_by_inverse_layer_idx: isByLayer } = config // prettier-ignore
  requireOf(facts.file, {
    activation_function: [activation, ['gelu_new', 'gelu_pytorch_tanh'].includes(activation), 'gelu_new'],
    scale_attn_weights: [isScaled, isScaled, 'true'],
    scale_attn_by_inverse_layer_idx: [isByLayer, !isByLayer, 'false'],
  })
  return new GPT({
    vocabulary: config.vocab_size,
    context: config.n_positions,
    layers: config.n_layer,
    heads: config.n_head,
    width: config.n_embd,
    feedForwardWidth: config.n_inner ?? undefined,
    normEpsilon: config.layer_norm_epsilon,
    dropout: config.resid_pdrop,
    tiedHead: config.tie_word_embeddings,
  })
}

function isGPT2({ options }: GPT): boolean {
  const { normalisation, positions, feedForward, bias, heads, keyValueHeads } = options
  const isItsOwn = normalisation === 'layerNorm' && positions === 'learned' && feedForward === 'gelu'
  return isItsOwn && bias && heads === keyValueHeads
}

/** Causal masks, which old files have, and the head where it is the token table. */
function isIgnored(name: string, { head }: GPT): boolean {
  return /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/.test(name) || (head === undefined && name === 'lm_head.weight')
}

export const gpt2: Family<GPT> = {
  name: 'GPT-2',
  isIn: ({ config }) => config.model_type === 'gpt2',
  has: (model) => model instanceof GPT && isGPT2(model),
  make,
  rows,
  prefix: 'transformer.',
  isIgnored,
  describe: ({ options }) => ({
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: options.vocabulary,
    n_positions: options.context,
    n_embd: options.width,
    n_layer: options.layers,
    n_head: options.heads,
    n_inner: options.feedForwardWidth ?? null,
    activation_function: 'gelu_new',
    layer_norm_epsilon: options.normEpsilon,
    attn_pdrop: 0,
    embd_pdrop: options.dropout,
    resid_pdrop: options.dropout,
    tie_word_embeddings: options.tiedHead,
    // No tokens begin or end a text, unless who uses the model says so.
    bos_token_id: null,
    eos_token_id: null,
  }),
}
