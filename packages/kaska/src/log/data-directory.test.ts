/** The data directory: its identity, its lock, its format, and what stays open. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClosedError, DataDirectoryError, DataDirectoryLockedError } from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import { batchOf, MortalDisk, openDirectory, readAll, testConfig } from '../../test/log-harness.ts'
import { MemoryDisk } from './memory-disk.ts'
import type { PartitionLog } from './partition-log.ts'

const json = (disk: SimulatedDisk) =>
  JSON.parse(new TextDecoder().decode(disk.contentOf('kaska.json'))) as Record<string, unknown>

test('the identity stays, the leader epoch rises with every start', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  let clusterId = ''
  for (let start = 0; start < 4; start++) {
    const process = new MortalDisk(disk)
    const { directory } = await openDirectory(process, { random: new SeededRandom(start) })
    assert.equal(directory.shared.leaderEpoch, start)
    assert.match(directory.clusterId, /^[\w-]{22}$/)
    if (start > 0) assert.equal(directory.clusterId, clusterId)
    clusterId = directory.clusterId
    process.die()
    if (start % 2 === 0) disk.crash()
    else disk.kill()
  }
})

test('a second broker is kept out; a newer, a damaged and a foreign directory are refused', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk)
  await assert.rejects(openDirectory(disk), DataDirectoryLockedError)
  await directory.close()
  const sound = disk.contentOf('kaska.json')
  disk.damage('kaska.json', () =>
    new TextEncoder().encode(JSON.stringify({ ...json(disk), format: 2 })),
  )
  await assert.rejects(openDirectory(disk), /format 2, this version of Kaska knows 1/)
  for (const text of ['', '{', '{}', '[]', 'null', '{"format":1,"clusterId":5}']) {
    disk.damage('kaska.json', () => new TextEncoder().encode(text))
    await assert.rejects(openDirectory(disk), DataDirectoryError, text)
  }
  await disk.remove('kaska.json')
  await assert.rejects(openDirectory(disk), /there is data but no kaska.json/)
  const file = await disk.open('kaska.json', { create: true })
  await file.write(0, [sound])
  // The lock was given back each time.
  await (await openDirectory(disk)).directory.close()
})

test('open files are bounded by the cache, not by the partitions', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  let open = 0
  let most = 0
  const { open: openFile } = disk
  disk.open = async (path, options) => {
    const file = await openFile.call(disk, path, options)
    most = Math.max(most, ++open)
    return { ...file, close: async () => void open-- }
  }
  const { directory } = await openDirectory(disk, { openFilesMax: 10 })
  const logs: PartitionLog[] = []
  for (let index = 0; index < 60; index++) {
    logs.push(await directory.openPartition(`${index}-0`, testConfig))
  }
  for (let round = 0; round < 3; round++) {
    for (const [index, log] of logs.entries()) {
      await log.append(batchOf([`${index}.${round}`])).acknowledged
    }
  }
  for (const [index, log] of logs.entries())
    assert.equal((await readAll(log)).length, 3, `${index}`)
  assert.ok(most < 20, `${most} files`)
  await directory.close()
  assert.equal(open, 0)
})

test('a deleted partition is gone at once; its readers finish', async () => {
  for (const disk of [new SimulatedDisk(new SeededRandom(1)), new MemoryDisk()]) {
    const process = new MortalDisk(disk, { pause: () => new Promise(setImmediate) })
    const { directory } = await openDirectory(process, { syncMode: 'os' })
    const log = await directory.openPartition('t-0', testConfig)
    for (let index = 0; index < 5; index++) await log.append(batchOf([`${index}`])).acknowledged
    let wakes = 0
    log.onAdvance(() => wakes++)
    const waiting = log.append(batchOf(['waits']))
    const tail = log.read(0, 1000)
    assert.ok(!(tail instanceof Promise))
    const deleted = log.delete()
    await assert.rejects(waiting.acknowledged, ClosedError)
    await deleted
    assert.ok(wakes > 0)
    assert.equal(tail.batches.length, 5)
    tail.release()
    assert.throws(() => log.append(batchOf(['late'])), ClosedError)
    assert.throws(() => log.read(0, 10), ClosedError)
    assert.deepEqual(await directory.partitions(), [])
    assert.equal(directory.shared.budget.used, 0)
    const again = await directory.openPartition('t-0', testConfig)
    assert.equal(again.endOffset, 0)
    await directory.close()
  }
})

test('a memory disk keeps the views that it is given, and is full at its limit', async () => {
  const disk = new MemoryDisk({ bytesMax: 1000 })
  const file = await disk.open('a', { create: true })
  const chunk = new Uint8Array([1, 2, 3])
  assert.equal(file.write(0, [chunk, chunk]), undefined)
  chunk[0] = 9
  const into = new Uint8Array(10)
  assert.equal(await file.read(1, into), 5)
  assert.deepEqual([...into.subarray(0, 5)], [2, 3, 9, 2, 3])
  await assert.rejects(async () => file.write(6, [new Uint8Array(995)]), { kind: 'full' })
  await file.truncate(4)
  await file.write(2, [new Uint8Array([7])])
  assert.equal(await file.read(0, into), 4)
  assert.deepEqual([...into.subarray(0, 4)], [9, 2, 7, 9])
  await disk.rename('a', 'b')
  assert.equal(await disk.freeBytes(), 996)
  await disk.remove('b')
  assert.equal(await disk.freeBytes(), 1000)
  assert.equal(await file.read(0, into), 4)
  await assert.rejects(disk.open('b'), { kind: 'missing' })
})
