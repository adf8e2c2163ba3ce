/** The indexes by the rules that Kafka's DumpLogSegments checks, and look-ups with and without them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type BatchHeader, crc32c, DiskFullError } from '@kaska/protocol'
import fc from 'fast-check'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import { batchOf, MortalDisk, openDirectory, readAll, testConfig } from '../../test/log-harness.ts'
import { IndexEntries } from './index-entries.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { PartitionLog } from './partition-log.ts'
import { batchBytes, scanSegment } from './segment-scan.ts'

/**
 * What DumpLogSegments (Apache Kafka, kafka.tools) reports as mismatches and out-of-order entries of
 * one segment's indexes. Returns how many entries there are.
 */
async function checkLikeKafka(disk: SimulatedDisk, path: string): Promise<number> {
  const base = Number(path.slice(-24, -4))
  const file = await disk.open(path)
  const batches: { header: BatchHeader; position: number }[] = []
  const end = await scanSegment(file, {
    from: 0,
    to: await file.size(),
    crc32c,
    visit: (header, position) => {
      batches.push({ header, position })
      return undefined
    },
  })
  assert.equal(end.reason, undefined)
  const entriesOf = (ending: string) => {
    const name = path.replace('.log', ending)
    const bytes = disk.paths().includes(name) ? disk.contentOf(name) : new Uint8Array(0)
    return new IndexEntries(bytes)
  }
  const offsets = entriesOf('.index')
  assert.equal(offsets.bytes.length % 8, 0)
  let before = { relativeOffset: -1, position: -1 }
  for (let index = 0; index < offsets.offsetCount; index++) {
    const entry = offsets.offsetEntry(index)
    assert.ok(entry.relativeOffset > before.relativeOffset && entry.position > before.position)
    before = entry
    const batch = batches.find(({ position }) => position === entry.position)
    assert.ok(batch !== undefined, 'an index entry leads to a batch')
    const { baseOffset, lastOffsetDelta } = batch.header
    assert.equal(entry.relativeOffset + base, baseOffset + lastOffsetDelta)
  }
  const times = entriesOf('.timeindex')
  assert.equal(times.bytes.length % 12, 0)
  let timeBefore = Number.NEGATIVE_INFINITY
  for (let index = 0; index < times.timeCount; index++) {
    const entry = times.timeEntry(index)
    const from = offsets.offsetFloor(entry.relativeOffset)?.position ?? 0
    const batch = batches.find(({ position, header }) => {
      const last = header.baseOffset + header.lastOffsetDelta
      return position >= from && last >= entry.relativeOffset + base
    })
    assert.ok(batch !== undefined)
    const { baseOffset, lastOffsetDelta, maxTimestamp } = batch.header
    assert.equal(baseOffset + lastOffsetDelta, entry.relativeOffset + base)
    assert.equal(maxTimestamp, entry.timestamp)
    assert.ok(entry.timestamp > timeBefore)
    timeBefore = entry.timestamp
  }
  return offsets.offsetCount
}

const segmentPaths = (disk: SimulatedDisk) =>
  disk.paths().filter((path) => path.startsWith('topics/') && path.endsWith('.log'))

test('Kafka finds no mismatch: after a close, after a kill, after a power failure', async () => {
  const run = fc.record({
    seed: fc.integer(),
    interval: fc.constantFrom(1, 100, 4096),
    segmentBytes: fc.constantFrom(1000, 30_000, 1_000_000),
    end: fc.constantFrom('close', 'kill', 'crash'),
    sizes: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 20, maxLength: 60 }),
  })
  let entries = 0
  await fc.assert(
    fc.asyncProperty(run, async ({ seed, interval, segmentBytes, end, sizes }) => {
      const random = new SeededRandom(seed)
      const disk = new SimulatedDisk(random)
      const config = { ...testConfig, segmentBytes, indexIntervalBytes: interval }
      for (let life = 0; life < 2; life++) {
        const process = new MortalDisk(disk)
        const { directory } = await openDirectory(process, { syncMode: 'os' })
        const log = await directory.openPartition('t-0', config)
        for (const size of sizes) {
          const timestamp = 1_000_000 + random.between(0, 50)
          const { acknowledged } = log.append(batchOf(['x'.repeat(size), 'y'], { timestamp }))
          if (random.chance(0.5)) await acknowledged
          if (random.chance(0.05)) await log.checkpoint()
        }
        if (end === 'close') await directory.close()
        process.die()
        if (end === 'kill') disk.kill()
        if (end === 'crash') disk.crash()
      }
      const { directory } = await openDirectory(disk)
      const log = await directory.openPartition('t-0', config)
      assert.equal(log.offline, undefined)
      await directory.close()
      for (const path of segmentPaths(disk)) entries += await checkLikeKafka(disk, path)
    }),
    { numRuns: 150, endOnFailure: true, interruptAfterTimeLimit: 20000 },
  )
  assert.ok(entries > 1000, `${entries}`)
})

