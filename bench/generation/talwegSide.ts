/** Talweg generates text with a model that Transformers wrote, as `talweg sample` does: the likeliest token each time. */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { loadPretrained } from '../../src/exchange/pretrained/index.js'
import { GPT } from '../../src/nn/index.js'
import { openEngine } from '../../src/train/index.js'
import { generateTokens } from '../../src/train/sample/index.js'

const { values } = parseArgs({ options: { model: { type: 'string', default: '' }, threads: { type: 'string', default: '2' } } }) // prettier-ignore
const model = await loadPretrained(values.model, GPT)
const parameters = new Map(Array.from(model.namedParameters(), ([name, { loaded }]) => [name, loaded!]))
const engine = await openEngine('native', { threads: Number(values.threads) }, (message) => console.error(message))
console.log(JSON.stringify({ ready: 'Talweg' }))
for await (const line of createInterface({ input: process.stdin })) {
  const { prompt, tokens: count } = JSON.parse(line) as { prompt: number[]; tokens: number }
  const tokens: number[] = []
  let first = 0
  for await (const token of generateTokens(model, parameters, engine, prompt, count, { temperature: 0, seed: 0 })) {
    if (tokens.length === 0) first = performance.now()
    tokens.push(token)
  }
  console.log(JSON.stringify({ seconds: (performance.now() - first) / 1000, tokens }))
}
