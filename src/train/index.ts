/** Training: definitions, the step, the loop, checkpoints, metrics. */
export { engineChoices, engineNames, openEngine, type EngineChoice } from './engines.js'
export type { Ending } from './loop.js'
export type { TrainingObserver, TrainingProgress, TrainingStart } from './observer.js'
export { defaultRunFolder, findRun, RunFolder, runsFolder, type RunDescription } from './run/folder.js'
export { checkFits, prepareTraining, TrainingSession, type MemoryNeed, type PreparedTraining } from './session.js'
export { settingNames, type Settings, type SettingsInput } from './settings.js'
export { train, type TrainOptions, type TrainResult } from './train.js'
export { defineTraining, factsOf, Training, type TrainingDefinition } from './training.js'
