/** `stablehlo.composite`: a name, its attributes and the function that says what it means. */
import type { CompositeCall } from '../../core/operations.js'
import { printArray, printFloat, printRows } from './syntax.js'

type AttributeValue = number | string | boolean | null | readonly number[] | readonly (readonly number[])[]

/** Attributes that are whole numbers; any other number is printed as f64. */
const integerAttributes: ReadonlySet<string> = new Set(['ignoredTarget'])

/** All but the types: `stablehlo.composite "talweg.gelu" %0 {composite_attributes = {…}, decomposition = @gelu}`. */
export function printComposite(call: CompositeCall, symbol: string, operands: readonly string[]): string {
  const attributes = Object.entries(call.attributes as { readonly [name: string]: AttributeValue })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} = ${printAttribute(name, value)}`)
  const list = attributes.length === 0 ? '' : `composite_attributes = {${attributes.join(', ')}}, `
  return `stablehlo.composite "talweg.${call.name}" ${operands.join(', ')} {${list}decomposition = @${symbol}}`
}

function printAttribute(name: string, value: AttributeValue): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number')
    return integerAttributes.has(name) ? `${value} : i64` : `${printFloat(value, 'f64')} : f64`
  const list = value as readonly (number | readonly number[])[]
  return list.every((item) => typeof item === 'number')
    ? printArray(list)
    : printRows(list as readonly (readonly number[])[])
}
