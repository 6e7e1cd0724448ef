/** 784-512-256-10 in batches of 1024. */
import { mlpTraining } from './mlp.js'

export default mlpTraining(1024)
