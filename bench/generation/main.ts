/**
 * Tokens a second of a GPT of GPT-2's size, batch 1: Talweg and Transformers in turn, with the same weights and threads, from the
 * first new token to the last. Both take the likeliest token each time, and have to write the same.
 *
 *     npm run bench:generation [-- --tokens 64 --rounds 5]
 */
import { parseArgs } from 'node:util'
import { TalwegError } from '../../src/core/errors.js'
import { LineProcess } from '../run/lineProcess.js'
import { median } from '../run/statistics.js'
import { flags, pathOf } from '../run/systems.js'

interface Answer {
  readonly seconds: number
  readonly tokens: readonly number[]
}

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
  },
})
const numTokens = Number(values.tokens)
const prompt = Array.from({ length: 16 }, (_, index) => (index * 3571) % 50_257)
const options = flags({ model: pathOf('build/bench/generation'), threads: values.threads })

async function generate(child: LineProcess): Promise<Answer> {
  child.send({ prompt, tokens: numTokens })
  return child.next<Answer>()
}

/** Transformers first: it writes what Talweg reads. */
const python = pathOf('bench/.environment/bin/python')
const theirs = new LineProcess('Transformers', { file: python, args: [pathOf('bench/generation/transformers_side.py'), ...options], env: {} }) // prettier-ignore
const { ready: version } = await theirs.next<{ ready: string }>()
const ours = new LineProcess('Talweg', { file: process.execPath, args: ['--import=tsx', pathOf('bench/generation/talwegSide.ts'), ...options], env: {} }) // prettier-ignore
await ours.next()

const [warm, other] = [await generate(ours), await generate(theirs)]
if (warm.tokens.join() !== other.tokens.join())
  throw new TalwegError({
    code: 'ENGINE_FAILED',
    operation: 'bench',
    problem: `the tokens differ:\n  Talweg ${warm.tokens.join(' ')}\n  Transformers ${other.tokens.join(' ')}`,
  })
const rates: number[][] = [[], []]
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const [index, child] of [ours, theirs].entries())
    rates[index].push((numTokens - 1) / (await generate(child)).seconds)
  console.error(`round ${round}: ${rates.map((each) => each.at(-1)!.toFixed(1)).join(' and ')} tokens a second`)
}
const ratio = median(rates[0].map((rate, index) => rate / rates[1][index]))
console.log(`Talweg ${median(rates[0]).toFixed(1)}, ${version} ${median(rates[1]).toFixed(1)} tokens a second; ratio ${ratio.toFixed(2)}`) // prettier-ignore
await Promise.all([ours.finish(), theirs.finish()])
