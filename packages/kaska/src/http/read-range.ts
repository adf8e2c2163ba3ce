/** Messages from an offset on, at most so many: taken apart for people and scripts. */
import {
  type Chunks,
  type Clock,
  type Codecs,
  type Engine,
  logAppendTimeBit,
  OverloadedError,
  type PolledBatch,
  RecordDecoder,
  type RequestContext,
  type StoredMessage,
  type TopicInfo,
} from '@kaska/protocol'
import { Slices } from './slices.ts'

/** Of a batch's attributes. */
const compressionBits = 7

export interface Range {
  readonly topic: TopicInfo
  readonly partition: number
  readonly offset: number
  /** How many messages, at most. */
  readonly limit: number
  /** How long to wait for the first, in milliseconds. */
  readonly waitMs: number
  /** About how many bytes of batches; at least one batch is read. */
  readonly bytesMax: number
  /** What a byte of a message takes, decoded and in the answer. */
  readonly bytesPerByte: number
}

/** What a batch may expand to. */
const expandedBytesMax = 128 * 1024 * 1024

export interface RangeParts {
  readonly engine: Engine
  readonly codecs: Codecs
  readonly clock: Clock
  /** Runs what expands a batch in its turn. */
  inTurn<T>(expand: () => Promise<T>): Promise<T>
}

/**
 * `nextOffset`: where to go on. `take` is asked for the memory that each batch needs; where it refuses, the
 * range ends. Rejects as `Engine.poll` and its failures do, and with OverloadedError where not even the
 * first batch is to be had.
 */
export async function readRange(
  { topic, partition, offset, limit, waitMs, bytesMax, bytesPerByte }: Range,
  { engine, codecs, clock, inTurn }: RangeParts,
  take: (bytes: number) => boolean,
  asking: RequestContext,
): Promise<{ messages: StoredMessage[]; nextOffset: number }> {
  const messages: StoredMessage[] = []
  const slices = new Slices(clock)
  const takeRecords = (bytes: number) => take(bytes * bytesPerByte)
  /** The records section, expanded, in bytes of its own: what was read is given back. Undefined where there
   * is no memory for it. */
  const ownRecords = async (batch: PolledBatch): Promise<Uint8Array | undefined> => {
    const { attributes, records, recordsLength } = batch
    const compression = attributes & compressionBits
    if (compression === 0) {
      return takeRecords(recordsLength) ? copyOf(records, recordsLength) : undefined
    }
    const expand = async () => codecs(compression).decompress(records, expandedBytesMax)
    const expanded = await inTurn(expand)
    return takeRecords(expanded.length) ? expanded : undefined
  }
  let nextOffset = offset
  let bytesLeft = bytesMax
  while (messages.length < limit && bytesLeft > 0) {
    const result = await engine.poll(
      {
        parts: [{ topic: topic.id, partition, offset: nextOffset }],
        waitMs: messages.length === 0 ? waitMs : 0,
        bytesMax: bytesLeft,
      },
      asking,
    )
    try {
      const [failure] = result.failures
      if (failure !== undefined) throw failure.error
      if (result.batches.length === 0) break
      for (const batch of result.batches) {
        bytesLeft -= batch.recordsLength
        const records = await ownRecords(batch)
        if (records === undefined) {
          if (messages.length > 0) return { messages, nextOffset }
          throw new OverloadedError('the broker has no memory free for this answer')
        }
        for (const message of messagesOf(batch, records, topic.name)) {
          const pause = slices.round()
          if (pause !== undefined) await pause
          if (message.offset < nextOffset) continue
          messages.push(message)
          nextOffset = message.offset + 1
          if (messages.length === limit) return { messages, nextOffset }
        }
        nextOffset = batch.baseOffset + batch.lastOffsetDelta + 1
      }
    } finally {
      result.release()
    }
  }
  return { messages, nextOffset }
}

/** All messages of a batch, as views of its records. */
function* messagesOf(
  batch: PolledBatch,
  records: Uint8Array,
  topic: string,
): IterableIterator<StoredMessage> {
  const decoder = new RecordDecoder(records, batch.recordCount)
  const stamped = (batch.attributes & logAppendTimeBit) !== 0
  for (;;) {
    const record = decoder.next()
    if (record === undefined) return
    const { offsetDelta, timestampDelta, key, value, headers } = record
    yield {
      topic,
      partition: batch.partition,
      offset: batch.baseOffset + offsetDelta,
      timestamp: stamped ? batch.maxTimestamp : batch.baseTimestamp + timestampDelta,
      key,
      value,
      headers,
    }
  }
}

function copyOf(chunks: Chunks, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  return bytes
}
