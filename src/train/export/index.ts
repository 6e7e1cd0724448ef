/** Taking a run's model elsewhere. */
export { exportAsHuggingFace, writeTokenizer } from './huggingFace.js'
export { exportModelAsOnnx } from './onnx.js'
