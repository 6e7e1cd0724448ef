/** What is given to mpirun and read from it, and the list of hosts. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { checkHosts, readHosts } from '../../src/distribute/index.js'
import { readDeath, readPrintedLine } from '../../src/distribute/launch/mpirun.js'
import { temporaryFolder, writeFiles } from '../support/folder.js'

const folder = temporaryFolder('hosts')

test("lines of workers are told from mpirun's own, and have no tag left inside", () => {
  assert.deepEqual(readPrintedLine('[29413,1]<stderr>:half[29413,1]<stderr>: rest\r'), { rank: 1, text: 'half rest' }) // prettier-ignore
  assert.deepEqual(readPrintedLine('[1,0]<stdout>:text'), { rank: 0, text: 'text' })
  assert.deepEqual(readPrintedLine('mpirun noticed something'), { rank: undefined, text: 'mpirun noticed something' })
})

test('which worker a signal ended is read from what mpirun prints', () => {
  const text = 'mpirun noticed that process rank 1 with PID 0 on node vm\nexited on signal 9 (Killed).'
  assert.deepEqual(readDeath(text), { rank: 1, host: 'vm', signal: 9 })
  assert.equal(readDeath('Primary job  terminated normally'), undefined)
})

test('a list of hosts is read, with slots and remarks', async () => {
  writeFiles(folder, { good: '# all\na\nb slots=4  # the large one\nc:2\n\nd 3\n' })
  const hosts = await readHosts(path.join(folder, 'good'))
  assert.deepEqual(hosts.map(({ name, slots }) => `${name} ${slots}`), ['a 1', 'b 4', 'c 2', 'd 3']) // prettier-ignore
})

test('a bad list of hosts is refused, naming the line', async () => {
  writeFiles(folder, { empty: '# nobody\n', twice: 'a\na\n', odd: 'a\nb and c\n' })
  const refused = (name: string, message: RegExp): Promise<void> =>
    assert.rejects(readHosts(path.join(folder, name)), { message })
  await refused('empty', /it names no host/)
  await refused('twice', /a is there twice\. At .*twice:2$/)
  await refused('odd', /"b and c" is no host.*:2$/)
  await refused('missing', /can't be read/)
})

test('hosts whose names do not resolve are refused together, by name', async () => {
  const hosts = ['one.invalid', 'localhost', 'two.invalid'].map((name) => ({ name, slots: 1 }))
  await assert.rejects(checkHosts(hosts, ['true'], '1'), {
    code: 'INVALID_SETTING',
    message: /one\.invalid, two\.invalid do not resolve to an address/,
  })
})
