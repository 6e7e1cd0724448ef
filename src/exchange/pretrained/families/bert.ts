/**
 * BERT, as Transformers keeps it, with the head that it has there: `BertModel`, `BertForMaskedLM`,
 * `BertForSequenceClassification`, `BertForTokenClassification`. A model may be asked for with another head than the file's: the
 * file's is left aside then, and a classifier is a new one.
 */
import * as z from 'zod'
import {
  BERT,
  BERTMaskedLanguageModel,
  BERTSequenceClassifier,
  BERTTokenClassifier,
  type BERTOptions,
  type Module,
} from '../../../nn/index.js'
import { parseConfig, requireOf, unusable, type ConfigValue, type Family, type ModelClass, type PretrainedFacts } from '../family.js' // prettier-ignore
import { affine, type Row } from '../rows.js'

/** @param ours where the model without a head is in ours: `bert.`, or nothing */
function bodyRows(ours: string): Row[] {
  const layer = 'bert.encoder.layer.{}'
  const block = `${ours}blocks.{}`
  return [
    { theirs: 'bert.embeddings.word_embeddings.weight', ours: `${ours}tokenEmbedding.weight` },
    { theirs: 'bert.embeddings.position_embeddings.weight', ours: `${ours}positionEmbedding.weight` },
    { theirs: 'bert.embeddings.token_type_embeddings.weight', ours: `${ours}tokenTypeEmbedding.weight` },
    ...affine('bert.embeddings.LayerNorm', `${ours}embeddingNorm`, 'same'),
    ...affine(`${layer}.attention.self.query`, `${block}.attention.query`),
    ...affine(`${layer}.attention.self.key`, `${block}.attention.key`),
    ...affine(`${layer}.attention.self.value`, `${block}.attention.value`),
    ...affine(`${layer}.attention.output.dense`, `${block}.attention.output`),
    ...affine(`${layer}.attention.output.LayerNorm`, `${block}.norm1`, 'same'),
    ...affine(`${layer}.intermediate.dense`, `${block}.mlp.up`),
    ...affine(`${layer}.output.dense`, `${block}.mlp.down`),
    ...affine(`${layer}.output.LayerNorm`, `${block}.norm2`, 'same'),
    ...affine('bert.pooler.dense', `${ours}pooler`).map((row) => ({ ...row, part: 'pooler' as const })),
  ]
}

const maskedRows: readonly Row[] = [
  ...bodyRows('bert.'),
  ...affine('cls.predictions.transform.dense', 'transform'),
  ...affine('cls.predictions.transform.LayerNorm', 'norm', 'same'),
  { theirs: 'cls.predictions.bias', ours: 'bias' },
]

const classifierRows: readonly Row[] = [
  ...bodyRows('bert.'),
  ...affine('classifier', 'output').map((row) => ({ ...row, part: 'classifier' as const })),
]

const count = z.number().int().positive()

const schema = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  intermediate_size: count,
  hidden_act: z.string().default('gelu'),
  hidden_dropout_prob: z.number().default(0.1),
  attention_probs_dropout_prob: z.number().default(0.1),
  max_position_embeddings: count,
  type_vocab_size: count.default(2),
  layer_norm_eps: z.number().nonnegative().default(1e-12),
  position_embedding_type: z.string().default('absolute'),
  is_decoder: z.boolean().default(false),
  id2label: z.record(z.string(), z.string()).nullish(),
  num_labels: count.nullish(),
})

function optionsOf(facts: PretrainedFacts): BERTOptions {
  const config = parseConfig(schema, facts)
  const { hidden_act: activation, position_embedding_type: positions, is_decoder: isDecoder } = config
  requireOf(facts.file, {
    hidden_act: [activation, activation === 'gelu', 'gelu'],
    position_embedding_type: [positions, positions === 'absolute', 'absolute'],
    is_decoder: [isDecoder, !isDecoder, 'false'],
  })
  return {
    vocabulary: config.vocab_size,
    context: config.max_position_embeddings,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    width: config.hidden_size,
    feedForwardWidth: config.intermediate_size,
    tokenTypes: config.type_vocab_size,
    dropout: config.hidden_dropout_prob,
    attentionDropout: config.attention_probs_dropout_prob,
    normEpsilon: config.layer_norm_eps,
  }
}

/** As asked for, or as the file's classifier has them. */
function numClassesOf(facts: PretrainedFacts): number {
  const found = facts.numClasses ?? facts.entries.get('classifier.weight')?.type.shape[0]
  if (found !== undefined) return found
  throw unusable(
    facts.file,
    'the model there has no classifier',
    'say how many classes a new one is to have: { numClasses }',
  )
}

