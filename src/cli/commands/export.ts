/** `talweg export`: a run's model in files that others read. */
import path from 'node:path'
import { exitCodes } from '../../core/errors.js'
import { restoreTextCodec } from '../../data/index.js'
import { describeModel } from '../../exchange/pretrained/index.js'
import type { JsonValue } from '../../train/checkpoint/index.js'
import type { OpenSize } from '../../exchange/onnx/index.js'
import { exportAsHuggingFace, exportModelAsOnnx, writeTokenizer } from '../../train/export/index.js'
import { findRun } from '../../train/index.js'
import { defineCommand } from '../command.js'
import { defineFlags } from '../flags.js'
import { formatCount, shortPath } from '../output.js'
import { loadRunModel, type RunModel } from '../runModel.js'

const formats = ['hugging-face', 'onnx'] as const

const flags = defineFlags({
  to: {
    kind: 'text',
    choices: formats,
    describe: 'for Transformers (config.json, safetensors), or for ONNX Runtime and browsers',
    isRequired: true,
  },
  output: { kind: 'text', value: 'FOLDER', describe: 'where to', defaultText: "RUN/exported/ and the format's name" },
})

export const exportRun = defineCommand({
  name: 'export',
  describe: "Write a run's model for others: for Hugging Face's Transformers, or as ONNX",
  args: [{ name: 'RUN', describe: "A run's folder, or its name under runs/" }],
  flags,
  examples: [
    [
      'talweg export characters --to hugging-face --output my-gpt',
      "What AutoModelForCausalLM.from_pretrained('my-gpt') loads",
    ],
    ['talweg export characters --to onnx', 'The forward graph with its weights, at any batch size and length'],
  ],
  run: async ([given], values, output) => {
    const to = values.to ?? formats[0]
    const run = findRun(given)
    const { data } = await run.readDescription()
    const found = await loadRunModel(run, 'export', await factsIn(data), (message) => output.warning(message))
    const folder = values.output ?? path.join(run.path, 'exported', to)
    const { files, inputs } = await write(to, found, folder)
    const facts = { folder, files, inputs, step: found.step, numParameters: found.model.numParameters }
    output.result(facts, () => {
      const names = files.map((name) => `  ${shortPath(path.join(folder, name))}`).join('\n')
      return `${formatCount(facts.numParameters)} parameters as they were after step ${facts.step}, in\n${names}`
    })
    return exitCodes.done
  },
})

/** What of the data a model may ask for, as far as the run's folder says it: exporting needs no data. */
async function factsIn(data: JsonValue): Promise<{ vocabulary?: number; numClasses?: number }> {
  const { codec, kind, numClasses } = Object(data) as Record<string, JsonValue | undefined>
  const isText = codec !== undefined || kind === 'characters'
  const vocabulary = isText ? (await restoreTextCodec(data)).vocabulary : undefined
  return {
    ...(vocabulary === undefined ? {} : { vocabulary }),
    ...(typeof numClasses === 'number' ? { numClasses } : {}),
  }
}

interface Written {
  readonly files: readonly string[]
  /** What the exported graph is called with. */
  readonly inputs?: readonly { readonly name: string; readonly shape: readonly OpenSize[] }[]
}

async function write(to: string, { training, model, parameters, data }: RunModel, folder: string): Promise<Written> {
  if (to === 'hugging-face') return { files: await exportAsHuggingFace(model, parameters, data, folder) }
  const { files, inputs } = await exportModelAsOnnx(training, model, parameters, folder)
  const config = await describeModel(model, folder)
  const tokenizer = await writeTokenizer(data, folder)
  return { files: [...files, ...config, ...tokenizer], inputs }
}
