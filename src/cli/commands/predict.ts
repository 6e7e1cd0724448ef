/** `talweg predict`: what a fitted model says of the rows of a table. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { exitCodes } from '../../core/errors.js'
import {
  classesOf,
  loadModel,
  predictRows,
  writingFailed,
  type FittedModel,
  type Prediction,
} from '../../train/fit/index.js'
import { defineCommand } from '../command.js'
import { defineFlags } from '../flags.js'
import { shortPath } from '../output.js'

const flags = defineFlags({
  out: { kind: 'text', value: 'FILE', describe: 'write to a file', defaultText: 'standard output' },
})

export const predict = defineCommand({
  name: 'predict',
  describe: 'Predict for the rows of a table with a fitted model',
  args: [
    { name: 'MODEL', describe: 'A model saved by talweg fit --save' },
    { name: 'TABLE', describe: 'A table with the columns that the model was fitted to; it needs no target' },
  ],
  flags,
  examples: [
    ['talweg predict irises.json new.csv', 'A line of CSV a row'],
    ['talweg predict irises.json new.csv --json', 'One JSON object'],
  ],
  run: async ([modelFile, tableFile], { out }, output) => {
    const model = await loadModel(modelFile)
    const pieces = output.isJson ? jsonOf(model, tableFile) : csvOf(model, tableFile)
    if (out === undefined) {
      for await (const piece of pieces) await write(process.stdout, piece)
      return exitCodes.done
    }
    await writeFile(out, pieces)
    output.message(`written to ${shortPath(out)}`)
    return exitCodes.done
  },
})

async function write(stream: Writable, piece: string): Promise<void> {
  if (!stream.destroyed && !stream.write(piece)) await Promise.race([once(stream, 'drain'), once(stream, 'close')])
}

/** Written beside, then renamed: a fault in the table's last row leaves nothing behind. */
async function writeFile(file: string, pieces: AsyncGenerator<string>): Promise<void> {
  const beside = `${file}.${process.pid}.partial`
  const stream = createWriteStream(beside)
  let failure: NodeJS.ErrnoException | undefined
  stream.on('error', (error) => (failure = error))
  try {
    for await (const piece of pieces) {
      await write(stream, piece)
      if (failure !== undefined) throw writingFailed(file, failure, '--out')
    }
    stream.end()
    if (!stream.closed) await once(stream, 'close')
    if (failure !== undefined) throw writingFailed(file, failure, '--out')
    await rename(beside, file)
  } catch (error) {
    stream.destroy()
    await rm(beside, { force: true })
    throw error
  }
}

async function* csvOf(model: FittedModel, file: string): AsyncGenerator<string> {
  const columns = ['prediction', ...classesOf(model).map((name) => `probability:${name}`)]
  let head = `${columns.map(quote).join(',')}\n`
  for await (const predictions of predictRows(model, file)) {
    const lines = predictions.map(({ value, probabilities = [] }) => [value, ...probabilities].map(quote).join(','))
    yield `${head}${lines.join('\n')}\n`
    head = ''
  }
  if (head !== '') yield head
}

function quote(cell: string | number): string {
  const text = String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

async function* jsonOf(model: FittedModel, file: string): AsyncGenerator<string> {
  const classes = classesOf(model)
  const all: Prediction[] = []
  for await (const predictions of predictRows(model, file)) all.push(...predictions)
  yield `${JSON.stringify({
    model: model.kind,
    target: model.design.target.name,
    ...(classes.length === 0 ? {} : { classes }),
    predictions: all.map(({ value }) => value),
    ...(classes.length === 0 ? {} : { probabilities: all.map(({ probabilities }) => probabilities) }),
  })}\n`
}
