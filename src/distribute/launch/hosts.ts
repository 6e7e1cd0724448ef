/**
 * `--hosts FILE`: a host a line, `name` or `name slots=4`, `#` for remarks: what Open MPI's own host files have. Everything that can be known
 * to be wrong before anything starts is told in one message: names that don't resolve, a missing ssh, hosts that don't let
 * us in, that lack the program or have another version of it.
 */
import { lookup } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { TalwegError } from '../../core/errors.js'
import { askProgram, installCommand, isOnPath } from './programs.js'

export interface Host {
  readonly name: string
  readonly slots: number
}

/** @throws FILE_NOT_FOUND, INVALID_FILE naming the line */
export async function readHosts(file: string): Promise<readonly Host[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const problem = `the list of hosts "${file}" can't be read: ${(cause as Error).message}`
    throw new TalwegError({ code: 'FILE_NOT_FOUND', operation: '--hosts', problem, place: { file }, cause })
  })
  const hosts: Host[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const bare = line.replace(/#.*/, '').trim()
    if (bare === '') continue
    const found = /^(\S+?)(?:\s+(?:slots\s*=\s*)?(\d+)|:(\d+))?$/.exec(bare)
    const slots = Number(found?.[2] ?? found?.[3] ?? 1)
    if (found === null || slots < 1) throw invalid(file, index + 1, `"${bare}" is no host; write NAME or NAME slots=N`)
    if (hosts.some(({ name }) => name === found[1])) throw invalid(file, index + 1, `${found[1]} is there twice`)
    hosts.push({ name: found[1], slots })
  }
  if (hosts.length === 0) throw invalid(file, undefined, 'it names no host')
  return hosts
}

function invalid(file: string, line: number | undefined, problem: string): TalwegError {
  return new TalwegError({ code: 'INVALID_FILE', operation: '--hosts', problem, place: { file, line } })
}

/**
 * Whether all hosts can be worked with.
 *
 * @param command how this program is started there
 * @param version that it must have
 * @throws INVALID_SETTING naming each host and what is wrong with it; WORLD_MISMATCH for another version
 */
export async function checkHosts(hosts: readonly Host[], command: readonly string[], version: string): Promise<void> {
  const addresses = await Promise.all(hosts.map(({ name }) => resolve(name)))
  const unknown = hosts.filter((_, index) => addresses[index] === undefined).map(({ name }) => name)
  if (unknown.length > 0) {
    throw refuse(
      `${unknown.join(', ')} ${unknown.length === 1 ? 'does' : 'do'} not resolve to an address`,
      'correct the list, or /etc/hosts',
    )
  }
  const remote = hosts.filter(({ name }, index) => !isThisMachine(name, addresses[index] ?? ''))
  if (remote.length === 0) return
  if (!isOnPath('ssh')) {
    throw refuse(
      `${remote[0].name} is another machine, and there is no ssh to start workers there`,
      installCommand('openssh-client', 'openssh-clients'),
    )
  }
  const answers = await Promise.all(remote.map(({ name }) => askVersion(name, command)))
  for (const [index, answer] of answers.entries()) refuseAnswer(remote[index].name, answer, version)
}

type Answer = Awaited<ReturnType<typeof askProgram>>

function refuseAnswer(name: string, answer: Answer, version: string): void {
  if ('problem' in answer) {
    throw refuse(
      `${name} can't be used: ${answer.problem}`,
      `"ssh ${name}" must work without a password, and Talweg must lie there where it lies here`,
    )
  }
  const there = answer.stdout.trim()
  if (there === version) return
  throw new TalwegError({
    code: 'WORLD_MISMATCH',
    operation: '--hosts',
    problem: `${name} has version ${there} of Talweg, and this is ${version}`,
    hint: 'install the same version on all hosts',
  })
}

const sshOptions = ['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10']

function askVersion(name: string, command: readonly string[]): Promise<Answer> {
  const line = [...command, '--version'].map(quote).join(' ')
  return askProgram('ssh', [...sshOptions, name, line], 20_000)
}

/** For a shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

async function resolve(name: string): Promise<string | undefined> {
  return lookup(name).then(
    ({ address }) => address,
    () => undefined,
  )
}

function isThisMachine(name: string, address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return name === hostname() || address.startsWith('127.') || own.some((each) => each.address === address)
}

function refuse(problem: string, hint: string): TalwegError {
  return new TalwegError({ code: 'INVALID_SETTING', operation: '--hosts', problem, hint })
}
