/** `talweg launch`: hands a training to a cluster's scheduler. */
import { mkdir, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { exitCodes, TalwegError } from '../../core/errors.js'
import { slurmScript, submitToSlurm } from '../../distribute/index.js'
import { defaultRunFolder, RunFolder } from '../../train/index.js'
import { defineCommand } from '../command.js'
import { defineFlags } from '../flags.js'
import { ownCommand } from '../ownCommand.js'
import { shortPath } from '../output.js'
import { trainArguments } from '../workers.js'
import { trainFlags } from './train.js'

const group = 'Cluster:'
const defaultGraceSeconds = 60

const launchFlags = defineFlags({
  coresPerWorker: { kind: 'integer', least: 1, describe: 'cores that each worker gets', group },
  option: {
    kind: 'list',
    value: '--NAME=VALUE',
    describe: "a further option of the scheduler's (--option=--partition=cpu), may be repeated",
    group,
  },
  grace: {
    kind: 'integer',
    least: 1,
    value: 'SECONDS',
    describe: 'before the job’s time is up: save a checkpoint and go back into the queue',
    defaultText: String(defaultGraceSeconds),
    group,
  },
  dryRun: { kind: 'boolean', describe: 'print what would be submitted, and submit nothing', group },
})

export const launch = defineCommand({
  name: 'launch',
  describe: 'Hand a training to a cluster: a batch job that goes on by itself when it is preempted or its time is up',
  args: [
    { name: 'SCHEDULER', describe: 'slurm' },
    { name: 'FILE', describe: 'A training file' },
  ],
  flags: { ...trainFlags, ...launchFlags },
  examples: [
    ['talweg launch slurm examples/characters.ts --workers 8 --option=--time=2:00:00', 'Submits, and prints the job'],
    ['talweg launch slurm examples/characters.ts --workers 8 --dry-run', 'Prints the batch script'],
  ],
  run: async ([scheduler, file], values, output) => {
    if (scheduler !== 'slurm') throw refuse('UNKNOWN_FLAG', `there is no scheduler "${scheduler}"; it takes slurm`)
    if (!existsSync(file)) throw refuse('FILE_NOT_FOUND', `there is no file "${file}"`, file)
    const resume = values.resume === true
    const folder = path.resolve(values.run ?? (await defaultRunFolder(file, resume)))
    if (!resume && (await new RunFolder(folder).hasRun()))
      throw refuse('RUN_EXISTS', 'there is a run in this folder already', folder)
    const args = trainArguments({ file: path.resolve(file), folder, flags: trainFlags, values }, [])
    const script = slurmScript({
      name: path.basename(folder),
      numWorkers: values.workers ?? 1,
      coresPerWorker: values.coresPerWorker,
      options: values.option ?? [],
      folder: process.cwd(),
      outputFile: path.join(folder, 'slurm.log'),
      graceSeconds: values.grace ?? defaultGraceSeconds,
      // Where there is no run yet, going on with it is beginning it.
      command: [...ownCommand(), 'train', ...args, '--resume'],
    })
    if (values.dryRun === true) {
      output.result({ script }, () => script)
      return exitCodes.done
    }
    await mkdir(folder, { recursive: true })
    await writeFile(path.join(folder, 'job.sh'), script)
    const job = await submitToSlurm(script)
    output.result({ job, run: folder }, () => `job ${job}; ${shortPath(path.join(folder, 'slurm.log'))}`)
    return exitCodes.done
  },
})

function refuse(code: 'UNKNOWN_FLAG' | 'FILE_NOT_FOUND' | 'RUN_EXISTS', problem: string, file?: string): TalwegError {
  return new TalwegError({
    code,
    operation: 'launch',
    problem,
    hint: code === 'RUN_EXISTS' ? 'go on with it by --resume, or name another with --run' : undefined,
    place: file === undefined ? undefined : { file },
  })
}