test('an index is written by one write after the other, however much comes at once', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk, { syncMode: 'os' })
  const log = await directory.openPartition('t-0', { ...testConfig, indexIntervalBytes: 1 })
  const count = 1000
  for (let round = 1; round <= 3; round++) {
    // Each batch has an entry, and 256 of them are worth a write.
    const appended = Array.from({ length: count }, (_, index) =>
      log.append(batchOf([`${index}`], { timestamp: round * 1_000_000 + index })),
    )
    await Promise.all(appended.map(({ acknowledged }) => acknowledged))
    await log.checkpoint()
    const [path] = segmentPaths(disk)
    // The first batch of a segment has none.
    assert.equal(await checkLikeKafka(disk, path as string), round * count - 1)
  }
  await directory.close()
})

/** A segment whose last message is in no index yet, and what begins the next one. */
const sealing = {
  config: { ...testConfig, segmentBytes: 8000 },
  batches: [
    batchOf(['x'.repeat(5000)], { timestamp: 1000 }),
    batchOf(['it has an entry'], { timestamp: 2000 }),
    batchOf(['it has none'], { timestamp: 3000 }),
  ],
  next: () => batchOf(['x'.repeat(5000)], { timestamp: 2000 }),
}

test('a time is found at the end of a segment while the next one is being made', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const gate = Promise.withResolvers<void>()
  const { open } = disk
  disk.open = async (path, options) => {
    if (options?.create && path.endsWith('00000000000000000003.log')) await gate.promise
    return await open.call(disk, path, options)
  }
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', sealing.config)
  for (const batch of sealing.batches) await log.append(batch).acknowledged
  const { acknowledged } = log.append(sealing.next())
  assert.equal(await log.offsetAt(2500), 2)
  log.config = { ...log.config, retentionMs: 1000 }
  assert.deepEqual(await log.applyRetention(3500), { deleted: 0, due: 4001 }, 'not too old yet')
  const largest = log.maxTimestamp()
  gate.resolve()
  assert.equal(await largest, 3000)
  await acknowledged
  assert.equal(await log.offsetAt(2500), 2)
  assert.equal((await log.applyRetention(4001)).deleted, 2)
  await directory.close()
})

test('a time is found at the end of a segment when there was no space for the next one', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', sealing.config)
  for (const batch of sealing.batches) await log.append(batch).acknowledged
  // Its file is made, and takes a part of the batch.
  disk.bytesMax = disk.bytes + 100
  await assert.rejects(log.append(sealing.next()).acknowledged, DiskFullError)
  disk.bytesMax = Number.POSITIVE_INFINITY
  await setImmediate()
  await log.append(sealing.next()).acknowledged
  assert.equal(await log.offsetAt(2500), 2)
  assert.equal(await log.maxTimestamp(), 3000)
  await directory.close()
  const again = await openDirectory(disk)
  const reopened = await again.directory.openPartition('t-0', sealing.config)
  assert.equal(await reopened.offsetAt(2500), 2)
  assert.equal(await reopened.maxTimestamp(), 3000)
  await again.directory.close()
})

/** A log of 400 batches of two messages in some segments, nothing of it in memory. */
async function manyBatches(): Promise<{
  disk: SimulatedDisk
  log: PartitionLog
  close(): Promise<void>
}> {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const budget = new MemoryBudget(1_000_000, { tailBytesMax: 0 })
  const { directory } = await openDirectory(disk, { syncMode: 'os', budget })
  const config = { ...testConfig, segmentBytes: 20_000, indexIntervalBytes: 500 }
  const log = await directory.openPartition('t-0', config)
  for (let index = 0; index < 400; index++) {
    // Times go back now and then, as clocks do.
    const timestamp = 1_000_000 + index * 10 - (index % 7 === 0 ? 35 : 0)
    await log.append(batchOf([`a${index}`, `b${index}${'.'.repeat(index % 90)}`], { timestamp }))
      .acknowledged
  }
  return { disk, log, close: () => directory.close() }
}

