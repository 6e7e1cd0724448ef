/** Where prepared data is kept between runs. Everything in it can be made again, and may be deleted at any time. */
import os from 'node:os'
import path from 'node:path'

/** The option, else `TALWEG_CACHE`, else `talweg` in the user's cache folder (`XDG_CACHE_HOME` or `~/.cache`). */
export function resolveCacheFolder(option: string | undefined): string {
  const { TALWEG_CACHE, XDG_CACHE_HOME } = process.env
  return option ?? TALWEG_CACHE ?? path.join(XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'talweg')
}
