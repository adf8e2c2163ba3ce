/** The disk on real files: writes of any shape, errors by their kind, and a lock that dies with its process. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { DataDirectoryError, DataDirectoryLockedError } from '@kaska/protocol'
import { DiskError } from '../log/disk.ts'
import { openNodeDisk } from './node-disk.ts'

async function temporaryDirectory() {
  const root = await fs.mkdtemp(path.join(os.tmpdir(), 'kaska-disk-'))
  return { root, [Symbol.asyncDispose]: () => fs.rm(root, { recursive: true, force: true }) }
}

for (const writes of ['adaptive', 'synchronous', 'threads'] as const) {
  test(`writes of 1, 3 and 5,000 views land where they should (${writes})`, async () => {
    await using temporary = await temporaryDirectory()
    const disk = await openNodeDisk(temporary.root, { writes })
    await disk.makeDirectory('a/b')
    const file = await disk.open('a/b/file', { create: true })
    let position = 0
    const written: Uint8Array[] = []
    for (const count of [1, 3, 5000, 1024, 1025]) {
      const views = Array.from({ length: count }, (_, index) =>
        new Uint8Array(index % 7).fill(index % 251),
      )
      await file.write(position, views)
      for (const view of views) position += view.length
      written.push(...views)
    }
    const expected = Buffer.concat(written)
    assert.equal(await file.size(), expected.length)
    const into = new Uint8Array(expected.length + 10)
    assert.equal(await file.read(0, into), expected.length)
    assert.ok(expected.equals(into.subarray(0, expected.length)))
    assert.equal(await file.read(expected.length - 3, into), 3)
    assert.equal(await file.read(expected.length + 3, into), 0)
    await file.sync()
    await file.truncate(10)
    await file.truncate(20)
    assert.equal(await file.size(), 10)
    await file.write(4, [new Uint8Array([1, 2]), new Uint8Array([3])])
    assert.equal(await file.read(4, into.subarray(0, 3)), 3)
    assert.deepEqual([...into.subarray(0, 3)], [1, 2, 3])
    await disk.syncDirectory('a/b')
    await file.close()
  })
}

test('directories and names', async () => {
  await using temporary = await temporaryDirectory()
  const disk = await openNodeDisk(path.join(temporary.root, 'made', 'here'))
  assert.deepEqual(await disk.list(''), [])
  assert.deepEqual(await disk.list('missing'), [])
  await disk.makeDirectory('x/y')
  await disk.makeDirectory('x/y')
  const file = await disk.open('x/one', { create: true })
  const sorted = async (name: string) =>
    (await disk.list(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
  assert.deepEqual(await sorted('x'), [
    { name: 'one', isDirectory: false },
    { name: 'y', isDirectory: true },
  ])
  await (await disk.open('x/two', { create: true })).close()
  await disk.rename('x/one', 'x/two')
  // What is removed can still be read by whoever has it open.
  await file.write(0, [new Uint8Array([5])])
  await disk.remove('x')
  await disk.remove('x')
  const into = new Uint8Array(1)
  assert.equal(await file.read(0, into), 1)
  await file.close()
  assert.deepEqual(await disk.list(''), [])
  assert.ok((await disk.freeBytes()) > 0)
  assert.ok((disk.bootId ?? '').length > 0)
  assert.equal(disk.bootId, (await openNodeDisk(temporary.root)).bootId)
})

const hasStrace = spawnSync('strace', ['-V']).status === 0

test('a directory that is made is there after a power failure', {
  skip: !hasStrace && 'the system calls cannot be seen: there is no strace here',
}, async () => {
  await using temporary = await temporaryDirectory()
  const { root } = temporary
  const trace = path.join(root, 'trace')
  const made = path.join(root, 'made', 'here')
  const program = `
    import { openNodeDisk } from ${JSON.stringify(new URL('./node-disk.ts', import.meta.url).href)}
    await openNodeDisk(${JSON.stringify(made)})`
  const node = [process.execPath, '--conditions=source', '--input-type=module', '-e', program]
  // With -y a file descriptor is shown with its path.
  const { status, stderr } = spawnSync('strace', ['-f', '-y', '-e', 'fsync', '-o', trace, ...node])
  assert.equal(status, 0, String(stderr))
  const calls = await fs.readFile(trace, 'utf8')
  for (const parent of [root, path.join(root, 'made')]) {
    assert.ok(calls.includes(`<${parent}>`), `${parent} was not synced: ${calls}`)
  }
})

test('errors by their kind', async () => {
  await using temporary = await temporaryDirectory()
  const disk = await openNodeDisk(temporary.root)
  const isKind = (kind: string) => (error: unknown) =>
    error instanceof DiskError && error.kind === kind && error.cause instanceof Error
  await assert.rejects(disk.open('missing'), isKind('missing'))
  await assert.rejects(disk.rename('missing', 'other'), isKind('missing'))
  await disk.makeDirectory('directory')
  await assert.rejects(disk.open('directory'), isKind('failed'))
  await fs.writeFile(path.join(temporary.root, 'file'), 'x')
  await assert.rejects(openNodeDisk(path.join(temporary.root, 'file')), DataDirectoryError)
  await fs.writeFile(path.join(temporary.root, 'lock'), 'this is not a database, it is a text')
  await assert.rejects(disk.lock(), DataDirectoryError)
})

test('a full disk is told as such', { skip: process.platform !== 'linux' }, async () => {
  // Every write to this device finds no space.
  const disk = await openNodeDisk('/dev')
  const file = await disk.open('full')
  for (const _ of [1, 2]) {
    await assert.rejects(
      async () => file.write(0, [new Uint8Array(10), new Uint8Array(10)]),
      (error: unknown) => error instanceof DiskError && error.kind === 'full',
    )
  }
  await file.close()
})

/** A process that holds the lock until it is killed. */
async function lockedBy(root: string) {
  const program = `
    import { openNodeDisk } from ${JSON.stringify(new URL('./node-disk.ts', import.meta.url).href)}
    const disk = await openNodeDisk(${JSON.stringify(root)})
    await disk.lock()
    console.log('locked')
    setInterval(() => {}, 1000)`
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--input-type=module', '-e', program],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let stderr = ''
  child.stderr.on('data', (data) => (stderr += data))
  const [line] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  assert.match(String(line), /locked/, stderr)
  return { child, said: () => stderr }
}

test('one process has the lock, and it dies with that process', async () => {
  await using temporary = await temporaryDirectory()
  const disk = await openNodeDisk(temporary.root)
  const { child, said } = await lockedBy(temporary.root)
  await assert.rejects(disk.lock(), DataDirectoryLockedError)
  // Whatever is done to the file's time or content from outside does not open it.
  await assert.rejects(disk.lock(), DataDirectoryLockedError)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(said(), '', 'no warning')
  const lock = await disk.lock()
  // Two brokers in one process keep each other out as well.
  const other = await openNodeDisk(temporary.root)
  await assert.rejects(other.lock(), DataDirectoryLockedError)
  await lock.release()
  await (await other.lock()).release()
})
