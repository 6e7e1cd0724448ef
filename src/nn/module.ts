/**
 * Modules: classes whose parameters and parts are fields. A parameter's name is its path through the fields,
 * `blocks.0.attention.query.weight`; nothing need be registered.
 */
import { numElements } from '../core/shape.js'
import { Parameter, type AnyParameter } from './parameter.js'

/** What all layers and models extend, so that a walk through fields knows what to enter. */
export abstract class Module {
  /** Every parameter under this module by its path, each once: a tied one goes by the first path that leads to it. */
  namedParameters(): Map<string, AnyParameter> {
    const found = new Map<string, AnyParameter>()
    const seen = new Set<AnyParameter>()
    visit(this, '', (path, parameter) => {
      if (seen.has(parameter)) return
      seen.add(parameter)
      found.set(path, parameter)
    })
    return found
  }

  /** Number of numbers in all trained parameters. */
  get numParameters(): number {
    let count = 0
    for (const { trainable, type } of this.namedParameters().values()) {
      if (trainable) count += numElements(type.shape)
    }
    return count
  }
}

function visit(value: unknown, path: string, found: (path: string, parameter: AnyParameter) => void): void {
  if (value instanceof Parameter) return found(path, value as AnyParameter)
  if (!(value instanceof Module) && !Array.isArray(value)) return
  for (const [key, child] of Object.entries(value)) visit(child, path === '' ? key : `${path}.${key}`, found)
}
