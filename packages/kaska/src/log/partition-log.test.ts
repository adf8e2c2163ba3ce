/** What one log promises its users: views by identity, one write, limits, time stamps, wake-ups. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Chunks } from '@kaska/protocol'
import {
  batchHeaderBytes,
  ClosedError,
  logAppendTimeBit,
  MessageTooLargeError,
  OffsetOutOfRangeError,
} from '@kaska/protocol'
import { batchOf, openDirectory, readAll, testConfig, valuesOf } from '../../test/log-harness.ts'
import type { AppendBatch, StoredBatches } from './log-batches.ts'
import { MemoryDisk } from './memory-disk.ts'

/** A disk in memory that keeps a list of what is written to logs. */
function recordingDisk() {
  const disk = new MemoryDisk()
  const writes: Chunks[] = []
  let syncs = 0
  const { open } = disk
  disk.open = async (path, options) => {
    const file = await open.call(disk, path, options)
    if (!path.endsWith('.log')) return file
    return {
      ...file,
      write: (position, chunks) => {
        writes.push(chunks)
        return file.write(position, chunks)
      },
      sync: async () => {
        syncs++
        await setImmediate()
        return file.sync()
      },
    }
  }
  return { disk, writes, syncs: () => syncs }
}

/** The same batch, its records in pieces of `size` bytes, each in a buffer of its own. */
function inPieces(batch: AppendBatch, size: number): AppendBatch {
  const [whole] = batch.records as [Uint8Array]
  const records: Uint8Array[] = []
  for (let at = 0; at < whole.length; at += size) records.push(whole.slice(at, at + size))
  return { ...batch, records }
}

const isSame = (one: Uint8Array, other: Uint8Array) =>
  one.buffer === other.buffer &&
  one.byteOffset === other.byteOffset &&
  one.byteLength === other.byteLength

test('the views that were received go to the disk and to readers, by identity', async () => {
  const { disk, writes } = recordingDisk()
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', testConfig)
  for (const pieces of [1, 3, 1000]) {
    const whole = batchOf(['z'.repeat(9000)])
    const batch = inPieces(whole, Math.ceil(whole.recordsLength / pieces))
    const { baseOffset, acknowledged } = log.append(batch)
    await acknowledged
    const [header, ...records] = writes.at(-1) as Uint8Array[]
    assert.equal(header?.length, batchHeaderBytes)
    assert.equal(records.length, batch.records.length)
    for (const [index, view] of batch.records.entries()) {
      assert.ok(isSame(records[index] as Uint8Array, view))
    }
    const stored = log.read(baseOffset, 1) as StoredBatches
    assert.equal(stored.batches[0]?.records, batch.records)
    stored.release()
  }
})

test('what is appended in one turn leaves in one write, and one sync covers it', async () => {
  const { disk, writes, syncs } = recordingDisk()
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', testConfig)
  await log.append(batchOf(['first'])).acknowledged
  const before = syncs()
  const acknowledged: Promise<void>[] = []
  for (let index = 0; index < 100; index++) {
    acknowledged.push(log.append(batchOf([`${index}`])).acknowledged)
  }
  await Promise.all(acknowledged)
  assert.equal(writes.length, 2)
  assert.equal(syncs() - before, 1)
  // While a sync is under way, the next appends gather for the one after it.
  const rounds: Promise<void>[] = []
  for (let index = 0; index < 100; index++) {
    rounds.push(log.append(batchOf(['x'])).acknowledged)
    if (index % 10 === 0) await Promise.resolve()
  }
  await Promise.all(rounds)
  assert.ok(syncs() - before <= 4, `${syncs() - before}`)
})

