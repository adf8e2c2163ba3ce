/**
 * Produce (key 0), versions 3 to 13: appends one batch a partition, as the views that came off the
 * socket (contract 11). Every append takes its place before anything is awaited, so that requests that
 * are pipelined share syncs. acks 1 and all are answered under the broker's durability rule; acks 0 has
 * no answer, and an error ends the connection.
 *
 * A batch is checked before it is stored: its header and CRC here, its records by the store. Transactions
 * are not served.
 */
import {
  batchCrc,
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  ChunkReader,
  type Chunks,
  chunksLength,
  compressionMask,
  controlBit,
  decodeBatchHeader,
  kafka,
  logAppendTimeBit,
  ProtocolError,
  type SendPartResult,
  type SendRequest,
  type TopicId,
  topicIdBytes,
  transactionalBit,
  UnknownProducerError,
} from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf } from './kafka-error.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

type PartitionRow = kafka.ProduceResponse['responses'][number]['partitionResponses'][number]
type Row = Partial<PartitionRow> & { readonly index: number }
type Stored = SendPartResult & { readonly logStartOffset?: number }

const zstd = 4
/** Versions below do not know zstd (KIP-110); those from the other on have ids in place of names. */
const zstdVersionMin = 7
const topicIdVersionMin = 13
const acksAll = -1
/** Partitions and topics of one large request. */
const partsMax = 100_000

/** A batch that Kafka refuses, with the code for it. */
class Refused {
  readonly code: number
  readonly reason: string
  constructor(code: number, reason: string) {
    this.code = code
    this.reason = reason
  }
}

export const produce = handler({
  key: 0,
  versions: '3-13',
  request: kafka.produceRequest,
  response: kafka.produceResponse,
  isPipelined: true,
  countParts,
  handle: (context, request, version) => {
    const { acks, topicData } = request
    const waiting: Promise<void>[] = []
    let failure: string | undefined
    const responses = topicData.map(({ name, topicId, partitionData }) => {
      const id = version >= topicIdVersionMin ? topicId : undefined
      const topic = findTopic(context, { name, id })
      const partitionResponses = partitionData.map(({ index, records }): Row => {
        const row: { -readonly [K in keyof Row]: Row[K] } = { index }
        const settle = (result: Stored | Refused): void => {
          fill(row, result)
          if (row.errorCode !== undefined) failure ??= `${name}-${index}: error ${row.errorCode}`
        }
        const part = { topic: topic?.id, index, records }
        const result = append(context, request, part, version)
        if (result instanceof Promise) waiting.push(result.then(settle))
        else settle(result)
        return row
      })
      return { name, topicId, partitionResponses }
    })
    const answer = () => {
      if (acks !== 0) return { responses: responses as kafka.ProduceResponse['responses'] }
      if (failure === undefined) return undefined
      throw new ProtocolError(`a batch was refused that wants no answer: ${failure}`)
    }
    // Until all have settled their bytes are needed, whatever became of one of them.
    return waiting.length === 0 ? answer() : allOf(waiting).then(answer)
  },
})

/** Counts the partitions and topics without building anything: a hostile request has millions. */
function countParts(reader: ChunkReader, version: number): number {
  const isFlexible = kafka.inRange(kafka.produceRequest.flexible, version)
  const length = (isWide: boolean): number => {
    if (isFlexible) return reader.varint() - 1
    return isWide ? reader.i32() : reader.i16()
  }
  const skipTags = () => {
    for (let tags = isFlexible ? reader.varint() : 0; tags > 0; tags--) {
      reader.varint()
      reader.skip(reader.varint())
    }
  }
  reader.skip(Math.max(0, length(false)))
  // acks int16, timeout int32.
  reader.skip(6)
  let count = 0
  for (let topics = length(true); topics > 0; topics--) {
    reader.skip(version >= topicIdVersionMin ? topicIdBytes : Math.max(0, length(false)))
    for (let partitions = length(true); partitions > 0; partitions--) {
      reader.skip(4)
      reader.skip(Math.max(0, length(true)))
      skipTags()
      count++
      if (count > partsMax) throw new ProtocolError(`a request has more than ${partsMax} batches`)
    }
    skipTags()
    count++
  }
  return count
}

async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  if (promises.length === 1) return await promises[0]
  await Promise.allSettled(promises)
  await Promise.all(promises)
}

