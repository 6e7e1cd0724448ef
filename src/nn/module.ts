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
    visit(this, '', (path, part) => {
      if (!(part instanceof Parameter)) return
      const parameter = part as AnyParameter
      if (seen.has(parameter)) return
      seen.add(parameter)
      found.set(path, parameter)
    })
    return found
  }

  /** This module (by the path '') and every one under it, each once, by the first path that leads to it. */
  namedModules(): Map<string, Module> {
    const found = new Map<string, Module>()
    const seen = new Set<Module>()
    visit(this, '', (path, part) => {
      if (!(part instanceof Module) || seen.has(part)) return
      seen.add(part)
      found.set(path, part)
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

/** Meets the modules and parameters under a value, a module before what is in it. */
function visit(value: unknown, path: string, meet: (path: string, part: Module | Parameter) => void): void {
  if (value instanceof Parameter) return meet(path, value as Parameter)
  if (value instanceof Module) meet(path, value)
  else if (!Array.isArray(value)) return
  for (const [key, child] of Object.entries(value)) visit(child, path === '' ? key : `${path}.${key}`, meet)
}
