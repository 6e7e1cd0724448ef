/** A trial's score: what its last report says of the metric. */
import { TalwegError } from '../core/errors.js'
import { RunFolder } from '../train/index.js'
import { placeKeys, readReports } from '../train/metrics/index.js'
import type { Outcome } from './journal.js'

/**
 * @returns the metric, null where the trial diverged or never began; and the step that it came to
 * @throws INVALID_SETTING where it reports no such metric, naming those that there are
 */
export async function readScore(
  folder: string,
  metric: string,
  status: Outcome['status'],
): Promise<{ score: number | null; step: number }> {
  const reports = await readReports(new RunFolder(folder).metrics)
  const last = reports.at(-1)
  if (status === 'diverged' || status === 'doesNotFit' || last === undefined)
    return { score: null, step: last?.step ?? 0 }
  const score = last[metric]
  if (score !== undefined) return { score, step: last.step }
  const known = Object.keys(last).filter((name) => !placeKeys.has(name) && !name.endsWith('PerSecond'))
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation: 'tune',
    problem: `--metric is "${metric}", and the training's last report has none`,
    hint: `it has ${known.join(', ')}`,
  })
}
