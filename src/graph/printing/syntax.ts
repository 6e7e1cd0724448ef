/** The words of MLIR's text form: types, numbers, lists, constants. https://mlir.llvm.org/docs/LangRef */
import { dtypes, fromBFloat16Bits, isFloat, toBFloat16Bits, type DType, type FloatDType } from '../../core/dtype.js'
import { numElements, type TensorData, type TensorType } from '../../core/shape.js'

/** `tensor<8x64xf32>`; a scalar is `tensor<f32>`. */
export function printType({ dtype, shape }: TensorType): string {
  return `tensor<${[...shape, dtypes[dtype].stablehlo].join('x')}>`
}

export function printTypes(types: readonly TensorType[]): string {
  return types.map(printType).join(', ')
}

export function printList(items: readonly (number | boolean)[]): string {
  return `[${items.join(', ')}]`
}

/** `array<i64: 1, 2>`, the form of a list of integers in an operation's generic form. */
export function printArray(items: readonly number[]): string {
  return items.length === 0 ? 'array<i64>' : `array<i64: ${items.join(', ')}>`
}

/** `dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>`: rows of equal length. */
export function printRows(rows: readonly (readonly number[])[]): string {
  const width = rows.length === 0 ? 0 : rows[0].length
  const body = rows.length === 0 || width === 0 ? '' : printNested(rows.flat().map(String), [rows.length, width])
  return `dense<${body}> : tensor<${rows.length}x${width}xi64>`
}

/** A name that MLIR takes after `@` or `%`, made from any text. */
export function identifier(text: string): string {
  const cleaned = text.replace(/[^\w$.]/g, '_')
  return /^[A-Za-z_$.]/.test(cleaned) ? cleaned : `_${cleaned}`
}

/** `(a, b)`, or an item a line where that is longer than a line should be. */
export function printParenthesized(items: readonly string[]): string {
  const line = `(${items.join(', ')})`
  return line.length <= maxListLength ? line : `(\n${items.map((item) => `    ${item}`).join(',\n')}\n)`
}

const maxListLength = 90

/** `layerNorm` to `layer_norm`: how StableHLO spells an operation's name. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Constants of more elements than this are written as hexadecimal bytes. */
const maxElementsInWords = 64

export function printConstant(value: TensorData): string {
  return `dense<${printElements(value)}> : ${printType(value)}`
}

function printElements(value: TensorData): string {
  const { dtype, shape, data } = value
  const total = numElements(shape)
  if (total === 0) return ''
  if (isSplat(value)) return printElement(dtype, data[0])
  // Booleans are always in words: the hexadecimal form packs them in a way that MLIR has changed between versions.
  if (total <= maxElementsInWords || dtype === 'bool') {
    return printNested(
      Array.from(data, (element) => printElement(dtype, element)),
      shape,
    )
  }
  return `"0x${hexadecimal(value)}"`
}

/** Whether all elements have the same bits: `0 === -0` is not enough, and `NaN === NaN` too much to ask. */
function isSplat({ data }: TensorData): boolean {
  const [first] = data
  return data.every((element) => Object.is(element, first))
}

/** The bytes, little end first, which is how MLIR reads them and how every platform that Talweg runs on keeps them. */
function hexadecimal({ data }: TensorData): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')
}

function printNested(elements: readonly string[], shape: readonly number[]): string {
  if (shape.length === 0) return elements[0]
  const [size, ...inner] = shape
  const stride = numElements(inner)
  const parts = Array.from({ length: size }, (_, index) =>
    printNested(elements.slice(index * stride, (index + 1) * stride), inner),
  )
  return `[${parts.join(', ')}]`
}

/** One element as stored on the host (so a bf16 is its bits). */
export function printElement(dtype: DType, element: number): string {
  if (dtype === 'bool') return element === 0 ? 'false' : 'true'
  if (dtype === 'bf16') return printFloat(fromBFloat16Bits(element), dtype)
  return isFloat(dtype) ? printFloat(element, dtype) : String(element)
}

/** A number that reads back as exactly the same one; MLIR wants a point in it, and infinities and NaN as bits. */
export function printFloat(value: number, dtype: FloatDType): string {
  if (!Number.isFinite(value)) return floatBits(value, dtype)
  const shortest = dtype === 'f64' ? printDouble(value) : printSingle(value)
  const [mantissa, exponent] = shortest.split('e')
  const pointed = mantissa.includes('.') ? mantissa : `${mantissa}.0`
  return exponent === undefined ? pointed : `${pointed}e${exponent}`
}

function printDouble(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** The fewest digits that give the same f32. */
function printSingle(value: number): string {
  if (value === 0) return printDouble(value)
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Object.is(Math.fround(candidate), value)) return printDouble(candidate)
  }
  return printDouble(Number(value.toPrecision(9)))
}

function floatBits(value: number, dtype: FloatDType): string {
  const view = new DataView(new ArrayBuffer(8))
  if (dtype === 'bf16') view.setUint16(0, toBFloat16Bits(value))
  else if (dtype === 'f32') view.setFloat32(0, value)
  else view.setFloat64(0, value)
  const bytes = new Uint8Array(view.buffer, 0, dtypes[dtype].sizeBytes)
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')}`
}
