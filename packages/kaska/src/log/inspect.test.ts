/** What stands behind `kaska log dump`, `verify` and `repair`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataDirectoryLockedError } from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import {
  batchOf,
  MortalDisk,
  openDirectory,
  readAll,
  TestClock,
  testConfig,
  testCrc,
} from '../../test/log-harness.ts'
import { type DumpedBatch, dumpLogs, repairLogs, verifyLogs } from './inspect.ts'

const segment = 'topics/t-0/00000000000000000000.log'

async function written(end: 'close' | 'kill' = 'close') {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const process = new MortalDisk(disk)
  const { directory } = await openDirectory(process)
  const config = { ...testConfig, segmentBytes: 1500 }
  for (const id of ['t-0', 'u-0']) {
    const log = await directory.openPartition(id, config)
    for (let index = 0; index < 6; index++) {
      const producer = [8, 1, index * 2] as const
      const values = [`${id} ${index}`, 'x'.repeat(400)]
      await log.append(batchOf(values, { producer, timestamp: 1000 + index })).acknowledged
    }
  }
  const state = { apply() {}, entries: () => [] }
  const log = await directory.openState('names', state)
  await log.append([[new Uint8Array(3)]]).acknowledged
  if (end === 'close') await directory.close()
  process.die()
  disk.kill()
  return { disk, options: { disk, clock: new TestClock(), crc32c: testCrc } }
}

async function collect(batches: AsyncIterable<DumpedBatch>): Promise<DumpedBatch[]> {
  const all: DumpedBatch[] = []
  for await (const batch of batches) all.push(batch)
  return all
}

test('dump tells every batch, where it lies and what it says', async () => {
  const { options, disk } = await written()
  const all = await collect(dumpLogs(options))
  assert.equal(all.length, 13)
  const batches = await collect(dumpLogs(options, 't-0'))
  assert.deepEqual(
    batches.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset]),
    [0, 2, 4, 6, 8, 10].map((offset) => [offset, offset + 1]),
  )
  const [first, second] = batches as [DumpedBatch, DumpedBatch]
  assert.deepEqual(first, {
    directory: 'topics/t-0',
    path: segment,
    position: 0,
    bytes: second.position,
    baseOffset: 0,
    lastOffset: 1,
    recordCount: 2,
    leaderEpoch: 0,
    crcIsValid: true,
    baseTimestamp: 1000,
    maxTimestamp: 1000,
    compression: 0,
    isStampedAtAppend: false,
    isTransactional: false,
    isControl: false,
    producerId: 8,
    producerEpoch: 1,
    baseSequence: 0,
  })
  assert.ok(new Set(batches.map(({ path }) => path)).size > 1)
  disk.damage(segment, (bytes) => bytes.map((byte, at) => (at === second.position + 70 ? 1 : byte)))
  const damaged = await collect(dumpLogs(options, 't-0'))
  assert.deepEqual(
    damaged.map(({ crcIsValid }) => crcIsValid),
    [true, false, true, true, true, true],
  )
  // Whoever stops early gives the lock back.
  for await (const _ of dumpLogs(options)) break
  await (await disk.lock()).release()
})

test('verify finds nothing in a sound directory, and each kind of damage', async () => {
  const { options, disk } = await written()
  assert.deepEqual(await verifyLogs(options), [])
  const sound = disk.contentOf(segment)
  disk.damage(segment, (bytes) => bytes.map((byte, at) => (at === 100 ? byte ^ 1 : byte)))
  const [damage, ...none] = await verifyLogs(options)
  assert.deepEqual(none, [])
  assert.deepEqual(damage, {
    directory: 'topics/t-0',
    path: segment,
    position: 0,
    offset: 0,
    kind: 'damage',
    reason: 'its CRC is wrong',
  })
  disk.damage(segment, () => sound.slice(0, 300))
  assert.equal((await verifyLogs(options))[0]?.kind, 'damage')
  disk.damage(segment, () => sound)
  const last = disk.paths().findLast((path) => /^topics\/t-0.*\.log$/.test(path)) as string
  disk.damage(last, (bytes) => bytes.slice(0, bytes.length - 1))
  assert.match((await verifyLogs(options))[0]?.reason ?? '', /claims|synced/)
})

test('a torn tail of a killed broker is told from damage', async () => {
  const { options, disk } = await written('kill')
  assert.deepEqual(await verifyLogs(options), [])
  const last = disk.paths().findLast((path) => /^topics\/u-0.*\.log$/.test(path)) as string
  disk.damage(last, (bytes) => bytes.slice(0, bytes.length - 1))
  const found = await verifyLogs(options)
  assert.deepEqual(
    found.map(({ directory, kind }) => [directory, kind]),
    [['topics/u-0', 'torn-tail']],
  )
})

test('repair cuts a log back to what is sound before the damage, and moves the rest aside', async () => {
  const { options, disk } = await written()
  const [, second] = (await collect(dumpLogs(options, 't-0'))) as [DumpedBatch, DumpedBatch]
  disk.damage(segment, (bytes) => {
    bytes[second.position + 100] = (bytes[second.position + 100] as number) ^ 1
    return bytes
  })
  const before = disk.contentOf(segment)
  const [repair, ...none] = await repairLogs(options)
  assert.deepEqual(none, [])
  assert.equal(repair?.offset, 2)
  assert.equal(repair.failure, undefined)
  assert.ok(repair.bytesCut > 2000)
  assert.equal(repair.movedTo[0], '00000000000000000000.cut-1')
  const aside = disk.contentOf(`topics/t-0/${repair.movedTo[0]}`)
  assert.deepEqual(aside, before.slice(second.position))
  assert.ok(repair.movedTo.length > 1, 'later segments')
  assert.deepEqual(await verifyLogs(options), [])
  assert.deepEqual(await repairLogs(options), [])

  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', testConfig)
  assert.equal(log.offline, undefined)
  assert.equal((await readAll(log)).length, 2)
  const { baseOffset, acknowledged } = log.append(batchOf(['new']))
  assert.equal(baseOffset, 2)
  await acknowledged
  const other = await directory.openPartition('u-0', testConfig)
  assert.equal((await readAll(other)).length, 12)
})

test('a log that lost all of its segments goes on behind its last offset', async () => {
  const { options, disk } = await written()
  for (const path of disk.paths()) {
    if (path.startsWith('topics/t-0/') && path.endsWith('.log')) await disk.remove(path)
  }
  assert.match((await verifyLogs(options))[0]?.reason ?? '', /synced up to 12/)
  assert.equal((await repairLogs(options)).length, 1)
  assert.deepEqual(await verifyLogs(options), [])
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', testConfig)
  assert.deepEqual([log.offline, log.startOffset, log.endOffset], [undefined, 12, 12])
})

test('nothing of it works on a directory that is in use', async () => {
  const { options, disk } = await written()
  const { directory } = await openDirectory(disk)
  await assert.rejects(verifyLogs(options), DataDirectoryLockedError)
  await assert.rejects(repairLogs(options), DataDirectoryLockedError)
  await assert.rejects(collect(dumpLogs(options)), DataDirectoryLockedError)
  await directory.close()
})
