/** The check of options that are one of a few names, which JavaScript and JSON don't hold to their types. */
import { TalwegError } from '../../core/errors.js'
import { currentPlace } from '../../graph/location.js'

/** @throws INVALID_SETTING naming the option and what it may be */
export function checkChoices(
  operation: string,
  options: Readonly<Record<string, readonly [value: string, names: readonly string[]]>>,
): void {
  for (const [name, [value, names]] of Object.entries(options)) {
    if (names.includes(value)) continue
    throw new TalwegError({
      code: 'INVALID_SETTING',
      operation,
      problem: `${name} is ${JSON.stringify(value)}; it takes ${names.map((choice) => `'${choice}'`).join(' or ')}`,
      place: currentPlace(),
    })
  }
}