const damages: [string, (bytes: Uint8Array) => Uint8Array][] = [
  ['sound', (bytes) => bytes],
  ['empty', () => new Uint8Array(0)],
  ['garbage', (bytes) => bytes.fill(0x55)],
  ['half an entry', (bytes) => bytes.slice(0, bytes.length - 3)],
  ['a little beside', (bytes) => bytes.map((byte, at) => (at % 8 === 7 ? byte + 3 : byte))],
  // Every entry leads to the batch of the one behind it.
  ['too far', (bytes) => shifted(bytes)],
]

for (const [name, damage] of damages) {
  test(`every offset is found, whatever becomes of the index (${name})`, async () => {
    const { disk, log, close } = await manyBatches()
    await close()
    for (const path of disk.paths()) if (path.endsWith('.index')) disk.damage(path, damage)
    const budget = new MemoryBudget(1_000_000, { tailBytesMax: 0 })
    const { directory } = await openDirectory(disk, { budget })
    const again = await directory.openPartition('t-0', log.config)
    for (let turn = 0; turn < 800; turn++) {
      const offset = (turn * 37) % 800
      const stored = await again.read(offset, 1)
      assert.equal(stored.batches[0]?.header.baseOffset, offset - (offset % 2))
      stored.release()
    }
    assert.equal((await readAll(again)).length, 800)
    assert.equal(again.offline, undefined)
    // What is built again is right.
    await directory.close()
    for (const path of segmentPaths(disk).slice(0, -1)) await checkLikeKafka(disk, path)
  })
}

function shifted(bytes: Uint8Array): Uint8Array {
  const moved = bytes.slice()
  for (let at = 4; at + 12 <= bytes.length; at += 8) moved.set(bytes.subarray(at + 8, at + 12), at)
  return moved
}

test('the first offset at or after a time is that of a walk over all messages', async () => {
  const { log } = await manyBatches()
  const times: number[] = []
  for (let index = 0; index < 400; index++) {
    times.push(1_000_000 + index * 10 - (index % 7 === 0 ? 35 : 0))
  }
  for (let time = 999_950; time < 1_004_100; time += 13) {
    const index = times.findIndex((at) => at >= time)
    assert.equal(await log.offsetAt(time), index < 0 ? undefined : index * 2, `${time}`)
  }
  await log.deleteBefore(300)
  const index = times.findIndex((at, number) => number >= 150 && at >= 1_001_000)
  assert.equal(await log.offsetAt(1_001_000), index * 2)
})

test('an epoch ends where the next one begins (KIP-101)', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const ends: number[] = []
  const config = { ...testConfig, segmentBytes: 2000, indexIntervalBytes: 300 }
  for (let epoch = 0; epoch < 5; epoch++) {
    const { directory } = await openDirectory(disk, { syncMode: 'os' })
    const log = await directory.openPartition('t-0', config)
    // Nothing is written in epoch 2.
    for (let index = 0; index < (epoch === 2 ? 0 : 9); index++) {
      await log.append(batchOf([`${epoch}`, 'x'.repeat(100)])).acknowledged
    }
    ends.push(log.endOffset)
    await directory.close()
  }
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', config)
  assert.equal(log.lastEpoch, 4)
  for (const [epoch, endOffset] of ends.entries()) {
    const expected = { epoch: epoch === 2 ? 1 : epoch, endOffset }
    assert.deepEqual(await log.endOffsetForEpoch(epoch), expected)
  }
  assert.deepEqual(await log.endOffsetForEpoch(99), { epoch: 4, endOffset: log.endOffset })
  assert.deepEqual(await log.endOffsetForEpoch(-1), { epoch: -1, endOffset: 0 })
  await log.deleteBefore(40)
  assert.deepEqual(await log.endOffsetForEpoch(0), { epoch: -1, endOffset: log.startOffset })
})

test('batches are as long as their headers say', async () => {
  const { disk } = await manyBatches()
  const path = segmentPaths(disk)[0] as string
  const file = await disk.open(path)
  let total = 0
  await scanSegment(file, {
    from: 0,
    to: await file.size(),
    visit: (header, position) => {
      assert.equal(position, total)
      total += batchBytes(header)
      return undefined
    },
  })
  assert.equal(total, disk.contentOf(path).length)
})
