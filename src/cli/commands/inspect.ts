/** `talweg inspect`: what a training consists of and what it will take, without training anything. */
import { programCost } from '../../compile/cost.js'
import { exitCodes } from '../../core/errors.js'
import { formatType, numElements } from '../../core/shape.js'
import type { Instruction } from '../../engine/program.js'
import { printGraph } from '../../graph/printer.js'
import { prepareTraining, type PreparedTraining } from '../../train/index.js'
import { availableMemoryBytes } from '../../train/memory.js'
import { defineCommand } from '../command.js'
import { gatherSettings, settingFlags, settingSources } from '../flagGroups.js'
import { defineFlags } from '../flags.js'
import { formatBytes, formatCount, formatTable } from '../output.js'
import { loadTraining } from '../trainingFile.js'

const flags = defineFlags({
  ...settingFlags,
  ...settingSources,
  all: { kind: 'boolean', describe: 'each instruction of the step, in order, with the line that it is from' },
  graph: { kind: 'boolean', describe: "print the step's graph as StableHLO instead" },
})

export const inspect = defineCommand({
  name: 'inspect',
  describe: "Show a training's parameters, its step's operations with FLOPs and bytes, and its memory plan",
  args: [{ name: 'FILE', describe: 'A training file' }],
  flags,
  examples: [
    ['talweg inspect examples/characters.ts', ''],
    ['talweg inspect examples/characters.ts --graph > step.mlir', 'The graph, as XLA reads it'],
  ],
  run: async ([file], values, output) => {
    const overrides = await gatherSettings(values, Object.keys(settingFlags), 'inspect')
    const training = await loadTraining(file, 'inspect', overrides)
    const prepared = await prepareTraining(training, training.settings(overrides), (message) => output.message(message))
    try {
      const facts = { ...gather(prepared), tunables: Object.fromEntries(training.tunables) }
      const graph = values.graph === true ? printGraph(prepared.step.graph) : undefined
      output.result(
        graph === undefined ? facts : { ...facts, graph },
        () => graph ?? describe(facts, prepared, values.all === true),
      )
    } finally {
      await prepared.source.close()
    }
    return exitCodes.done
  },
})

interface OperationSum {
  readonly name: string
  count: number
  flops: number
  bytes: number
}

interface Facts {
  readonly engine: string
  readonly parameters: readonly {
    name: string
    dtype: string
    shape: readonly number[]
    count: number
    trained: boolean
  }[]
  readonly numParameters: number
  readonly batchSize: number
  readonly steps: number
  /** Whether the data has a held-out part. */
  readonly validates: boolean
  readonly operations: readonly OperationSum[]
  readonly flopsPerStep: number
  readonly bytesPerStep: number
  readonly memory: PreparedTraining['memory'] & { readonly availableBytes: number; readonly arenaBytes: number }
}

function gather(prepared: PreparedTraining): Facts {
  const { model, engine, compiled, batchSize, totalSteps, evaluation, memory } = prepared
  const { each, total } = programCost(compiled.program)
  const sums = new Map<string, OperationSum>()
  compiled.program.instructions.forEach((instruction, index) => {
    const name = nameOf(instruction)
    const sum = sums.get(name) ?? { name, count: 0, flops: 0, bytes: 0 }
    sum.count++
    sum.flops += each[index].flops
    sum.bytes += each[index].bytes
    sums.set(name, sum)
  })
  return {
    engine: engine.description,
    parameters: Array.from(model.namedParameters(), ([name, { type, trainable }]) => ({
      name,
      dtype: type.dtype,
      shape: type.shape,
      count: numElements(type.shape),
      trained: trainable,
    })),
    numParameters: model.numParameters,
    batchSize,
    steps: totalSteps,
    validates: evaluation !== undefined,
    operations: [...sums.values()].toSorted((a, b) => b.flops - a.flops || b.bytes - a.bytes),
    flopsPerStep: total.flops,
    bytesPerStep: total.bytes,
    memory: { ...memory, availableBytes: availableMemoryBytes(), arenaBytes: compiled.plan.arenaBytes },
  }
}

function nameOf({ operation, attributes }: Instruction): string {
  return operation === 'composite' ? attributes.name : operation
}

function describe(facts: Facts, prepared: PreparedTraining, all: boolean): string {
  const { parameters, numParameters, operations, flopsPerStep, bytesPerStep, batchSize, steps } = facts
  const rows = parameters.map(({ name, dtype, shape, count, trained }) => [
    name,
    formatType({ dtype: dtype as 'f32', shape }),
    formatCount(count),
    trained ? '' : 'not trained',
  ])
  const cost = ({ name, count, flops, bytes }: OperationSum): string[] => [
    name,
    String(count),
    formatCount(flops),
    formatBytes(bytes),
  ]
  const total = {
    name: 'all',
    count: operations.reduce((sum, { count }) => sum + count, 0),
    flops: flopsPerStep,
    bytes: bytesPerStep,
  }
  return [
    facts.engine,
    `Parameters: ${formatCount(numParameters)} trained\n${formatTable(rows, [false, false, true, false])}`,
    `Operations of a step (batch of ${batchSize}, ${steps} steps)\n${formatTable([['operation', 'number', 'FLOPs', 'moves'], ...operations.map(cost), cost(total)], [false, true, true, true])}`,
    ...(all ? [describeInstructions(prepared)] : []),
    describeMemory(facts.memory),
  ].join('\n\n')
}

function describeInstructions({ compiled: { program } }: PreparedTraining): string {
  const { each } = programCost(program)
  const rows = program.instructions.map(({ label, outputs }, index) => [
    label,
    outputs.map((output) => formatType(program.values[output])).join(', '),
    formatCount(each[index].flops),
    formatBytes(each[index].bytes),
  ])
  return `Instructions, in order\n${formatTable(rows, [false, false, true, true])}`
}

function describeMemory(memory: Facts['memory']): string {
  const rows = [
    ['parameters and optimiser', formatBytes(memory.stateBytes)],
    ['step', formatBytes(memory.stepBytes)],
    ['batches', formatBytes(memory.batchBytes)],
    ['validation', formatBytes(memory.evaluationBytes)],
    ['checkpoint being written', formatBytes(memory.checkpointBytes)],
    ['loaded programs', formatBytes(memory.programBytes)],
    ['planned peak', formatBytes(memory.totalBytes)],
    ['free now', formatBytes(memory.availableBytes)],
  ]
  return `Memory\n${formatTable(rows, [false, true])}`
}
