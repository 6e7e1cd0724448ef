/** The bench's command line. */
import { parseArgs } from 'node:util'
import { TalwegError } from '../../src/core/errors.js'
import { cases, type Case, type Precision } from '../cases/index.js'
import { peers } from './systems.js'

export interface BenchOptions {
  readonly cases: readonly Case[]
  /** All of a case's where not given. */
  readonly peers: readonly string[] | undefined
  readonly precisions: readonly Precision[]
  readonly threads: number
  readonly pairs: number
  readonly turnSeconds: number
  readonly steps: number | undefined
  /** First steps whose losses are compared. */
  readonly numChecked: number
  /** Fresh processes whose first steps are timed; 0 leaves that and the memory out. */
  readonly launches: number
  readonly json: boolean
  /** Name of the file in bench/results to keep the results in. */
  readonly save: string | undefined
}

export const usage = `npm run bench -- CASE… [flags]

Cases: ${cases.map(({ name }) => name).join(', ')}; all; or the beginning of names (gpt, mlp)
Flags:
  --peers LIST         of ${[...new Set(peers.map(({ peer }) => peer))].join(', ')}, or none (default: all of the case's)
  --precision LIST     f32, bf16 (default: all of the case's)
  --threads N          of every system (default 2)
  --pairs N            rounds (default 7)
  --turn-seconds X     how long each system works in a round (default 1.5)
  --steps N            steps a turn, instead
  --checked N          first steps whose losses are compared (default 10)
  --launches N         fresh processes for the time to the first step; 0 leaves it and the memory out (default 3)
  --save NAME          keeps the results in bench/results/NAME.json
  --json               a line of JSON for each case, precision and system on standard output`

function wrong(problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'INVALID_SETTING', operation: 'bench', problem, hint })
}

function positive(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isFinite(value) && value >= least) return value
  throw wrong(`--${name} is ${text}`, `give a number of at least ${least}`)
}

function chooseCases(words: readonly string[]): Case[] {
  const unknown = words.find((word) => word !== 'all' && !cases.some(({ name }) => isNamed(name, word)))
  if (unknown !== undefined || words.length === 0)
    throw wrong(unknown === undefined ? 'no case is named' : `there is no case "${unknown}"`, usage)
  return cases.filter(({ name }) => words.some((word) => word === 'all' || isNamed(name, word)))
}

/** `mlp` names mlp-32, mlp-128 and mlp-1024; `gpt-1` names nothing. */
function isNamed(name: string, word: string): boolean {
  return name === word || name.startsWith(`${word}-`)
}

const precisionNames: readonly Precision[] = ['f32', 'bf16']

const list = (text: string | undefined): string[] | undefined => text?.split(',').map((word) => word.trim())

/** @throws INVALID_SETTING */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      peers: { type: 'string' },
      precision: { type: 'string', default: 'f32,bf16' },
      threads: { type: 'string', default: '2' },
      pairs: { type: 'string', default: '7' },
      'turn-seconds': { type: 'string', default: '1.5' },
      steps: { type: 'string' },
      checked: { type: 'string', default: '10' },
      launches: { type: 'string', default: '3' },
      save: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const wanted = list(values.peers)
  const unknown = wanted?.find(
    (word) => word !== 'none' && !peers.some(({ name, peer }) => [name, peer].includes(word)),
  )
  if (unknown !== undefined) throw wrong(`there is no peer "${unknown}"`, usage)
  const precisions = list(values.precision) ?? []
  if (precisions.length === 0 || precisions.some((name) => !precisionNames.includes(name as Precision)))
    throw wrong(`--precision is ${values.precision}`, 'give f32, bf16 or both')
  return {
    cases: chooseCases(positionals),
    peers: wanted,
    precisions: precisions as Precision[],
    threads: positive('threads', values.threads, 1),
    pairs: positive('pairs', values.pairs, 1),
    turnSeconds: positive('turn-seconds', values['turn-seconds'], 0.01),
    steps: values.steps === undefined ? undefined : positive('steps', values.steps, 1),
    numChecked: positive('checked', values.checked, 1),
    launches: positive('launches', values.launches, 0),
    json: values.json,
    save: values.save,
  }
}