/** Gives a batch its place at once; what is wrong with it is the result. */
function append(
  context: KafkaContext,
  request: kafka.ProduceRequest,
  part: { topic: TopicId | undefined; index: number; records: Chunks | null },
  version: number,
): Promise<Stored> | Refused {
  const { acks, transactionalId } = request
  if (acks < acksAll || acks > 1) {
    return new Refused(errorCode.INVALID_REQUIRED_ACKS, `acks are ${acks}`)
  }
  if (transactionalId !== null) {
    return new Refused(errorCode.INVALID_TXN_STATE, 'transactions are not served')
  }
  if (part.topic === undefined) {
    const code =
      version >= topicIdVersionMin
        ? errorCode.UNKNOWN_TOPIC_ID
        : errorCode.UNKNOWN_TOPIC_OR_PARTITION
    return new Refused(code, 'there is no such topic')
  }
  const send = readBatch(context, { ...part, topic: part.topic }, version)
  if (send instanceof Refused) return send
  return stored(context, send, { topic: part.topic, index: part.index })
}

/**
 * The answer to a producer that is not known needs the log's start: by that its client sees that it may
 * begin a new epoch at sequence 0. Without it the Java client sends the same again until its time is up.
 */
async function stored(
  { broker, request: asker }: KafkaContext,
  send: SendRequest,
  { topic, index }: { topic: TopicId; index: number },
): Promise<Stored> {
  const [result] = (await broker.store.send(send, asker)) as readonly [SendPartResult]
  if (!(result.error instanceof UnknownProducerError)) return result
  const bounds = await broker.store.epochBounds(topic, index, asker).catch(() => undefined)
  return { ...result, logStartOffset: bounds?.startOffset ?? -1 }
}

/** Takes a batch apart: its header, checked, and its records as they came. */
function readBatch(
  { broker }: KafkaContext,
  part: { topic: TopicId; index: number; records: Chunks | null },
  version: number,
): SendRequest | Refused {
  const { topic, index, records } = part
  const length = records === null ? 0 : chunksLength(records)
  if (records === null || length < batchHeaderBytes) {
    return new Refused(errorCode.INVALID_RECORD, 'there is no record batch')
  }
  const reader = new ChunkReader(records, length)
  const headerBytes = reader.bytes(batchHeaderBytes)
  const header = decodeBatchHeader(headerBytes)
  if (header.magic !== batchMagic) {
    return new Refused(errorCode.INVALID_RECORD, `a batch has magic ${header.magic}, not 2`)
  }
  if (header.batchLength + batchLengthOverhead !== length) {
    return new Refused(errorCode.INVALID_RECORD, 'there is not exactly one record batch')
  }
  const { attributes, producerId, producerEpoch, baseSequence } = header
  if ((attributes & compressionMask) === zstd && version < zstdVersionMin) {
    return new Refused(errorCode.UNSUPPORTED_COMPRESSION_TYPE, 'zstd needs version 7')
  }
  const views = reader.rest()
  if (batchCrc(headerBytes, views, broker.crc32c) !== header.crc) {
    return new Refused(errorCode.CORRUPT_MESSAGE, 'the CRC does not match')
  }
  if ((attributes & controlBit) !== 0) {
    return new Refused(errorCode.INVALID_RECORD, 'a client may not write control records')
  }
  if ((attributes & transactionalBit) !== 0) {
    return new Refused(errorCode.INVALID_TXN_STATE, 'transactions are not served')
  }
  if ((attributes & logAppendTimeBit) !== 0) {
    return new Refused(errorCode.INVALID_TIMESTAMP, 'only the broker may stamp at the append')
  }
  const isSequenced = producerId >= 0
  if (isSequenced && (producerEpoch < 0 || baseSequence < 0)) {
    return new Refused(errorCode.INVALID_RECORD, 'a producer id needs an epoch and a sequence')
  }
  const batch = {
    attributes,
    baseTimestamp: header.baseTimestamp,
    maxTimestamp: -1,
    recordCount: header.recordCount,
    lastOffsetDelta: header.lastOffsetDelta,
    records: views,
    recordsLength: length - batchHeaderBytes,
    received: headerBytes,
  }
  const sequence = isSequenced ? baseSequence : -1
  return {
    producer: isSequenced ? { producerId, producerEpoch } : undefined,
    parts: [{ topic, partition: index, baseSequence: sequence, batch }],
  }
}

function fill(row: { -readonly [K in keyof Row]: Row[K] }, result: Stored | Refused): void {
  if (result instanceof Refused) {
    row.errorCode = result.code
    row.errorMessage = result.reason
    row.baseOffset = -1
    return
  }
  if (result.error !== undefined) {
    row.errorCode = codeOf(result.error)
    row.errorMessage = result.error.message
    row.baseOffset = -1
    row.logStartOffset = result.logStartOffset ?? -1
    return
  }
  row.baseOffset = result.baseOffset
  row.logAppendTimeMs = result.appendTimestamp ?? -1
}
