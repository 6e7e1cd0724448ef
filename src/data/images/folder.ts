/** Pictures in folders, one folder a class: which there are, and decoding one with sharp. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import type Sharp from 'sharp'
import { invariant, TalwegError } from '../../core/errors.js'
import { statPath } from '../files.js'

const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.avif', '.tif', '.tiff'])

export interface LabelledImage {
  readonly file: string
  readonly label: number
}

export interface ImageFolder {
  /** Names of the subfolders, sorted: label k is class k. */
  readonly classes: readonly string[]
  /** By class, then by name. */
  readonly images: readonly LabelledImage[]
}

export interface ImageForm {
  readonly height: number
  readonly width: number
  /** 1 grey, 3 colour, 4 colour with transparency. */
  readonly channels: 1 | 3 | 4
}

/** @throws FILE_NOT_FOUND for the folder, INVALID_DATA where it holds no pictures */
export function listImages(folder: string): ImageFolder {
  const invalid = (problem: string, hint: string, file = folder) =>
    new TalwegError({ code: 'INVALID_DATA', operation: 'data.images', problem, hint, place: { file } })
  const layout = 'lay the pictures out as FOLDER/CLASS/PICTURE.png'
  if (!statPath(folder, 'data.images').isDirectory())
    throw invalid('this is a file', 'give the folder that holds a folder for each class')
  const entries = readdirSync(folder, { withFileTypes: true })
  const classes = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
  if (classes.length === 0) throw invalid('there is no folder in it', layout)
  const images = classes.flatMap((name, label) => {
    const files = picturesIn(path.join(folder, name))
    if (files.length === 0) throw invalid('there is no picture in this class', layout, path.join(folder, name))
    return files.map((file) => ({ file, label }))
  })
  return { classes, images }
}

function picturesIn(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => extensions.has(path.extname(name).toLowerCase()))
  return files.sort().map((name) => path.join(folder, name))
}

/** The height, width and channels of a picture. @throws INVALID_DATA naming the file */
export async function imageSize(file: string): Promise<{ height: number; width: number; channels: number }> {
  const sharp = await loadSharp()
  try {
    const { height, width, channels } = await sharp(file).metadata()
    return { height, width, channels }
  } catch (cause) {
    throw undecodable(file, cause)
  }
}

/** Decodes a picture to `u8[height, width, channels]`, scaled to cover that size and cut at the centre. */
export async function decodeImage(file: string, form: ImageForm, into: Uint8Array, offset: number): Promise<void> {
  const sharp = await loadSharp()
  const { height, width, channels } = form
  try {
    let image = sharp(file, { failOn: 'error' }).rotate()
    image = image.resize(width, height, { fit: 'cover' })
    image = channels === 1 ? image.flatten().greyscale() : channels === 3 ? image.flatten() : image.ensureAlpha()
    const pixels = await image
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer()
    invariant(pixels.length === height * width * channels, `${file} decodes to the size that was asked for`)
    into.set(pixels, offset)
  } catch (cause) {
    throw undecodable(file, cause)
  }
}

function undecodable(file: string, cause: unknown): TalwegError {
  if (cause instanceof TalwegError) return cause
  return new TalwegError({
    code: 'INVALID_DATA',
    operation: 'data.images',
    problem: `the picture can't be decoded: ${(cause as Error).message}`,
    hint: 'replace or remove it',
    place: { file },
    cause,
  })
}

/** Loaded when first wanted: its library takes 30 ms, which a run without pictures need not wait for. */
async function loadSharp(): Promise<typeof Sharp> {
  return (await import('sharp')).default
}
