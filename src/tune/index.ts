/** Searches over a training's settings. */
export type { Outcome } from './journal.js'
export type { Sampler } from './sampling.js'
export { rangeTest, type RangeTestResult } from './rangeTest.js'
export { gridValues, readSpace } from './space.js'
export type { TrialRow } from './table.js'
export { checkFolder, tune, type TuneObserver, type TuneOptions, type TuneResult } from './tune.js'
