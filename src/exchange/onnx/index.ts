/** Models as ONNX. */
export { exportOnnx, type ExportedOnnx, type OnnxExport, type OnnxInput, type OpenSize } from './export.js'
