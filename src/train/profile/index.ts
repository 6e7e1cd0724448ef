/** Profiles: where the time of a step goes, by instruction. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { TalwegError } from '../../core/errors.js'
import type { Engine, EngineProfiling } from '../../engine/engine.js'
import { orDiskFull } from '../../exchange/disk.js'
import type { TrainingSession } from '../session.js'
import { makeProfile, type Profile } from './profile.js'
import type { Profiler } from './profiler.js'
import { makeTrace } from './trace.js'

export { formatName } from './names.js'
export type { Measure, Profile, ProfiledGroup, ProfiledInstruction } from './profile.js'
export { Profiler } from './profiler.js'

/** @throws UNSUPPORTED_BY_ENGINE where the engine can't time its instructions */
export function checkProfiling({ name, profiling }: Engine): EngineProfiling {
  if (profiling !== undefined) return profiling
  throw new TalwegError({
    code: 'UNSUPPORTED_BY_ENGINE',
    operation: 'profile',
    problem: `the ${name} engine compiles many instructions into one function and can't time them one by one`,
    hint: 'use --engine native, or train without --profile',
  })
}

/**
 * The profile of what the profiler has seen, written to `profile.json` and `trace.json` in the run's folder.
 *
 * @param stepsBefore steps of the training before the first call
 */
export async function writeProfile(
  profiler: Profiler,
  session: TrainingSession,
  folder: string,
  stepsBefore: number,
): Promise<Profile> {
  const { engine, settings } = session.prepared
  const profile = makeProfile(profiler, { engine: engine.description, precision: settings.precision })
  const write = (name: string, content: unknown): Promise<void> => {
    const file = path.join(folder, name)
    return orDiskFull(file, () => writeFile(file, `${JSON.stringify(content)}\n`))
  }
  await write('profile.json', profile)
  await write('trace.json', makeTrace(profiler.traced, profile, stepsBefore))
  return profile
}
