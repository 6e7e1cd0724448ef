/** What a training file asks of a table, checked before the table is opened: types are not checked when the file is loaded. */
import { TalwegError } from '../../core/errors.js'
import { nearest } from '../../core/nearest.js'
import type { TableOptions } from '../table.js'

const known: { readonly [K in keyof TableOptions]-?: readonly string[] | null } = {
  target: null,
  features: null,
  exclude: null,
  categorical: null,
  missing: ['error', 'drop', 'mean', 'indicator'],
  missingValues: null,
  maxCategories: null,
  standardize: null,
  standardizeTarget: null,
  intercept: null,
  task: ['auto', 'regression', 'classification'],
  validation: null,
  maxBytesInMemory: null,
  cacheFolder: null,
}

/** @throws UNKNOWN_SETTING naming the nearest known one; INVALID_SETTING */
export function checkTableOptions(options: TableOptions): void {
  const fail = (code: 'UNKNOWN_SETTING' | 'INVALID_SETTING', problem: string, hint?: string): never => {
    throw new TalwegError({ code, operation: 'data.table', problem, hint })
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(known, name)) {
      const near = nearest(name, Object.keys(known))
      fail('UNKNOWN_SETTING', `there is no option "${name}"`, near && `did you mean ${near}`)
    }
    const choices = known[name as keyof TableOptions]
    if (value !== undefined && choices !== null && !choices.includes(value as string))
      fail('INVALID_SETTING', `${name} is ${JSON.stringify(value)}; it takes ${choices.join(', ')}`)
  }
  if (typeof options.target !== 'string' || options.target === '')
    fail('INVALID_SETTING', 'the target is missing', 'name the column that is to be predicted: target')
}
