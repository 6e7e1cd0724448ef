/** Text from a trained model. */
export { chooseToken, type SamplingOptions } from './choose.js'
export { generateTokens } from './generate.js'
