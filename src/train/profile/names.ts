/**
 * What an instruction of a profile is called, so that a reader finds it in the model: operation, types, place in the model,
 * the user's line.
 */
import { formatType } from '../../core/shape.js'
import type { Instruction, Program } from '../../engine/program.js'
import { findPlaces } from './places.js'
import { kindOf } from './roofline.js'

export interface InstructionName {
  /** `dotGeneral`, `elementwise(multiply, add)`. */
  readonly operation: string
  /** `f32[2048,384] · f32[384,1536] → f32[2048,1536]`; `ᵀ` where an operand is read by other strides than its own. */
  readonly types: string
  /** `train.ts:14`. */
  readonly line: string | undefined
  /** `blocks.0.mlp.up.weight`, where it reads or updates a parameter or makes its gradient; else `near blocks.0.mlp`. */
  readonly place: string | undefined
}

export function nameInstructions(program: Program): InstructionName[] {
  const places = findPlaces(program)
  return program.instructions.map((instruction, index): InstructionName => {
    const [, line, operation] = /^(?:(.+?:\d+) )?(.+)$/.exec(instruction.label) ?? []
    return {
      operation: operation ?? kindOf(instruction),
      types: describeTypes(instruction, program),
      line,
      place: places[index],
    }
  })
}

export function formatName({ operation, types, place, line }: InstructionName): string {
  return [operation, types, place, line].filter((part) => part !== undefined).join('  ')
}

const maxTypesShown = 4

function describeTypes({ inputs, outputs }: Instruction, { values }: Program): string {
  const text = (value: number): string =>
    `${formatType(values[value])}${values[value].strides === undefined ? '' : 'ᵀ'}`
  return `${joinTypes(inputs.map(text))} → ${joinTypes(outputs.map((value) => formatType(values[value])))}`
}

/** Types one after another, equal ones as `3 × f32[8]`. */
function joinTypes(types: readonly string[]): string {
  const runs: { readonly type: string; count: number }[] = []
  for (const type of types) {
    const last = runs.at(-1)
    if (last?.type === type) last.count++
    else runs.push({ type, count: 1 })
  }
  const shown = runs.slice(0, maxTypesShown).map(({ type, count }) => (count === 1 ? type : `${count} × ${type}`))
  return `${shown.join(' · ')}${runs.length > maxTypesShown ? ' · …' : ''}`
}
