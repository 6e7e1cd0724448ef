/** 784-512-256-10 in batches of 32. */
import { mlpTraining } from './mlp.js'

export default mlpTraining(32)
