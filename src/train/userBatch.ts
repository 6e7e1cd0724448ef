/**
 * A batch as the functions of a training file are given it: asking for a tensor that it has not is an error that names
 * those that it has, where JavaScript would give `undefined` and something would fail later.
 */
import { TalwegError } from '../core/errors.js'
import { nearest } from '../core/nearest.js'
import { currentPlace } from '../graph/location.js'
import type { AnyTensor } from '../graph/index.js'

/** What JavaScript itself asks any object for. */
const askedByLanguage = new Set(['then', 'toJSON', ...Object.getOwnPropertyNames(Object.prototype)])

export function userBatch(tensors: Readonly<Record<string, AnyTensor>>): never {
  return new Proxy(tensors, {
    get: (target, name) => {
      if (typeof name === 'symbol' || Object.hasOwn(target, name) || askedByLanguage.has(name))
        return Reflect.get(target, name) as unknown
      const names = Object.keys(target)
      const near = nearest(name, names)
      throw new TalwegError({
        code: 'INVALID_TRAINING',
        operation: 'batch',
        problem: `there is no tensor "${name}" in a batch, which has ${names.join(', ')}`,
        hint: near === undefined ? undefined : `did you mean ${near}`,
        place: currentPlace(),
      })
    },
  }) as never
}
