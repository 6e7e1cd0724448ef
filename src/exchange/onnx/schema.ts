/**
 * ONNX's messages, as much of them as is written here: each field with its number. protobufjs turns objects into bytes by it.
 *
 * Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 */
import type { DType } from '../../core/dtype.js'

type Field = readonly [type: string, id: number, rule?: 'repeated']

const messages: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  ModelProto: {
    irVersion: ['int64', 1],
    producerName: ['string', 2],
    producerVersion: ['string', 3],
    graph: ['GraphProto', 7],
    opsetImport: ['OperatorSetIdProto', 8, 'repeated'],
  },
  OperatorSetIdProto: { domain: ['string', 1], version: ['int64', 2] },
  GraphProto: {
    node: ['NodeProto', 1, 'repeated'],
    name: ['string', 2],
    initializer: ['TensorProto', 5, 'repeated'],
    input: ['ValueInfoProto', 11, 'repeated'],
    output: ['ValueInfoProto', 12, 'repeated'],
  },
  NodeProto: {
    input: ['string', 1, 'repeated'],
    output: ['string', 2, 'repeated'],
    name: ['string', 3],
    opType: ['string', 4],
    attribute: ['AttributeProto', 5, 'repeated'],
  },
  AttributeProto: {
    name: ['string', 1],
    f: ['float', 2],
    i: ['int64', 3],
    s: ['bytes', 4],
    ints: ['int64', 8, 'repeated'],
    type: ['int32', 20],
  },
  TensorProto: {
    dims: ['int64', 1, 'repeated'],
    dataType: ['int32', 2],
    name: ['string', 8],
    rawData: ['bytes', 9],
    externalData: ['StringStringEntryProto', 13, 'repeated'],
    dataLocation: ['int32', 14],
  },
  StringStringEntryProto: { key: ['string', 1], value: ['string', 2] },
  ValueInfoProto: { name: ['string', 1], type: ['TypeProto', 2] },
  TypeProto: { tensorType: ['TensorTypeProto', 1] },
  // TypeProto.Tensor and TensorShapeProto.Dimension there: the bytes don't have the names.
  TensorTypeProto: { elemType: ['int32', 1], shape: ['TensorShapeProto', 2] },
  TensorShapeProto: { dim: ['DimensionProto', 1, 'repeated'] },
  DimensionProto: { dimValue: ['int64', 1], dimParam: ['string', 2] },
}

/** AttributeProto.AttributeType */
export const attributeTypes = { f: 1, i: 2, s: 3, ints: 7 } as const

/** TensorProto.DataType */
export const dataTypes: { readonly [D in DType]: number } = {
  f64: 11,
  f32: 1,
  bf16: 16,
  i32: 6,
  u32: 12,
  u8: 2,
  bool: 9,
}
export const int64Type = 7

/** TensorProto.DataLocation: the numbers are in another file. */
export const externalLocation = 1

export interface TensorProto {
  readonly dims: readonly number[]
  readonly dataType: number
  readonly name: string
  readonly rawData?: Uint8Array
  readonly externalData?: readonly { readonly key: string; readonly value: string }[]
  readonly dataLocation?: number
}

export interface AttributeProto {
  readonly name: string
  readonly type: number
  readonly f?: number
  readonly i?: number
  readonly s?: Uint8Array
  readonly ints?: readonly number[]
}

export interface NodeProto {
  readonly input: readonly string[]
  readonly output: readonly string[]
  readonly name: string
  readonly opType: string
  readonly attribute: readonly AttributeProto[]
}

export type DimensionProto = { readonly dimValue: number } | { readonly dimParam: string }

export interface ValueInfoProto {
  readonly name: string
  readonly type: {
    readonly tensorType: { readonly elemType: number; readonly shape: { readonly dim: readonly DimensionProto[] } }
  }
}

export interface ModelProto {
  readonly irVersion: number
  readonly producerName: string
  readonly opsetImport: readonly { readonly domain: string; readonly version: number }[]
  readonly graph: {
    readonly name: string
    readonly node: readonly NodeProto[]
    readonly initializer: readonly TensorProto[]
    readonly input: readonly ValueInfoProto[]
    readonly output: readonly ValueInfoProto[]
  }
}

/** The library is only asked for where something is exported. */
export async function encodeModel(model: ModelProto): Promise<Uint8Array> {
  const { default: protobuf } = await import('protobufjs/light.js')
  const nested = Object.entries(messages).map(([name, fields]) => [name, { fields: describeFields(fields) }])
  const root = protobuf.Root.fromJSON({ nested: Object.fromEntries(nested) as Record<string, { fields: Fields }> })
  return root.lookupType('ModelProto').encode(model).finish()
}

type Fields = Record<string, { type: string; id: number; rule?: string }>

function describeFields(fields: Readonly<Record<string, Field>>): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, [type, id, rule]]) => [
      name,
      rule === undefined ? { type, id } : { type, id, rule },
    ]),
  )
}
