/** The commands, each loaded when it is asked for. The one-line descriptions are here so that `--help` loads none. */
import type { Command } from '../command.js'

interface CommandEntry {
  readonly describe: string
  readonly load: () => Promise<Command>
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  train: { describe: 'Train what a training file exports', load: async () => (await import('./train.js')).train },
  launch: {
    describe: 'Train on a cluster: submits a training to Slurm',
    load: async () => (await import('./launch.js')).launch,
  },
  tune: {
    describe: 'Search for the settings of a training that are best',
    load: async () => (await import('./tune.js')).tune,
  },
  fit: {
    describe: 'Fit a linear, logistic or softmax regression to a table',
    load: async () => (await import('./fit.js')).fit,
  },
  predict: {
    describe: 'Predict for the rows of a table with a fitted model',
    load: async () => (await import('./predict.js')).predict,
  },
  sample: { describe: 'Write text with a trained model', load: async () => (await import('./sample.js')).sample },
  export: {
    describe: "Write a run's model for others: for Transformers, or as ONNX",
    load: async () => (await import('./export.js')).exportRun,
  },
  inspect: {
    describe: "Show a training's parameters, operations and memory plan",
    load: async () => (await import('./inspect.js')).inspect,
  },
  compare: {
    describe: "Tell whether two runs' checkpoints have the same bits",
    load: async () => (await import('./compare.js')).compare,
  },
  doctor: {
    describe: 'Show which engines and launchers work here, and what is missing',
    load: async () => (await import('./doctor.js')).doctor,
  },
}
