/** Choosing parameters and layers of a model by their paths. */
import { TalwegError } from '../../core/errors.js'
import { currentPlace } from '../../graph/location.js'

/**
 * A path, such as `blocks.0.attention.query.weight`, in which `*` stands for any part between two dots and `**` for any parts;
 * or a regular expression that some of the path is to match; or a function of the path; or several, of which one is to hold.
 */
export type PathPattern = string | RegExp | ((path: string) => boolean) | readonly PathPattern[]

export function matches(pattern: PathPattern, path: string): boolean {
  if (typeof pattern === 'function') return pattern(path)
  if (typeof pattern === 'string') return expressionOf(pattern).test(path)
  return pattern instanceof RegExp ? path.search(pattern) >= 0 : pattern.some((one) => matches(one, path))
}

function expressionOf(glob: string): RegExp {
  const escaped = glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/\*\*|\*/g, (stars) => (stars === '*' ? '[^.]*' : '.*'))}$`)
}

/** What a pattern chooses of some paths. @throws INVALID_SETTING where that is nothing */
export function chosenBy(operation: string, pattern: PathPattern, what: string, paths: readonly string[]): string[] {
  const chosen = paths.filter((path) => matches(pattern, path))
  if (chosen.length > 0) return chosen
  throw new TalwegError({
    code: 'INVALID_SETTING',
    operation,
    problem: `no ${what} matches ${describe(pattern)}`,
    hint: `paths are such as ${paths.slice(0, 3).join(', ')}; * stands for one part of a path, ** for several`,
    place: currentPlace(),
  })
}

function describe(pattern: PathPattern): string {
  if (typeof pattern === 'function') return 'the function given'
  return pattern instanceof RegExp ? String(pattern) : JSON.stringify(pattern)
}
