/**
 * Sizes of published models. Sources: the configuration files of GPT-2 and Llama as published; for GPT-3, Brown et al.,
 * "Language models are few-shot learners", 2020, table 2.1, without its sparse attention. Where that table's numbers don't
 * go together, those are taken that give the parameters of its table D.1: 16 heads (not 24) of 128 in XL, and a width of
 * 5120 (not 5140) in 13B.
 */
import type { GPTOptions } from './options.js'

interface Size {
  readonly layers: number
  readonly heads: number
  readonly width: number
}

function gpt2(size: Size): GPTOptions {
  return { vocabulary: 50_257, context: 1024, ...size }
}

function gpt3(size: Size): GPTOptions {
  return { vocabulary: 50_257, context: 2048, ...size }
}

type LlamaSize = Size &
  Pick<GPTOptions, 'keyValueHeads' | 'rotaryBase' | 'rotaryScaling' | 'tiedHead' | 'normEpsilon'> & {
    readonly feedForwardWidth: number
    readonly context: number
    readonly vocabulary: number
  }

function llama(size: LlamaSize): GPTOptions {
  return {
    normalisation: 'rmsNorm',
    normEpsilon: 1e-5,
    positions: 'rotary',
    feedForward: 'swiGLU',
    bias: false,
    tiedHead: false,
    ...size,
  }
}

const first = { vocabulary: 32_000, context: 2048, normEpsilon: 1e-6 }
const second = { vocabulary: 32_000, context: 4096 }
const third = { vocabulary: 128_256, context: 8192, rotaryBase: 500_000, keyValueHeads: 8 }
const scaling = { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192 }
const thirdLong = { ...third, context: 131_072, rotaryScaling: scaling }
const small = { ...thirdLong, rotaryScaling: { ...scaling, factor: 32 }, tiedHead: true }

export const gptConfigs = {
  gpt2: gpt2({ layers: 12, heads: 12, width: 768 }),
  'gpt2-medium': gpt2({ layers: 24, heads: 16, width: 1024 }),
  'gpt2-large': gpt2({ layers: 36, heads: 20, width: 1280 }),
  'gpt2-xl': gpt2({ layers: 48, heads: 25, width: 1600 }),
  'gpt3-small': gpt3({ layers: 12, heads: 12, width: 768 }),
  'gpt3-medium': gpt3({ layers: 24, heads: 16, width: 1024 }),
  'gpt3-large': gpt3({ layers: 24, heads: 16, width: 1536 }),
  'gpt3-xl': gpt3({ layers: 24, heads: 16, width: 2048 }),
  'gpt3-2.7b': gpt3({ layers: 32, heads: 32, width: 2560 }),
  'gpt3-6.7b': gpt3({ layers: 32, heads: 32, width: 4096 }),
  'gpt3-13b': gpt3({ layers: 40, heads: 40, width: 5120 }),
  'gpt3-175b': gpt3({ layers: 96, heads: 96, width: 12_288 }),
  'llama-7b': llama({ ...first, layers: 32, heads: 32, width: 4096, feedForwardWidth: 11_008 }),
  'llama-13b': llama({ ...first, layers: 40, heads: 40, width: 5120, feedForwardWidth: 13_824 }),
  'llama-30b': llama({ ...first, layers: 60, heads: 52, width: 6656, feedForwardWidth: 17_920 }),
  'llama-65b': llama({ ...first, layers: 80, heads: 64, width: 8192, feedForwardWidth: 22_016 }),
  'llama-2-7b': llama({ ...second, layers: 32, heads: 32, width: 4096, feedForwardWidth: 11_008 }),
  'llama-2-13b': llama({ ...second, layers: 40, heads: 40, width: 5120, feedForwardWidth: 13_824 }),
  'llama-2-70b': llama({ ...second, layers: 80, heads: 64, keyValueHeads: 8, width: 8192, feedForwardWidth: 28_672 }),
  'llama-3-8b': llama({ ...third, layers: 32, heads: 32, width: 4096, feedForwardWidth: 14_336 }),
  'llama-3-70b': llama({ ...third, layers: 80, heads: 64, width: 8192, feedForwardWidth: 28_672 }),
  'llama-3.1-8b': llama({ ...thirdLong, layers: 32, heads: 32, width: 4096, feedForwardWidth: 14_336 }),
  'llama-3.1-70b': llama({ ...thirdLong, layers: 80, heads: 64, width: 8192, feedForwardWidth: 28_672 }),
  'llama-3.1-405b': llama({ ...thirdLong, layers: 126, heads: 128, width: 16_384, feedForwardWidth: 53_248 }),
  'llama-3.2-1b': llama({ ...small, layers: 16, heads: 32, width: 2048, feedForwardWidth: 8192 }),
  'llama-3.2-3b': llama({ ...small, layers: 28, heads: 24, width: 3072, feedForwardWidth: 8192 }),
} as const satisfies Readonly<Record<string, GPTOptions>>

export type GPTConfigName = keyof typeof gptConfigs
