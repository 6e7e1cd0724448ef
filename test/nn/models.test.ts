/**
 * The published models have their published numbers of parameters, which are counted from shapes: nothing is allocated.
 *
 * GPT-2, BERT and Llama: the weights' files as published; ResNet: torchvision's table; GPT-3: table D.1 of its paper, which
 * rounds.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as nn from '../../src/nn/index.js'

const gpts: Readonly<Record<string, number>> = {
  gpt2: 124_439_808,
  'gpt2-medium': 354_823_168,
  'gpt2-large': 774_030_080,
  'gpt2-xl': 1_557_611_200,
  'llama-7b': 6_738_415_616,
  'llama-13b': 13_015_864_320,
  'llama-30b': 32_528_943_616,
  'llama-65b': 65_285_660_672,
  'llama-2-7b': 6_738_415_616,
  'llama-2-13b': 13_015_864_320,
  'llama-2-70b': 68_976_648_192,
  'llama-3-8b': 8_030_261_248,
  'llama-3-70b': 70_553_706_496,
  'llama-3.1-8b': 8_030_261_248,
  'llama-3.1-70b': 70_553_706_496,
  'llama-3.1-405b': 405_853_388_800,
  'llama-3.2-1b': 1_235_814_400,
  'llama-3.2-3b': 3_212_749_824,
}

/** In millions, and to how much of a million they are rounded. */
const gpt3s: Readonly<Record<string, readonly [millions: number, rounding: number]>> = {
  'gpt3-small': [125, 1],
  'gpt3-medium': [356, 1],
  'gpt3-large': [760, 1],
  'gpt3-xl': [1_320, 10],
  'gpt3-2.7b': [2_650, 10],
  'gpt3-6.7b': [6_660, 10],
  'gpt3-13b': [12_850, 10],
  'gpt3-175b': [174_600, 100],
}

/** With the pooler, without a head. */
const berts: Readonly<Record<nn.BERTConfigName, number>> = {
  'bert-base': 109_482_240,
  'bert-base-uncased': 109_482_240,
  'bert-base-cased': 108_310_272,
  'bert-large': 335_141_888,
  'bert-large-uncased': 335_141_888,
  'bert-large-cased': 333_579_264,
  'bert-tiny': 4_385_920,
  'bert-mini': 11_170_560,
  'bert-small': 28_763_648,
  'bert-medium': 41_373_184,
}

const resnets: Readonly<Record<nn.ResNetConfigName, number>> = {
  resnet18: 11_689_512,
  resnet34: 21_797_672,
  resnet50: 25_557_032,
  resnet101: 44_549_160,
  resnet152: 60_192_808,
}

test('every named configuration has its published number in these tests', () => {
  assert.deepEqual(Object.keys({ ...gpts, ...gpt3s }).toSorted(), Object.keys(nn.GPT.configs).toSorted())
})

for (const [name, expected] of Object.entries(gpts)) {
  test(`${name} has ${expected.toLocaleString('en')} parameters`, () => {
    assert.equal(new nn.GPT(nn.GPT.configs[name as nn.GPTConfigName]).numParameters, expected)
  })
}

for (const [name, [millions, rounding]] of Object.entries(gpt3s)) {
  test(`${name} has ${millions.toLocaleString('en')} million parameters, as the paper rounds them`, () => {
    const found = new nn.GPT(nn.GPT.configs[name as nn.GPTConfigName]).numParameters / 1e6
    assert.ok(Math.abs(found - millions) <= rounding, `${found}`)
  })
}

for (const [name, expected] of Object.entries(berts)) {
  test(`${name} has ${expected.toLocaleString('en')} parameters`, () => {
    assert.equal(new nn.BERT(nn.BERT.configs[name as nn.BERTConfigName]).numParameters, expected)
  })
}

test('the masked language model shares its matrix with the token table', () => {
  assert.equal(new nn.BERTMaskedLanguageModel(nn.BERT.configs['bert-base']).numParameters, 109_514_298)
})

for (const [name, expected] of Object.entries(resnets)) {
  test(`${name} has ${expected.toLocaleString('en')} parameters, running statistics not counted`, () => {
    assert.equal(new nn.ResNet(nn.ResNet.configs[name as nn.ResNetConfigName]).numParameters, expected)
  })
}

test('the model of 175 billion parameters is described within a megabyte a layer', () => {
  const before = process.memoryUsage().rss
  const model = new nn.GPT(nn.GPT.configs['gpt3-175b'])
  const grown = process.memoryUsage().rss - before
  assert.ok(grown < model.options.layers * 1e6, `${grown} bytes`)
})
