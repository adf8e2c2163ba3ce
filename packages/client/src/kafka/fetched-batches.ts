/**
 * Kafka's stored batches, as a fetch brings them, as batches of an `Engine`: views, nothing is copied but
 * the headers. Of transactions that were aborted only the place in the log is left (KIP-98): an empty
 * batch, as compaction leaves them.
 */
import {
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  ChunkReader,
  type Chunks,
  controlBit,
  decodeBatchHeader,
  InvalidMessageError,
  joinChunks,
  type PolledBatch,
  type TopicId,
  transactionalBit,
} from '@kaska/protocol'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

/** A control record's key: version int16, type int16; 0 is an abort. */
const abortType = 0

/** The whole batches of a fetch; the last one may have been cut. Throws InvalidMessageError. */
export function fetchedBatches(
  topic: TopicId,
  partition: number,
  records: Chunks,
  aborted: readonly AbortedTransaction[],
): PolledBatch[] {
  const reader = new ChunkReader(records)
  const batches: PolledBatch[] = []
  const coming = [...aborted].sort((one, other) => one.firstOffset - other.firstOffset)
  const abortedNow = new Set<number>()
  while (reader.remaining >= batchHeaderBytes) {
    const headerBytes = joinChunks(reader.take(batchHeaderBytes))
    const header = decodeBatchHeader(headerBytes)
    const recordsLength = header.batchLength + batchLengthOverhead - batchHeaderBytes
    if (header.magic !== batchMagic || recordsLength < 0) {
      // What is before it can be read.
      if (batches.length > 0) break
      throw new InvalidMessageError(`a batch of format ${header.magic} is not one of these days`)
    }
    if (recordsLength > reader.remaining) break
    const { attributes, baseOffset, baseTimestamp, maxTimestamp, lastOffsetDelta } = header
    const views = reader.take(recordsLength)
    const lastOffset = baseOffset + lastOffsetDelta
    while (coming[0] !== undefined && coming[0].firstOffset <= lastOffset) {
      abortedNow.add((coming.shift() as AbortedTransaction).producerId)
    }
    const isControl = (attributes & controlBit) !== 0
    if (isControl && isAbort(views)) abortedNow.delete(header.producerId)
    const isGone =
      isControl || ((attributes & transactionalBit) !== 0 && abortedNow.has(header.producerId))
    batches.push({
      topic,
      partition,
      baseOffset,
      leaderEpoch: header.partitionLeaderEpoch,
      // Who reads the messages need not know that they came in a transaction.
      attributes: attributes & ~(controlBit | transactionalBit),
      baseTimestamp,
      maxTimestamp,
      recordCount: isGone ? 0 : header.recordCount,
      lastOffsetDelta,
      records: isGone ? [] : views,
      recordsLength: isGone ? 0 : recordsLength,
    })
  }
  return batches
}

/** Whether the one record of a control batch ends its transaction without a commit. */
function isAbort(records: Chunks): boolean {
  const reader = new ChunkReader(records)
  reader.zigzag()
  reader.u8()
  reader.zigzag()
  reader.zigzag()
  if (reader.zigzag() < 4) return false
  reader.i16()
  return reader.i16() === abortType
}
