/** Finding the checkpoint to go on from: the newest whole one, by its sums, with a warning for each that is not. */
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import type { TensorData } from '../../core/shape.js'
import { readText, sumFile } from '../../exchange/disk.js'
import { readSafetensors } from '../../exchange/safetensors/index.js'
import { listCheckpoints, modelFileName, optimizerFileName } from './folder.js'
import { manifestName, parseManifest, type Manifest } from './manifest.js'

export interface LoadedCheckpoint {
  readonly folder: string
  readonly manifest: Manifest
  readonly model: ReadonlyMap<string, TensorData>
  readonly optimizer: ReadonlyMap<string, TensorData>
}

/**
 * The newest whole checkpoint, loaded; undefined where there is none at all.
 *
 * @param warn is told, in a sentence, of each damaged one that is passed over
 * @throws CHECKPOINT_DAMAGED where there are checkpoints and none is whole
 */
export async function loadNewestWhole(
  folder: string,
  warn: (message: string) => void,
): Promise<LoadedCheckpoint | undefined> {
  const entries = await listCheckpoints(folder)
  for (const { folder: candidate, name } of entries.toReversed()) {
    const verified = await verifyCheckpoint(candidate)
    if (!('damage' in verified)) return loadVerified(candidate, verified)
    warn(`checkpoint ${name} is damaged (${verified.damage}): trying the one before`)
  }
  if (entries.length === 0) return undefined
  throw new TalwegError({
    code: 'CHECKPOINT_DAMAGED',
    operation: 'resume',
    problem: `none of the ${entries.length} checkpoints is whole`,
    hint: 'start again under another name with --run',
    place: { file: folder },
  })
}

/**
 * Loads one checkpoint.
 *
 * @param folder a checkpoint's own folder
 * @throws CHECKPOINT_DAMAGED, FILE_NOT_FOUND
 */
export async function loadCheckpoint(folder: string): Promise<LoadedCheckpoint> {
  const verified = await verifyCheckpoint(folder)
  if (!('damage' in verified)) return loadVerified(folder, verified)
  throw new TalwegError({
    code: 'CHECKPOINT_DAMAGED',
    operation: 'checkpoint',
    problem: verified.damage,
    place: { file: folder },
  })
}

async function loadVerified(folder: string, manifest: Manifest): Promise<LoadedCheckpoint> {
  const [model, optimizer] = await Promise.all([
    readSafetensors(path.join(folder, modelFileName)),
    readSafetensors(path.join(folder, optimizerFileName)),
  ])
  return { folder, manifest, model, optimizer }
}

/** The manifest of a checkpoint whose every file has its sum, or in words what is wrong. */
export async function verifyCheckpoint(folder: string): Promise<Manifest | { readonly damage: string }> {
  const text = await readText(path.join(folder, manifestName))
  if (text === undefined) return { damage: `there is no ${manifestName}` }
  const manifest = parseManifest(text)
  if ('damage' in manifest) return manifest
  for (const name of [modelFileName, optimizerFileName]) {
    const wanted = manifest.files[name]
    if (wanted === undefined) return { damage: `${manifestName} does not list ${name}` }
    const found = await sumFile(path.join(folder, name))
    if (found === undefined) return { damage: `${name} can't be read` }
    if (found.sizeBytes !== wanted.sizeBytes)
      return { damage: `${name} has ${found.sizeBytes} bytes instead of ${wanted.sizeBytes}` }
    if (found.sha256 !== wanted.sha256) return { damage: `${name}: its SHA-256 is not the one in ${manifestName}` }
  }
  return manifest
}
