/** Programs that are not ours: finding them, asking for their version, saying how they are installed here. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

export function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .some((folder) => folder !== '' && existsSync(path.join(folder, program)))
}

/** The command that installs packages here, by Debian's names and by Fedora's. */
export function installCommand(debian: string, fedora: string): string {
  const asRoot = process.getuid?.() === 0 ? '' : 'sudo '
  return isOnPath('dnf') && !isOnPath('apt-get')
    ? `${asRoot}dnf install -y ${fedora}`
    : `${asRoot}apt-get install -y ${debian}`
}

export interface ProgramFailure {
  readonly isMissing: boolean
  readonly problem: string
}

/** What a program prints, or why it doesn't. */
export async function askProgram(
  program: string,
  args: readonly string[],
  timeoutMs = 10_000,
  input = '',
): Promise<{ readonly stdout: string } | ProgramFailure> {
  try {
    const answer = promisify(execFile)(program, args, { timeout: timeoutMs })
    answer.child.stdin?.on('error', () => undefined).end(input)
    return await answer
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const { stderr } = error as { stderr?: string }
    const said = stderr?.trim() === '' || stderr === undefined ? (error as Error).message : stderr.trim()
    const problem = isMissing ? `there is no ${program} on the PATH` : `${program} fails: ${said.split('\n')[0]}`
    return { isMissing, problem }
  }
}
