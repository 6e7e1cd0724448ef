/**
 * GPT-2, as Transformers' `GPT2LMHeadModel` keeps it. Its `Conv1D` layers have weights [inputs, outputs], as ours, and one of
 * them holds query, key and value side by side. The head is the token table.
 */
import * as z from 'zod'
import { GPT } from '../../../nn/index.js'
import { parseConfig, refuseUnless, type Family, type PretrainedFacts } from '../family.js'
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
  layer_norm_epsilon: z.number().default(1e-5),
  resid_pdrop: z.number().default(0.1),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
})

function make(facts: PretrainedFacts): GPT {
  const config = parseConfig(schema, facts)
  const { vocab_size: vocabulary, n_positions: context, n_layer: layers, n_head: heads, n_embd: width } = config
  const only = (key: keyof typeof config, isSo: boolean, known: string): void =>
    refuseUnless(isSo, facts.file, key, config[key], [known])
  only('n_inner', (config.n_inner ?? 4 * width) === 4 * width, `${4 * width}, four times n_embd`)
  only('activation_function', ['gelu_new', 'gelu_pytorch_tanh'].includes(config.activation_function), 'gelu_new')
  only('layer_norm_epsilon', config.layer_norm_epsilon === 1e-5, '1e-5')
  only('scale_attn_weights', config.scale_attn_weights, 'true')
  only('scale_attn_by_inverse_layer_idx', !config.scale_attn_by_inverse_layer_idx, 'false')
  const { resid_pdrop: dropout, tie_word_embeddings: tiedHead } = config
  return new GPT({ vocabulary, context, layers, heads, width, dropout, tiedHead })
}

export const gpt2: Family<GPT> = {
  name: 'GPT-2',
  isIn: ({ config }) => config.model_type === 'gpt2',
  has: (model) => model instanceof GPT,
  make,
  rows,
  prefix: 'transformer.',
  // Causal masks, which old files have, and the head where it is the token table.
  isIgnored: (name, { head }) => /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/.test(name) || (head === undefined && name === 'lm_head.weight'), // prettier-ignore
  describe: ({ options: { vocabulary, context, layers, heads, width, dropout = 0, tiedHead = true } }) => ({
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: vocabulary,
    n_positions: context,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    n_inner: null,
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    attn_pdrop: 0,
    embd_pdrop: dropout,
    resid_pdrop: dropout,
    tie_word_embeddings: tiedHead,
    // No tokens begin or end a text, unless who uses the model says so.
    bos_token_id: null,
    eos_token_id: null,
  }),
}