test('readers see nothing that is not acknowledged, and are woken when it is', async () => {
  const { disk } = recordingDisk()
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', testConfig)
  const seen: number[] = []
  const stop = log.onAdvance(() => seen.push(log.endOffset))
  const first = log.append(batchOf(['a', 'b']))
  assert.equal(log.endOffset, 0)
  assert.deepEqual((await log.read(0, 100)).batches, [])
  assert.throws(() => log.read(1, 100), OffsetOutOfRangeError)
  await first.acknowledged
  assert.deepEqual(seen, [2])
  assert.deepEqual(valuesOf((log.read(1, 1) as StoredBatches).batches[0] as never), ['a', 'b'])
  stop()
  await log.append(batchOf(['c'])).acknowledged
  assert.deepEqual(seen, [2])
  for (const offset of [-1, 4]) {
    assert.throws(
      () => log.read(offset, 1),
      (error) => error instanceof OffsetOutOfRangeError && error.endOffset === 3,
    )
  }
  await directory.close()
  assert.throws(() => log.read(0, 1), ClosedError)
  assert.throws(() => log.append(batchOf(['d'])), ClosedError)
})

test('a batch is as large as the topic allows, whatever the segment', async () => {
  const { directory } = await openDirectory(new MemoryDisk())
  const config = { ...testConfig, maxMessageBytes: 5000, segmentBytes: 1000 }
  const log = await directory.openPartition('t-0', config)
  const fitting = batchOf(['x'.repeat(5000 - batchHeaderBytes - 12)])
  await log.append(fitting).acknowledged
  const large = batchOf(['x'.repeat(5000 - batchHeaderBytes - 5)])
  assert.throws(() => log.append(large), MessageTooLargeError)
  log.config = { ...config, maxMessageBytes: 6000 }
  await log.append(large).acknowledged
  assert.deepEqual(
    (await readAll(log)).map(([offset]) => offset),
    [0, 1],
  )
})

test('a topic that stamps at the append gives every batch the time of the broker', async () => {
  const { directory, clock } = await openDirectory(new MemoryDisk())
  const config = { ...testConfig, stampAtAppend: true }
  const log = await directory.openPartition('t-0', config)
  const batch = batchOf(['a'], { timestamp: 5, producer: [1, 0, 0] })
  const { appendTimestamp, acknowledged } = log.append(batch)
  await acknowledged
  assert.equal(appendTimestamp, clock.time)
  const stored = log.read(0, 1) as StoredBatches
  const { header } = stored.batches[0] as { header: { attributes: number; maxTimestamp: number } }
  assert.equal(header.attributes & logAppendTimeBit, logAppendTimeBit)
  assert.equal(header.maxTimestamp, clock.time)
  const stamped = clock.time
  clock.time += 1000
  // Sent again, it keeps the time that it got.
  assert.equal(log.append(batch).appendTimestamp, stamped)
  assert.equal(await log.offsetAt(stamped), 0)
  assert.equal(await log.offsetAt(stamped + 1), undefined)
})

test('segments roll by size and by age', async () => {
  const disk = new MemoryDisk()
  const { directory, clock } = await openDirectory(disk)
  const config = { ...testConfig, segmentBytes: 400, segmentMs: 10_000 }
  const log = await directory.openPartition('t-0', config)
  const segments = async () =>
    (await disk.list('topics/t-0')).filter(({ name }) => name.endsWith('.log')).length
  for (let index = 0; index < 3; index++) await log.append(batchOf(['x'.repeat(90)])).acknowledged
  assert.equal(await segments(), 2)
  clock.time += 10_001
  await log.append(batchOf(['new'])).acknowledged
  assert.equal(await segments(), 3)
  assert.equal((await readAll(log)).length, 4)
})

test('a read takes as many batches as the bytes allow, and at least one', async () => {
  for (const tail of [true, false]) {
    const { directory } = await openDirectory(new MemoryDisk())
    const log = await directory.openPartition('t-0', testConfig)
    for (let index = 0; index < 10; index++)
      await log.append(batchOf(['x'.repeat(1000)])).acknowledged
    // Everything at once is more than there is: so the tails give up what they hold.
    if (!tail) await directory.shared.budget.reserve(64 * 1024 * 1024)
    if (!tail) directory.shared.budget.release(64 * 1024 * 1024)
    for (const [bytesMax, count] of [
      [1, 1],
      [1080, 1],
      [2200, 2],
      [5500, 5],
      [100_000, 10],
    ] as const) {
      const stored = await log.read(0, bytesMax)
      assert.equal(stored.batches.length, count, `${bytesMax} from ${tail ? 'memory' : 'disk'}`)
      stored.release()
    }
  }
})
