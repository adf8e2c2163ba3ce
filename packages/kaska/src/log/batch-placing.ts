/**
 * A batch at its place in a log: with its offsets, the leader's epoch and the log's own timestamp where the
 * topic asks for it, all of which make up its header.
 */
import {
  type BatchHeader,
  batchCrc,
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  decodeBatchHeader,
  encodeBatchHeader,
  hasSameCrc,
  logAppendTimeBit,
  setBatchCrc,
} from '@kaska/protocol'
import type { AppendBatch } from './log-batches.ts'
import type { LogShared } from './log-config.ts'
import type { Place } from './log-place.ts'
import { TailBatch } from './log-tail.ts'
import type { Segment } from './segment.ts'

/**
 * The batch as it is stored in the segment, and the place behind it. `before`: the place behind the batch
 * before. `stampedAt`: the time of the append, where that is the timestamp of all its records.
 */
export function placeBatch(
  batch: AppendBatch,
  before: Place,
  segment: Segment,
  stampedAt: number | undefined,
  { crc32c, leaderEpoch }: Pick<LogShared, 'crc32c' | 'leaderEpoch'>,
): { readonly placed: TailBatch; readonly after: Place } {
  const { offset } = before
  const length = batchHeaderBytes + batch.recordsLength
  const lastOffset = offset + batch.lastOffsetDelta
  const position = segment === before.segment ? before.position : 0
  const header: BatchHeader = {
    baseOffset: offset,
    batchLength: length - batchLengthOverhead,
    partitionLeaderEpoch: leaderEpoch,
    magic: batchMagic,
    crc: 0,
    attributes: stampedAt === undefined ? batch.attributes : batch.attributes | logAppendTimeBit,
    lastOffsetDelta: batch.lastOffsetDelta,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: stampedAt ?? batch.maxTimestamp,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    recordCount: batch.recordCount,
  }
  const headerBytes = encodeBatchHeader(header)
  const { received } = batch
  header.crc =
    received !== undefined && hasSameCrc(headerBytes, received)
      ? decodeBatchHeader(received).crc
      : batchCrc(headerBytes, batch.records, crc32c)
  setBatchCrc(headerBytes, header.crc)
  const isNewer = segment !== before.segment || header.maxTimestamp > before.maxTimestamp
  const after: Place = {
    segment,
    position: position + length,
    offset: lastOffset + 1,
    maxTimestamp: isNewer ? header.maxTimestamp : before.maxTimestamp,
    maxTimestampOffset: isNewer ? lastOffset : before.maxTimestampOffset,
    lastEpoch: leaderEpoch,
  }
  const placed = new TailBatch(header, headerBytes, batch.records, batch.recordsLength)
  return { placed, after }
}
