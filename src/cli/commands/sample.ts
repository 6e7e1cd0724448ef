/** `talweg sample`: text from a trained GPT. */
import { exitCodes } from '../../core/errors.js'
import type { TextCodec } from '../../data/index.js'
import { GPT } from '../../nn/index.js'
import { findRun, openEngine, type EngineChoice } from '../../train/index.js'
import { generateTokens } from '../../train/sample/index.js'
import { defineCommand } from '../command.js'
import { engineFlags } from '../flagGroups.js'
import { badFlag, defineFlags } from '../flags.js'
import { loadRunModel, runFault } from '../runModel.js'
import { textCodecOf } from '../text.js'

const flags = defineFlags({
  prompt: { kind: 'text', value: 'TEXT', describe: 'what the text begins with', defaultText: 'a new line' },
  maxTokens: { kind: 'integer', least: 1, aliases: ['length'], describe: 'tokens to write', defaultText: '500' },
  temperature: { kind: 'number', least: 0, describe: '0 takes the likeliest token each time', defaultText: '0.8' },
  topK: { kind: 'integer', least: 1, describe: 'draw from the N likeliest tokens only' },
  topP: { kind: 'number', least: 0, describe: 'draw from the likeliest tokens that have probability X together' },
  seed: { kind: 'integer', least: 0, describe: 'the same seed gives the same text', defaultText: '0' },
  ...engineFlags,
})

export const sample = defineCommand({
  name: 'sample',
  describe: 'Write text with a trained GPT',
  args: [{ name: 'RUN', describe: "A run's folder, or its name under runs/" }],
  flags,
  examples: [['talweg sample runs/characters --prompt "The whale" --max-tokens 200 --top-k 40', '']],
  run: async ([given], values, output) => {
    const { maxTokens = 500, temperature = 0.8, topK, topP, seed = 0 } = values
    if (topP !== undefined && (topP <= 0 || topP > 1))
      throw badFlag('sample', `--top-p is ${topP}; it takes a number above 0, at most 1`)
    const run = findRun(given)
    const codec = await textCodecOf(run)
    const facts = { vocabulary: codec.vocabulary }
    const { model, parameters } = await loadRunModel(run, 'sample', facts, (message) => output.warning(message))
    if (!(model instanceof GPT))
      throw runFault(
        run,
        'sample',
        `its model is ${model.constructor.name}, not a GPT`,
        'text can be sampled from nn.GPT',
      )
    const prompt = values.prompt ?? '\n'
    const tokens = [...codec.encode(prompt)]
    const engine = await openEngine((values.engine ?? 'auto') as EngineChoice, { threads: values.threads }, (message) =>
      output.message(message),
    )
    const start = performance.now()
    const show = (text: string): void => void (output.isJson || process.stdout.write(text))
    show(values.prompt ?? '')
    const options = { temperature, topK, topP, seed }
    const written = await showTokens(generateTokens(model, parameters, engine, tokens, maxTokens, options), codec, show)
    show('\n')
    const seconds = (performance.now() - start) / 1000
    const text = codec.decode(written)
    if (output.isJson)
      output.result(
        { prompt, text, tokens: written.length, seconds, tokensPerSecond: written.length / seconds },
        () => '',
      )
    return exitCodes.done
  },
})

/** Shows tokens as text while they come. A character may take several: what ends in half of one waits for the rest. */
async function showTokens(
  tokens: AsyncIterable<number>,
  codec: TextCodec,
  show: (text: string) => void,
): Promise<number[]> {
  const written: number[] = []
  let shown = ''
  for await (const token of tokens) {
    written.push(token)
    const text = codec.decode(written)
    if (text.endsWith('\uFFFD')) continue
    show(text.slice(shown.length))
    shown = text
  }
  return written
}
