/**
 * The folder of a run's checkpoints: which there are, how one appears (whole, by a rename) and how old ones go (out of
 * sight by a rename first, so that no reader meets half of one).
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import {
  flushFile,
  isSystemError,
  orDiskFull,
  readText,
  replaceFile,
  syncFolder,
  writeSummed,
  type FileSum,
} from '../../exchange/disk.js'
import { writeSafetensorsUnflushed, type OutgoingTensor } from '../../exchange/safetensors/index.js'
import { formatManifest, manifestName, type JsonValue, type Manifest } from './manifest.js'

export const modelFileName = 'model.safetensors'
export const optimizerFileName = 'optimizer.safetensors'
/** Names the newest checkpoint, in one line of text. */
export const latestName = 'latest'

/** All that a checkpoint keeps. */
export interface Snapshot {
  readonly step: number
  readonly samples: number
  readonly seed: number
  readonly dataFingerprint: string
  readonly settings: { readonly [key: string]: JsonValue }
  readonly progress: { readonly [key: string]: JsonValue }
  readonly model: readonly OutgoingTensor[]
  readonly optimizer: readonly OutgoingTensor[]
}

const namePattern = /^step-(\d{8,})$/
const temporaryPattern = /^\.step-\d+\.(writing|removed)-/

export function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`
}

export interface CheckpointEntry {
  readonly step: number
  readonly name: string
  readonly folder: string
}

/** The checkpoints of a folder, oldest first; none where there is no folder. */
export async function listCheckpoints(folder: string): Promise<CheckpointEntry[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  })
  return names
    .map((name) => ({ name, step: Number(namePattern.exec(name)?.[1]), folder: path.join(folder, name) }))
    .filter(({ step }) => Number.isInteger(step))
    .toSorted((a, b) => a.step - b.step)
}

/** Removes what a process that was killed while writing or removing has left. Only for the holder of the run's lock. */
export async function removeTemporaries(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    if (temporaryPattern.test(name) || /^\.latest\.\d+\.tmp$/.test(name))
      await rm(path.join(folder, name), { recursive: true, force: true })
  }
}

/**
 * Writes a checkpoint: beside, flushed, renamed. At every moment the folder holds whole checkpoints only.
 *
 * @param keep how many of the newest to keep
 * @param taken called once the system has all tensors: from then on they may change, while they are brought to the disk
 * @returns the checkpoint's own folder
 * @throws DISK_FULL; the checkpoints that were there are still there, and what was written of this one is gone
 */
export async function writeCheckpoint(
  folder: string,
  snapshot: Snapshot,
  keep: number,
  taken: () => void = () => undefined,
): Promise<string> {
  const name = checkpointName(snapshot.step)
  const target = path.join(folder, name)
  const beside = path.join(folder, `.${name}.writing-${process.pid}`)
  await orDiskFull(target, () => mkdir(beside, { recursive: true }))
  try {
    await writeFiles(beside, snapshot, taken)
    await orDiskFull(target, () => putInPlace(folder, beside, target))
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    throw error
  }
  await replaceFile(path.join(folder, latestName), `${name}\n`)
  await removeOld(folder, keep)
  return target
}

async function writeFiles(folder: string, { model, optimizer, ...rest }: Snapshot, taken: () => void): Promise<void> {
  const files: Record<string, FileSum> = {
    [modelFileName]: await writeSafetensorsUnflushed(path.join(folder, modelFileName), model),
    [optimizerFileName]: await writeSafetensorsUnflushed(path.join(folder, optimizerFileName), optimizer),
  }
  taken()
  for (const name of Object.keys(files)) await flushFile(path.join(folder, name))
  const manifest: Manifest = { format: 'talweg-checkpoint', version: 1, ...rest, files }
  await writeSummed(path.join(folder, manifestName), [new TextEncoder().encode(formatManifest(manifest))])
  await orDiskFull(folder, () => syncFolder(folder))
}

/** A checkpoint of the same step can only be one that resuming has found damaged: it goes. */
async function putInPlace(folder: string, beside: string, target: string): Promise<void> {
  await hide(target)
  await rename(beside, target)
  await syncFolder(folder)
}

/** Takes a checkpoint out of sight and removes it. */
async function hide(target: string): Promise<void> {
  const hidden = path.join(path.dirname(target), `.${path.basename(target)}.removed-${process.pid}`)
  try {
    await rename(target, hidden)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return
    throw error
  }
  await rm(hidden, { recursive: true, force: true })
}

async function removeOld(folder: string, keep: number): Promise<void> {
  const old = (await listCheckpoints(folder)).slice(0, -keep)
  for (const { folder: target } of old) await hide(target)
}

/** The folder of the checkpoint that `latest` names, or undefined. */
export async function latestCheckpoint(folder: string): Promise<string | undefined> {
  const name = (await readText(path.join(folder, latestName)))?.trim()
  return name !== undefined && namePattern.test(name) ? path.join(folder, name) : undefined
}
