import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  batchCrc,
  copyChunks,
  decodeBatchHeader,
  encodeBatchHeader,
  logAppendTimeBit,
} from '@kaska/protocol'
import { batchOf, testCrc } from '../../test/log-harness.ts'
import { placeBatch } from './batch-placing.ts'
import type { LogShared } from './log-config.ts'
import type { Place } from './log-place.ts'
import { Segment } from './segment.ts'

const shared = { crc32c: testCrc, leaderEpoch: 3 }
const segment = new Segment('topics/t-0', 0, {} as LogShared)
const before: Place = {
  segment,
  position: 500,
  offset: 10,
  maxTimestamp: 2000,
  maxTimestampOffset: 9,
  lastEpoch: 2,
}

test('a batch is given its offset, the epoch and the CRC of what it is then', () => {
  const batch = batchOf(['a', 'b'], { timestamp: 3000, producer: [8, 1, 4] })
  const { placed, after } = placeBatch(batch, before, segment, undefined, shared)
  const header = decodeBatchHeader(placed.headerBytes)
  assert.deepEqual(header, placed.header)
  assert.deepEqual([header.baseOffset, header.partitionLeaderEpoch, header.recordCount], [10, 3, 2])
  assert.deepEqual([header.producerId, header.producerEpoch, header.baseSequence], [8, 1, 4])
  assert.equal(header.crc, batchCrc(placed.headerBytes, batch.records, testCrc))
  assert.deepEqual(placed.records, batch.records, 'the records as they came')
  const length = placed.headerBytes.length + copyChunks(batch.records).length
  assert.deepEqual(after, {
    segment,
    position: 500 + length,
    offset: 12,
    maxTimestamp: 3000,
    maxTimestampOffset: 11,
    lastEpoch: 3,
  })
})

test('the largest timestamp of a segment stays with the batch that has it', () => {
  const older = batchOf(['a'], { timestamp: 1000 })
  const { after } = placeBatch(older, before, segment, undefined, shared)
  assert.deepEqual([after.maxTimestamp, after.maxTimestampOffset], [2000, 9])
  const next = new Segment('topics/t-0', 10, {} as LogShared)
  const rolled = placeBatch(older, before, next, undefined, shared).after
  assert.deepEqual([rolled.maxTimestamp, rolled.maxTimestampOffset], [1000, 10])
  assert.ok(rolled.position < 500, 'it begins the file')
})

test('where the log stamps, the stamp is the time of the append', () => {
  const batch = batchOf(['a'], { timestamp: 1000 })
  const { placed } = placeBatch(batch, before, segment, 7000, shared)
  assert.equal(placed.header.maxTimestamp, 7000)
  assert.equal(placed.header.baseTimestamp, batch.baseTimestamp)
  assert.notEqual(placed.header.attributes & logAppendTimeBit, 0)
})

test('the CRC of a batch that is stored as it came is not computed again', () => {
  const batch = batchOf(['a', 'b'], { timestamp: 3000 })
  const received = encodeBatchHeader({
    ...placeBatch(batch, before, segment, undefined, shared).placed.header,
    crc: 0x1234,
  })
  const crc32c = () => assert.fail('it was computed')
  const { placed } = placeBatch({ ...batch, received }, before, segment, undefined, {
    ...shared,
    crc32c,
  })
  assert.equal(placed.header.crc, 0x1234)
})