type AnyBERT = Module & { readonly bert?: BERT }

/** Whether the file's own kind of model is this one, or this one was asked for. */
function isFor(architectures: readonly string[], ours: ModelClass) {
  return ({ config, expected }: PretrainedFacts): boolean => {
    if (config.model_type !== 'bert') return false
    if (expected !== undefined) return expected === ours
    return [config.architectures].flat().some((name) => architectures.includes(name as string))
  }
}

/** Old names of a layer norm's parts. */
function rename(name: string): string {
  return name.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias')
}

/**
 * Places by number; the head for the next sentence, which no model here has; the head's matrix, which is the token table; a
 * pooler that the model has no use for; and with another model than the file's asked for, the file's own head.
 */
function isIgnored(name: string, model: AnyBERT): boolean {
  const { pooler } = model.bert ?? (model as BERT)
  const isMasked = model instanceof BERTMaskedLanguageModel
  const isClassifier = model instanceof BERTSequenceClassifier || model instanceof BERTTokenClassifier
  return (
    /embeddings\.position_ids$|^cls\.seq_relationship\.|^cls\.predictions\.decoder\./.test(name) ||
    (/(^|\.)pooler\./.test(name) && pooler === undefined) ||
    (name.startsWith('cls.') && !isMasked) ||
    (name.startsWith('classifier.') && !isClassifier)
  )
}

function describeBody({ options }: BERT): { readonly [key: string]: ConfigValue } {
  return {
    model_type: 'bert',
    vocab_size: options.vocabulary,
    hidden_size: options.width,
    num_hidden_layers: options.layers,
    num_attention_heads: options.heads,
    intermediate_size: options.feedForwardWidth,
    hidden_act: 'gelu',
    hidden_dropout_prob: options.dropout,
    attention_probs_dropout_prob: options.attentionDropout,
    max_position_embeddings: options.context,
    type_vocab_size: options.tokenTypes,
    layer_norm_eps: options.normEpsilon,
  }
}

function labelsOf(numClasses: number): { readonly [key: string]: ConfigValue } {
  const names = Array.from({ length: numClasses }, (_, index) => `LABEL_${index}`)
  return {
    id2label: Object.fromEntries(names.map((name, index) => [String(index), name])),
    label2id: Object.fromEntries(names.map((name, index) => [name, index])),
  }
}

const shared = { prefix: 'bert.', rename, isIgnored }

const plain: Family<BERT> = {
  ...shared,
  name: 'BERT',
  isIn: isFor(['BertModel'], BERT),
  has: (model) => model instanceof BERT,
  make: (facts) =>
    new BERT({ ...optionsOf(facts), pooler: [...facts.entries.keys()].some((name) => /(^|\.)pooler\./.test(name)) }),
  rows: bodyRows(''),
  isPrefixWritten: false,
  describe: (model) => ({ architectures: ['BertModel'], ...describeBody(model) }),
}

const masked: Family<BERTMaskedLanguageModel> = {
  ...shared,
  name: 'BERT for masked tokens',
  isIn: isFor(['BertForMaskedLM', 'BertForPreTraining'], BERTMaskedLanguageModel),
  has: (model) => model instanceof BERTMaskedLanguageModel,
  make: (facts) => new BERTMaskedLanguageModel(optionsOf(facts)),
  rows: maskedRows,
  describe: ({ bert }) => ({ architectures: ['BertForMaskedLM'], ...describeBody(bert), tie_word_embeddings: true }),
}

type Classifier = BERTSequenceClassifier | BERTTokenClassifier

function classifier(
  name: string,
  architecture: string,
  Class: new (options: BERTOptions & { numClasses: number }) => Classifier,
): Family<Classifier> {
  // prettier-ignore
  return {
    ...shared,
    name,
    isIn: isFor([architecture], Class),
    has: (model) => model instanceof Class,
    make: (facts) => new Class({ ...optionsOf(facts), numClasses: numClassesOf(facts) }),
    rows: classifierRows,
    describe: ({ bert, output }) => ({
      architectures: [architecture],
      ...describeBody(bert),
      ...labelsOf(output.weight.type.shape[1]),
    }),
  }
}

export const bertFamilies = [
  plain,
  masked,
  classifier('BERT for classifying sequences', 'BertForSequenceClassification', BERTSequenceClassifier),
  classifier('BERT for classifying tokens', 'BertForTokenClassification', BERTTokenClassifier),
] as const
