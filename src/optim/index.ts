/** Optimisers and learning-rate schedules. */
export { adam, adamw, lion, type AdamOptions, type LionOptions } from './adam.js'
export { prodigy, type ProdigyOptions } from './prodigy.js'
export { scheduleFreeAdamw, scheduleFreeSgd, type ScheduleFreeAdamwOptions, type ScheduleFreeSgdOptions } from './scheduleFree.js' // prettier-ignore
export { matricesOnly, withLearningRate, type Optimizer, type OptimizerOptions, type ParameterFilter, type SharedContext, type SharedState, type Update, type UpdateContext } from './optimizer.js' // prettier-ignore
export { constant, cosine, exponential, linear, oneCycle, stepDecay, type DecayOptions, type ExponentialOptions, type OneCycleOptions, type Schedule, type ScheduleContext, type StepDecayOptions } from './schedule.js' // prettier-ignore
export { gradientDescent, sgd, type GradientDescentOptions, type SgdOptions } from './sgd.js'
