/** 784-512-256-10 in batches of 128. */
import { mlpTraining } from './mlp.js'

export default mlpTraining(128)
