/** A fitted model as a file: JSON with the design that its table was prepared by and its weights in the table's own units. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import * as z from 'zod'
import { TalwegError } from '../../core/errors.js'
import { restoreTableDesign, type JsonValue } from '../../data/index.js'
import { parseJson } from '../../exchange/disk.js'
import type { FittedModel } from './fit.js'
import { modelKinds } from './model.js'

const format = 'talweg-fit'

const fileSchema = z.object({
  format: z.literal(format),
  version: z.literal(1),
  kind: z.enum(modelKinds),
  design: z.record(z.string(), z.unknown()),
  weights: z.record(z.string(), z.array(z.number())),
  intercept: z.array(z.number()),
})

/** Written beside, then renamed: there is never half a model. @throws DISK_FULL, INVALID_SETTING */
export async function saveModel(file: string, { kind, design, weights, intercept }: FittedModel): Promise<void> {
  await writeWhole(
    file,
    `${JSON.stringify({ format, version: 1, kind, design, weights, intercept }, null, 2)}\n`,
    '--save',
  )
}

export async function writeWhole(file: string, text: string, operation: string): Promise<void> {
  const beside = `${file}.${process.pid}.partial`
  try {
    await writeFile(beside, text)
    await rename(beside, file)
  } catch (cause) {
    await rm(beside, { force: true })
    throw writingFailed(file, cause as NodeJS.ErrnoException, operation)
  }
}

export function writingFailed(file: string, cause: NodeJS.ErrnoException, operation: string): TalwegError {
  const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT'
  return new TalwegError({
    code: isFull ? 'DISK_FULL' : 'INVALID_SETTING',
    operation,
    problem: isFull ? 'the disk is full' : `the file can't be written (${cause.code ?? cause.message})`,
    hint: isFull ? 'make room, or write elsewhere' : 'give a path in a folder that exists and may be written to',
    place: { file },
    cause,
  })
}

/** @throws FILE_NOT_FOUND, INVALID_FILE */
export async function loadModel(file: string): Promise<FittedModel> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new TalwegError({
      code: 'FILE_NOT_FOUND',
      operation: 'predict',
      problem: cause.code === 'ENOENT' ? `there is no file "${file}"` : `"${file}" can't be read (${cause.code})`,
      hint: 'give a model saved by talweg fit --save FILE',
      place: { file },
    })
  })
  const parsed = fileSchema.safeParse(parseJson(text))
  if (!parsed.success) throw noModel(file, 'it is no model saved by talweg fit')
  const { kind, weights, intercept } = parsed.data
  const design = restoreTableDesign({ design: parsed.data.design as JsonValue })
  const missing = design.features.find(({ name }) => weights[name]?.length !== intercept.length)
  if (missing !== undefined) throw noModel(file, `it has no weight for "${missing.name}", a feature of its table`)
  return { kind, design, weights, intercept }
}

function noModel(file: string, problem: string): TalwegError {
  const hint = 'give a model saved by talweg fit --save FILE'
  return new TalwegError({ code: 'INVALID_FILE', operation: 'predict', problem, hint, place: { file } })
}
