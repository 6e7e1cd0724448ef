/** A run's text codec, from what its data said of itself. */
import { TalwegError } from '../core/errors.js'
import { restoreTextCodec, type TextCodec } from '../data/index.js'
import type { RunFolder } from '../train/index.js'

/** @throws INVALID_FILE where the run was not trained on text */
export async function textCodecOf(folder: RunFolder): Promise<TextCodec> {
  const { data } = await folder.readDescription()
  try {
    return await restoreTextCodec(data)
  } catch (error) {
    throw error instanceof TalwegError ? error.at({ file: folder.path }) : error
  }
}
