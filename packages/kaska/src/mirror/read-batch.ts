/** The messages of a polled batch as they are to arrive elsewhere. */
import {
  type Codecs,
  compressionMask,
  controlBit,
  InvalidMessageError,
  joinChunks,
  logAppendTimeBit,
  type PolledBatch,
  RecordDecoder,
  type RecordHeader,
} from '@kaska/protocol'

/** What a compressed batch may expand to. */
export const expandedBytesMax = 256 << 20

export interface MirroredRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** The offset behind a batch. */
export function endOf(batch: PolledBatch): number {
  const end = batch.baseOffset + batch.lastOffsetDelta + 1
  if (Number.isSafeInteger(end) && end > batch.baseOffset) return end
  throw new InvalidMessageError(`a batch claims to end at offset ${end}`)
}

/** The records section, expanded. Throws InvalidMessageError and UnsupportedCompressionError. */
export function expand(batch: PolledBatch, codecs: Codecs): Uint8Array {
  const compression = batch.attributes & compressionMask
  if (compression !== 0) return codecs(compression).decompress(batch.records, expandedBytesMax)
  const [only] = batch.records
  return batch.records.length === 1 && only !== undefined ? only : joinChunks(batch.records)
}

/** Its messages from an offset on; none where it holds markers of transactions. */
export function* recordsOf(
  batch: PolledBatch,
  from: number,
  codecs: Codecs,
): Generator<MirroredRecord, void, void> {
  if (batch.attributes & controlBit || batch.recordCount === 0) return
  const decoder = new RecordDecoder(expand(batch, codecs), batch.recordCount)
  const isStamped = (batch.attributes & logAppendTimeBit) !== 0
  for (let record = decoder.next(); record !== undefined; record = decoder.next()) {
    const { offsetDelta, timestampDelta, key, value, headers } = record
    if (offsetDelta < 0 || offsetDelta > batch.lastOffsetDelta) {
      throw new InvalidMessageError(`a record lies outside of its batch: ${offsetDelta}`)
    }
    const offset = batch.baseOffset + offsetDelta
    if (offset < from) continue
    const timestamp = isStamped ? batch.maxTimestamp : batch.baseTimestamp + timestampDelta
    yield { offset, timestamp, key, value, headers }
  }
}
