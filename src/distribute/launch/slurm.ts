/**
 * The batch script of a training under Slurm. The script itself starts the supervisor, which starts workers by mpirun within the
 * allocation: `srun --mpi=pmix` would need a Slurm built with PMIx, which Debian's is not able to load. A minute before its time is
 * up the job saves a checkpoint (SIGUSR2, exit code 75) and puts itself back into the queue; preempted or requeued by Slurm (SIGTERM) it
 * saves one too. Begun again it goes on from the newest, to the same bits.
 */
import { TalwegError } from '../../core/errors.js'
import { quote } from './hosts.js'
import { askProgram, installCommand } from './programs.js'

export interface SlurmJob {
  readonly name: string
  readonly numWorkers: number
  readonly coresPerWorker: number | undefined
  /** Further options of sbatch, as they stand after `#SBATCH`. */
  readonly options: readonly string[]
  /** Where the script runs. */
  readonly folder: string
  /** What it writes goes here. */
  readonly outputFile: string
  /** Seconds before the end of its time at which it saves and goes back into the queue. */
  readonly graceSeconds: number
  readonly command: readonly string[]
}

export function slurmScript(job: SlurmJob): string {
  const options = [
    `--job-name=${job.name}`,
    '--nodes=1',
    `--ntasks=${job.numWorkers}`,
    ...(job.coresPerWorker === undefined ? [] : [`--cpus-per-task=${job.coresPerWorker}`]),
    '--requeue',
    '--open-mode=append',
    `--signal=B:USR2@${job.graceSeconds}`,
    `--chdir=${quote(job.folder)}`,
    `--output=${quote(job.outputFile)}`,
    ...job.options,
  ]
  return `#!/bin/bash
${options.map((option) => `#SBATCH ${option}`).join('\n')}

# A signal interrupts wait, so it is waited for until the training has ended.
${job.command.map(quote).join(' ')} &
training=$!
trap 'kill -USR2 $training' USR2
trap 'kill -TERM $training' TERM
while true; do
  wait $training
  code=$?
  kill -0 $training 2>/dev/null || break
done
[ $code = 75 ] && scontrol requeue "$SLURM_JOB_ID"
exit $code
`
}

/**
 * Submits a script, by standard input.
 *
 * @returns the job's number
 * @throws INVALID_SETTING with what sbatch says
 */
export async function submitToSlurm(script: string): Promise<string> {
  const answer = await askProgram('sbatch', ['--parsable'], 30_000, script)
  if ('problem' in answer) {
    const hint = answer.isMissing ? installCommand('slurm-client', 'slurm') : 'sinfo shows what the cluster has'
    throw new TalwegError({ code: 'INVALID_SETTING', operation: 'launch slurm', problem: answer.problem, hint })
  }
  return answer.stdout.trim().split(';')[0]
}
