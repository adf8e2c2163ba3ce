import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  batchHeaderBytes,
  batchLengthOverhead,
  controlBit,
  encodeBatchHeader,
  InvalidMessageError,
  transactionalBit,
} from '@kaska/protocol'
import { fetchedBatches } from './fetched-batches.ts'

const topic = 'AAAAAAAAAAAAAAAAAAAAAQ'

interface BatchFields {
  readonly attributes?: number
  readonly producerId?: number
  readonly records?: Uint8Array
  readonly magic?: number
}

/** A batch of one record at an offset. */
function batch(baseOffset: number, fields: BatchFields = {}): Uint8Array {
  const { attributes = 0, producerId = -1, records = Uint8Array.of(1, 2, 3), magic = 2 } = fields
  const header = encodeBatchHeader({
    baseOffset,
    batchLength: batchHeaderBytes - batchLengthOverhead + records.length,
    partitionLeaderEpoch: 4,
    magic,
    crc: 0,
    attributes,
    lastOffsetDelta: 0,
    baseTimestamp: 10,
    maxTimestamp: 11,
    producerId,
    producerEpoch: 0,
    baseSequence: 0,
    recordCount: 1,
  })
  return Uint8Array.of(...header, ...records)
}

/** The end of a transaction, as the log has it: length, attributes, deltas, key of version and type, value. */
function marker(baseOffset: number, producerId: number, type: 'abort' | 'commit'): Uint8Array {
  const records = Uint8Array.of(20, 0, 0, 0, 8, 0, 0, 0, type === 'abort' ? 0 : 1, 0, 0)
  return batch(baseOffset, { attributes: controlBit | transactionalBit, producerId, records })
}

test('whole batches are handed out as views of what came; a last one that was cut is not', () => {
  const first = batch(5)
  const second = batch(6)
  const bytes = Uint8Array.of(...first, ...second, ...batch(7).subarray(0, 62))
  // In pieces as a socket brings them.
  const pieces = [bytes.subarray(0, 30), bytes.subarray(30, 63), bytes.subarray(63)]
  const batches = fetchedBatches(topic, 3, pieces, [])
  assert.deepEqual(
    batches.map(({ partition, baseOffset, leaderEpoch, recordCount, records }) => [
      partition,
      baseOffset,
      leaderEpoch,
      recordCount,
      records.flatMap((view) => [...view]),
    ]),
    [
      [3, 5, 4, 1, [1, 2, 3]],
      [3, 6, 4, 1, [1, 2, 3]],
    ],
  )
  for (const { records } of batches) {
    for (const view of records) assert.equal(view.buffer, bytes.buffer)
  }
})

test('of an aborted transaction only the place is left, of a committed one the messages are', () => {
  const sent = { attributes: transactionalBit }
  const log = [
    batch(0, { ...sent, producerId: 1 }),
    batch(1, { ...sent, producerId: 2 }),
    batch(2),
    marker(3, 1, 'abort'),
    batch(4, { ...sent, producerId: 1 }),
    marker(5, 1, 'commit'),
    marker(6, 2, 'commit'),
  ]
  const batches = fetchedBatches(topic, 0, log, [{ producerId: 1, firstOffset: 0 }])
  assert.deepEqual(
    batches.map(({ baseOffset, recordCount, attributes }) => [baseOffset, recordCount, attributes]),
    [
      [0, 0, 0],
      [1, 1, 0],
      [2, 1, 0],
      [3, 0, 0],
      [4, 1, 0],
      [5, 0, 0],
      [6, 0, 0],
    ],
  )
})

test('bytes that are no batch are an error of their own', () => {
  assert.throws(() => fetchedBatches(topic, 0, [batch(0, { magic: 1 })], []), InvalidMessageError)
  assert.throws(() => fetchedBatches(topic, 0, [new Uint8Array(61)], []), InvalidMessageError)
})

test('what comes before bytes that are no batch is handed out', () => {
  const batches = fetchedBatches(topic, 0, [batch(4), batch(5, { magic: 1 })], [])
  assert.deepEqual(
    batches.map(({ baseOffset }) => baseOffset),
    [4],
  )
})
