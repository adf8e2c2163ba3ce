/** A batch as Produce carries it: with the header of Kafka's log in front of the records, which stay as they are. */
import {
  batchCrc,
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  type Crc32c,
  compressionMask,
  controlBit,
  encodeBatchHeader,
  InvalidMessageError,
  type ProducerIdentity,
  type SendPart,
  setBatchCrc,
  transactionalBit,
  UnsupportedCompressionError,
} from '@kaska/protocol'

const compressionMax = 4

export function producedBatch(
  { part, producer }: { readonly part: SendPart; readonly producer: ProducerIdentity | undefined },
  crc32c: Crc32c,
): Uint8Array[] {
  const { batch, baseSequence } = part
  const header = encodeBatchHeader({
    baseOffset: 0,
    batchLength: batchHeaderBytes - batchLengthOverhead + batch.recordsLength,
    partitionLeaderEpoch: -1,
    magic: batchMagic,
    crc: 0,
    attributes: batch.attributes,
    lastOffsetDelta: batch.lastOffsetDelta,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    producerId: producer?.producerId ?? -1,
    producerEpoch: producer?.producerEpoch ?? -1,
    baseSequence: producer === undefined ? -1 : baseSequence,
    recordCount: batch.recordCount,
  })
  setBatchCrc(header, batchCrc(header, batch.records, crc32c))
  return [header, ...batch.records]
}

/** What need not be sent to be refused. */
export function refusalOf({ batch }: SendPart): Error | undefined {
  if (batch.attributes & (transactionalBit | controlBit)) {
    return new InvalidMessageError('a batch of a transaction cannot be sent')
  }
  if ((batch.attributes & compressionMask) > compressionMax) {
    const type = batch.attributes & compressionMask
    return new UnsupportedCompressionError(`Kafka knows no compression of type ${type}`)
  }
  if (batch.recordCount < 1 || batch.lastOffsetDelta !== batch.recordCount - 1) {
    return new InvalidMessageError('a batch whose offsets are not those of its messages')
  }
  return undefined
}
