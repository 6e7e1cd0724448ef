/** "Did you mean": the known word that is nearest to an unknown one. */
import leven from 'leven'

/** The nearest of `known`, or undefined where none is near enough to be meant. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const fold = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, '')
  let best: { readonly candidate: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const distance = leven(fold(word), fold(candidate))
    if (best === undefined || distance < best.distance) best = { candidate, distance }
  }
  if (best === undefined || best.distance > Math.max(2, Math.ceil(word.length * 0.4))) return undefined
  // A word all of whose letters would have to be others is not the same word misspelt.
  return best.distance < fold(word).length || best.distance === 0 ? best.candidate : undefined
}
