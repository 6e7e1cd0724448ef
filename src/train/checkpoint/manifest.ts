/**
 * `manifest.json`: what a checkpoint is of, and the sum of each of its files. It has nothing in it that differs between
 * two runs of the same training (no time, no machine), so that whole checkpoints can be compared byte by byte.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'

const jsonSchema: z.ZodType<JsonValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(jsonSchema), z.record(z.string(), jsonSchema)]),
)
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }

const sumSchema = z.strictObject({
  sizeBytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

const manifestSchema = z.strictObject({
  format: z.literal('talweg-checkpoint'),
  version: z.literal(1),
  /** Steps done. */
  step: z.number().int().nonnegative(),
  /** Samples seen: the global position in the data from which to go on. */
  samples: z.number().int().nonnegative(),
  seed: z.number().int().nonnegative(),
  dataFingerprint: z.string(),
  /** The settings that the run was resolved to. */
  settings: z.record(z.string(), jsonSchema),
  /** What the loop remembers between steps: the best validation loss, for how long nothing was better. */
  progress: z.record(z.string(), jsonSchema),
  files: z.record(z.string(), sumSchema),
})
export type Manifest = z.infer<typeof manifestSchema>

export const manifestName = 'manifest.json'

/** The manifest's text, with a sum over itself: a flipped digit in `step` must not go unseen. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, sha256: sumOf(manifest) }, undefined, 2)}\n`
}

/** The manifest, or in words what is wrong with it. */
export function parseManifest(text: string): Manifest | { readonly damage: string } {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return { damage: `${manifestName} is not JSON` }
  }
  const { sha256, ...rest } = Object(parsed) as Record<string, unknown>
  const result = manifestSchema.safeParse(rest)
  if (!result.success) {
    const [issue] = result.error.issues
    return { damage: `${manifestName} is not a manifest: ${issue.path.join('.') || 'it'}: ${issue.message}` }
  }
  if (sha256 !== sumOf(rest)) return { damage: `${manifestName} has been changed: its sum differs` }
  return result.data
}

function sumOf(manifest: object): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex')
}
