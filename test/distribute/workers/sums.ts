/**
 * A worker that sums tensors with the others and compares every bit with the tree's sum, computed here from all shards.
 * Worker 0 prints a sum over all results, which must not depend on how many workers there were.
 *
 *     sums.ts SHARDS
 */
import { createHash } from 'node:crypto'
import { shardsOfWorkers, sumOverShards, type ShardRange } from '../../../src/core/shardTree.js'
import { tensorData, tensorType, type TensorData, type TensorType } from '../../../src/core/shape.js'
import type { AllReduceAttributes } from '../../../src/core/operations.js'
import type { Engine } from '../../../src/engine/engine.js'
import { GraphBuilder, type Graph, type Value } from '../../../src/graph/index.js'
import type { Instruction, Program } from '../../../src/engine/program.js'
import { createNativeEngine } from '../../../src/engine/native/index.js'
import { assertSameBits } from '../../engines/support/compare.js'
import { evaluate, graphOf, named } from '../../engines/support/evaluate.js'
import { lower } from '../../engines/support/lower.js'
import { join, rank, size } from './join.js'

const numShards = Number(process.argv[2])
const own = shardsOfWorkers(numShards, size)[rank]
const whole = { first: 0, count: numShards }
const digest = createHash('sha256')

type Pair = (left: number, right: number) => number

/** Both operands' numbers, elementwise, rounded as their type is. */
function combine(left: TensorData, right: TensorData, pair: Pair): TensorData {
  const data = left.data.slice()
  data.forEach((value, index) => (data[index] = pair(value, right.data[index])))
  return { ...left, data }
}

/** Numbers of many sizes, so that every order of adding them rounds differently. */
function shardTensor(name: string, { dtype, shape }: TensorType): TensorData {
  const result = tensorData(dtype, shape)
  let state = createHash('sha256').update(name).digest().readUInt32LE() | 1
  for (let index = 0; index < result.data.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    result.data[index] = dtype === 'u32' ? state : (state / 2 ** 31 - 1) * (1 + (state & 0xff))
  }
  return result
}

function sumOf(name: string, type: TensorType, range: ShardRange, pair: Pair): TensorData {
  return sumOverShards(
    range,
    (shard) => shardTensor(`${name}, shard ${shard}`, type),
    (left, right) => combine(left, right, pair),
  )
}

/** The graph of one exchange for each of `groups`, on parameters `x0`, `x1`, …. */
function graphOfSums(groups: readonly (readonly TensorType[])[], kind: AllReduceAttributes['kind']): Graph {
  const builder = new GraphBuilder('sums')
  const parameters = groups.flat().map((type, index) => builder.parameter(`x${index}`, type))
  const results: Value[] = []
  for (const { length } of groups) {
    const operands = parameters.slice(results.length, results.length + length)
    results.push(...builder.add('allReduce', operands, { axis: 'data', size, kind, shards: numShards }))
  }
  return builder.build(results.map((value, index) => ({ name: `y${index}`, value })))
}

/** Every exchange in two instructions, all begun before the first is waited for; `isInPlace`: over their operands' memory. */
function inTwo(program: Program, isInPlace: boolean): Program {
  const place = new Map<number, number>()
  const part =
    (name: 'allReduceStart' | 'allReduceDone') =>
    (instruction: Instruction): Instruction => {
      const { attributes, inputs, outputs, label } = instruction
      const results = isInPlace ? inputs : outputs
      outputs.forEach((output, index) => place.set(output, results[index]))
      const from = name === 'allReduceStart' ? inputs : results
      return { operation: 'composite', attributes: { name, attributes }, inputs: from, outputs: results, lastUses: [], label } as Instruction // prettier-ignore
    }
  const { instructions } = program
  const parts = [...instructions.map(part('allReduceStart')), ...instructions.map(part('allReduceDone'))]
  const outputs = program.outputs.map(({ name, value }) => ({ name, value: place.get(value)! }))
  return { ...program, outputs, instructions: parts }
}

type Groups = readonly (readonly TensorType[])[]

async function check(
  engine: Engine,
  name: string,
  groups: Groups,
  kind: AllReduceAttributes['kind'],
  pair: Pair,
): Promise<void> {
  // prettier-ignore
  const types = groups.flat()
  const given = types.map((type, index) => sumOf(`${name} ${index}`, type, own, pair))
  const wanted = types.map((type, index) => sumOf(`${name} ${index}`, type, whole, pair))
  const program = lower(graphOfSums(groups, kind), engine)
  const programs = size === 1 ? [program] : [program, inTwo(program, false), inTwo(program, true)]
  for (const [form, candidate] of programs.entries()) {
    const executable = await engine.load(candidate, new Map())
    for (let time = 0; time < 2; time++) {
      const results = await executable.run(named(given))
      wanted.forEach((tensor, index) => assertSameBits(results[`y${index}`], tensor, `${name} ${index}, form ${form}`))
    }
  }
  for (const { data } of wanted) digest.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
}

async function checkParts(engine: Engine): Promise<void> {
  const dtype = 'f32'
  for (const dim of [0, 1]) {
    const shape = dim === 0 ? [3 * size, 50] : [3, 50 * size, 2]
    const type = tensorType(dtype, shape)
    const add: Pair = (left, right) => left + right
    const given = sumOf(`scatter ${dim}`, type, own, add)
    const wanted = sumOf(`scatter ${dim}`, type, whole, add)
    const scatter = { axis: 'data', size, kind: 'add', dim, shards: numShards } as const
    const [part] = await evaluate(engine, graphOf('reduceScatter', [given], scatter), [given])
    const [gathered] = await evaluate(engine, graphOf('allGather', [part], { axis: 'data', size, dim }), [part])
    assertSameBits(gathered, wanted, `parts along ${dim}, gathered`)
  }
}

const communicator = await join()
const engine = createNativeEngine({ threads: 1, communicator })
const add: Pair = (left, right) => left + right
const f32 = (...shape: number[]): TensorType => tensorType('f32', shape)
await check(engine, 'a number', [[f32()]], 'add', add)
await check(engine, 'few', [[f32(3), f32(0), f32(5, 7)]], 'add', add)
await check(engine, 'many small', [Array.from({ length: 40 }, (_, index) => f32(1 + ((index * 97) % 700)))], 'add', add)
await check(engine, 'large and small', [[f32(40_003), f32(5), f32(300, 301), f32(1), f32(20_000)]], 'add', add)
await check(engine, 'one very large', [[f32(1_200_000)]], 'add', add)
await check(engine, 'several at once', [[f32(30_000), f32(7)], [f32(3)], [f32(200_000)], [f32(50_001)]], 'add', add)
await check(engine, 'f64', [[tensorType('f64', [5000])]], 'add', add)
await check(engine, 'u32', [[tensorType('u32', [3000])]], 'add', (left, right) => (left + right) >>> 0)
await check(engine, 'largest', [[f32(4000), f32(4)]], 'maximum', Math.max)
await checkParts(engine)
await communicator?.close()
if (rank === 0) console.log(digest.digest('hex'))
