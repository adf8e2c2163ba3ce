/** Any bytes whatever: a segment and a checkpoint give what is in them or say what is wrong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchCrc, encodeBatchHeader, setBatchCrc } from '@kaska/protocol'
import fc from 'fast-check'
import { batchOf, TestClock, testCrc } from '../../test/log-harness.ts'
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.ts'
import type { DiskFile } from './disk.ts'
import { MemoryDisk } from './memory-disk.ts'
import { ProducerState } from './producer-state.ts'
import { scanSegment } from './segment-scan.ts'
import { findSoundBatch, hasHole } from './segment-search.ts'

async function fileOf(bytes: Uint8Array): Promise<DiskFile> {
  const file = await new MemoryDisk().open('file', { create: true })
  await file.write(0, [bytes])
  return file
}

/** A whole batch of `size` bytes of value at an offset. */
function encoded(offset: number, size: number): Uint8Array {
  const batch = batchOf(['v'.repeat(size)])
  const header = encodeBatchHeader({
    baseOffset: offset,
    batchLength: batch.recordsLength + 49,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    attributes: 0,
    lastOffsetDelta: 0,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: 1,
  })
  setBatchCrc(header, batchCrc(header, batch.records, testCrc))
  return new Uint8Array([...header, ...batch.records.flatMap((chunk) => [...chunk])])
}

const shared = { crc32c: testCrc, clock: new TestClock() }

test('a walk ends at the first contradiction, in bounded memory', async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 8 })
  const property = fc.asyncProperty(
    sizes,
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: 61, max: 5000 }),
    async (batches, garbage, bufferBytes) => {
      const sound = batches.map((size, offset) => encoded(offset, size))
      const soundBytes = sound.reduce((sum, { length }) => sum + length, 0)
      const file = await fileOf(new Uint8Array([...sound.flatMap((one) => [...one]), ...garbage]))
      const { read } = file
      const counted = {
        ...file,
        read: (position: number, into: Uint8Array) => {
          assert.ok(into.length <= bufferBytes)
          return read(position, into)
        },
      }
      const offsets: number[] = []
      const end = await scanSegment(counted, {
        from: 0,
        to: await file.size(),
        crc32c: testCrc,
        bufferBytes,
        visit: ({ baseOffset }) => {
          offsets.push(baseOffset)
          return undefined
        },
      })
      assert.equal(end.position, soundBytes)
      assert.equal(end.reason === undefined, garbage.length === 0)
      assert.deepEqual(
        offsets,
        batches.map((_, offset) => offset),
      )
    },
  )
  await fc.assert(property, { numRuns: 200 })
})

test('a sound batch is found behind any garbage, and only one that can follow', async () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // Bytes that look like magics.
    fc.array(fc.constantFrom(0, 2), { maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
  )
  const property = fc.asyncProperty(garbage, fc.nat(400), async (bytes, size) => {
    const file = await fileOf(new Uint8Array([...bytes, ...encoded(7, size), 1, 2, 3]))
    const to = await file.size()
    const found = await findSoundBatch(file, 0, to, 5, shared)
    assert.equal(found?.position, bytes.length)
    assert.equal(found.header.baseOffset, 7)
    assert.equal(await findSoundBatch(file, 0, to, 8, shared), undefined)
    assert.equal(await findSoundBatch(file, found.position + 1, to, 0, shared), undefined)
  })
  await fc.assert(property, { numRuns: 200 })
})

test('the search reads and checks each byte a few times at most, whatever they hold', async () => {
  for (const fill of [0, 2, 0x55]) {
    const bytes = new Uint8Array(8 * 1024 * 1024).fill(fill)
    bytes.set(encoded(3, 100), bytes.length - 300)
    const file = await fileOf(bytes)
    const counts = { read: 0, checked: 0 }
    const read: DiskFile['read'] = (position, into) => {
      counts.read += into.length
      return file.read(position, into)
    }
    const crc32c: typeof testCrc = (checked, before) => {
      counts.checked += checked.length
      return testCrc(checked, before)
    }
    const search = { ...shared, crc32c }
    const found = await findSoundBatch({ ...file, read }, 0, bytes.length, 0, search)
    assert.equal(found?.position, bytes.length - 300)
    assert.ok(counts.read < 2 * bytes.length, `${counts.read} bytes were read`)
    assert.ok(counts.checked < 2 * bytes.length, `${counts.checked} bytes were checked`)
  }
})

test('a hole is a sector of zeros, or zeros at either end', async () => {
  const full = new Uint8Array(5000).fill(9)
  const isHole = async (from: number, to: number, start: number, end: number) =>
    hasHole(await fileOf(full.slice().fill(0, start, end)), from, to)
  assert.equal(await isHole(100, 5000, 0, 0), false)
  assert.equal(await isHole(100, 5000, 1024, 1536), true)
  assert.equal(await isHole(100, 5000, 1025, 1600), false)
  assert.equal(await isHole(100, 5000, 100, 512), true)
  assert.equal(await isHole(505, 5000, 505, 512), false)
  assert.equal(await isHole(100, 5000, 4608, 5000), true)
  assert.equal(await isHole(100, 4700, 4608, 4700), false)
})

test('a checkpoint is what was saved, and anything else is none', () => {
  const plain = { noNullPrototype: true }
  const integer = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER })
  const checkpoint = fc.record(
    {
      startOffset: integer,
      segmentBase: integer,
      position: integer,
      offset: integer,
      maxTimestamp: fc.maxSafeInteger(),
      maxTimestampOffset: integer,
      segmentTime: integer,
      lastEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    },
    plain,
  )
  const batch = fc.record(
    {
      firstSequence: fc.nat(2 ** 31 - 1),
      lastSequence: fc.nat(2 ** 31 - 1),
      baseOffset: integer,
      lastOffset: integer,
      timestamp: fc.maxSafeInteger(),
    },
    plain,
  )
  const producer = fc.record(
    {
      epoch: fc.nat(32_767),
      lastSeen: fc.integer({ min: -1_000_000, max: 0 }),
      batches: fc.array(batch, { minLength: 1, maxLength: 5 }),
    },
    plain,
  )
  const producers = fc.uniqueArray(fc.tuple(fc.nat(), producer), { selector: ([id]) => id })
  fc.assert(
    fc.property(checkpoint, producers, fc.nat(), (saved, entries, flipped) => {
      const state = new ProducerState()
      for (const [id, entry] of entries) state.load(id, entry)
      const bytes = encodeCheckpoint(saved, state, testCrc)
      const decoded = decodeCheckpoint(bytes, testCrc)
      assert.deepEqual(decoded?.checkpoint, saved)
      assert.deepEqual([...decoded.producers], entries)
      const position = flipped % bytes.length
      bytes[position] = (bytes[position] as number) ^ (1 << (flipped % 8))
      assert.equal(decodeCheckpoint(bytes, testCrc), undefined)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(decodeCheckpoint(bytes, testCrc), undefined)
    }),
  )
})
