/**
 * Which rows are trained on and which are held out, split by split. Each row has a fold; a split holds one fold out and
 * trains on some of the others: on all of them, or, for rows that are in the order of time, on those before it.
 */
import { readText } from '../../../exchange/disk.js'
import { TalwegError } from '../../../core/errors.js'
import { allocateBatch, Permutation, type TableSource } from '../../../data/index.js'

export interface Folds {
  readonly numFolds: number
  /** By row. */
  readonly foldOf: Int32Array
  readonly splits: readonly Split[]
}

export interface Split {
  /** By fold: whether the split trains on it. */
  readonly trains: readonly boolean[]
  /** The fold held out. */
  readonly heldOut: number
  readonly numTraining: number
  readonly numHeldOut: number
}

/** How rows are given to folds. */
export type FoldPlan =
  | { readonly kind: 'shuffled' | 'stratified' | 'forward'; readonly numSplits: number }
  /** Rows of one group are in one fold. */
  | { readonly kind: 'grouped'; readonly numSplits: number; readonly groups: ArrayLike<number> }
  /** A fold's number for each row, a line each. */
  | { readonly kind: 'file'; readonly numSplits: number | undefined; readonly file: string }

/** @throws INVALID_SETTING, INVALID_DATA, FILE_NOT_FOUND */
export async function makeFolds(plan: FoldPlan, source: TableSource, seed: number): Promise<Folds> {
  const { numSamples } = source
  if (plan.kind === 'file') return readFolds(plan.file, plan.numSplits, numSamples)
  const { numSplits } = plan
  const numParts = plan.kind === 'forward' ? numSplits + 1 : numSplits
  if (numSplits < 2) throw invalid(`--cross-validate is ${numSplits}`, 'hold out at least two parts in turn')
  if (numParts > numSamples) throw invalid(`${numParts} parts are made of ${numSamples} rows`, 'take fewer')
  if (plan.kind === 'forward') return forwardFolds(numSamples, numSplits)
  const order = new Permutation(numSamples, seed, 0)
  if (plan.kind === 'grouped') return groupedFolds(plan.groups, numSplits)
  const foldOf = new Int32Array(numSamples)
  if (plan.kind === 'shuffled') {
    for (let place = 0; place < numSamples; place++) foldOf[order.at(place)] = place % numSplits
  } else {
    stratify(foldOf, targetsOf(source), order, numSplits)
  }
  return eachHeldOut(foldOf, numSplits)
}

function eachHeldOut(foldOf: Int32Array, numFolds: number): Folds {
  const sizes = new Array<number>(numFolds).fill(0)
  for (const fold of foldOf) sizes[fold]++
  const splits = sizes.map((size, heldOut) => ({
    trains: sizes.map((_, fold) => fold !== heldOut),
    heldOut,
    numTraining: foldOf.length - size,
    numHeldOut: size,
  }))
  return { numFolds, foldOf, splits }
}

/** Rows of each class in turn are dealt out to the folds, where the class before left off. */
function stratify(foldOf: Int32Array, classes: ArrayLike<number>, order: Permutation, numFolds: number): void {
  const byClass: number[][] = []
  for (let place = 0; place < foldOf.length; place++) {
    const row = order.at(place)
    ;(byClass[classes[row]] ??= []).push(row)
  }
  let dealt = 0
  for (const rows of byClass) for (const row of rows ?? []) foldOf[row] = dealt++ % numFolds
}

function targetsOf(source: TableSource): ArrayLike<number> {
  if (source.design.target.task !== 'classification')
    throw invalid('--stratify is for classes, and the target is a quantity', 'leave it out')
  return allTargets(source)
}

/** The targets of all rows, as they are fed. */
export function allTargets(source: TableSource): ArrayLike<number> {
  const { numSamples, element } = source
  const rows = Float64Array.from({ length: numSamples }, (_, row) => row)
  const batch = allocateBatch(element, numSamples)
  source.gatherSync(rows, batch)
  return batch.targets.data
}

/** The largest group first, each to the fold that has the fewest rows then. */
function groupedFolds(groups: ArrayLike<number>, numFolds: number): Folds {
  const sizes = new Map<number, number>()
  for (let row = 0; row < groups.length; row++) sizes.set(groups[row], (sizes.get(groups[row]) ?? 0) + 1)
  if (sizes.size < numFolds) throw invalid(`${numFolds} folds are made of ${sizes.size} groups`, 'take fewer')
  const load = new Array<number>(numFolds).fill(0)
  const foldOfGroup = new Map<number, number>()
  for (const [group, size] of [...sizes].toSorted((a, b) => b[1] - a[1] || a[0] - b[0])) {
    const fold = load.indexOf(Math.min(...load))
    load[fold] += size
    foldOfGroup.set(group, fold)
  }
  return eachHeldOut(
    Int32Array.from({ length: groups.length }, (_, row) => foldOfGroup.get(groups[row]) ?? 0),
    numFolds,
  )
}

/** The last parts, all of one size, are held out in turn; what comes before is trained on. As scikit-learn's TimeSeriesSplit. */
function forwardFolds(numRows: number, numSplits: number): Folds {
  const size = Math.floor(numRows / (numSplits + 1))
  const first = numRows - numSplits * size
  const foldOf = Int32Array.from({ length: numRows }, (_, row) =>
    row < first ? 0 : 1 + Math.floor((row - first) / size),
  )
  const splits = Array.from({ length: numSplits }, (_, index) => ({
    trains: Array.from({ length: numSplits + 1 }, (__, fold) => fold <= index),
    heldOut: index + 1,
    numTraining: first + index * size,
    numHeldOut: size,
  }))
  return { numFolds: numSplits + 1, foldOf, splits }
}

async function readFolds(file: string, numSplits: number | undefined, numRows: number): Promise<Folds> {
  const fault = (problem: string, line?: number, hint?: string): TalwegError =>
    new TalwegError({ code: 'INVALID_DATA', operation: '--folds', problem, hint, place: { file, line } })
  const text = await readText(file)
  if (text === undefined) throw new TalwegError({ code: 'FILE_NOT_FOUND', operation: '--folds', problem: `there is no file "${file}"` }) // prettier-ignore
  const lines = text.trimEnd().split(/\r?\n/)
  const hasHeader = !/^\d+$/.test(lines[0].trim())
  const numbers = lines.slice(hasHeader ? 1 : 0).map((line, index) => {
    if (!/^\d+$/.test(line.trim())) throw fault(`"${line}" is no fold's number`, index + (hasHeader ? 2 : 1))
    return Number(line)
  })
  if (numbers.length !== numRows) {
    throw fault(
      `it has ${numbers.length} folds, and the table ${numRows} rows to train on`,
      undefined,
      'give a line a row, without those that --missing drop leaves out',
    )
  }
  const labels = [...new Set(numbers)].toSorted((a, b) => a - b)
  if (labels.length < 2) throw fault('all rows are in one fold')
  if (numSplits !== undefined && numSplits !== labels.length)
    throw fault(`--cross-validate is ${numSplits}, and it has ${labels.length} folds`)
  const place = new Map(labels.map((label, index) => [label, index]))
  return eachHeldOut(
    Int32Array.from(numbers, (label) => place.get(label) ?? 0),
    labels.length,
  )
}

function invalid(problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'INVALID_SETTING', operation: 'fit', problem, hint })
}
