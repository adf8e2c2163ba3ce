/** Messages from an offset on, at most so many: taken apart for people and scripts. */
import {
  type Codecs,
  type Engine,
  joinChunks,
  logAppendTimeBit,
  type PolledBatch,
  RecordDecoder,
  type RequestContext,
  type StoredMessage,
  type TopicInfo,
} from '@kaska/protocol'

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
}

/** What a batch may expand to. */
const expandedBytesMax = 128 * 1024 * 1024

/** `nextOffset`: where to go on. Rejects as `Engine.poll` and its failures do. */
export async function readRange(
  { topic, partition, offset, limit, waitMs, bytesMax }: Range,
  { engine, codecs }: { readonly engine: Engine; readonly codecs: Codecs },
  asking: RequestContext,
): Promise<{ messages: StoredMessage[]; nextOffset: number }> {
  const messages: StoredMessage[] = []
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
        if (messages.length === limit) break
        bytesLeft -= batch.recordsLength
        for (const message of await messagesOf(batch, topic.name, codecs)) {
          if (message.offset < nextOffset) continue
          messages.push(message)
          nextOffset = message.offset + 1
          if (messages.length === limit) break
        }
        if (messages.length < limit) nextOffset = batch.baseOffset + batch.lastOffsetDelta + 1
      }
    } finally {
      result.release()
    }
  }
  return { messages, nextOffset }
}

/** All messages of a batch, with bytes of their own. */
async function messagesOf(
  batch: PolledBatch,
  topic: string,
  codecs: Codecs,
): Promise<StoredMessage[]> {
  const compression = batch.attributes & 7
  const bytes =
    compression === 0
      ? joinChunks(batch.records)
      : await codecs(compression).decompress(batch.records, expandedBytesMax)
  // What was read is given back: nothing of it may stay.
  const own = compression === 0 ? new Uint8Array(bytes) : bytes
  const decoder = new RecordDecoder(own, batch.recordCount)
  const stamped = (batch.attributes & logAppendTimeBit) !== 0
  const messages: StoredMessage[] = []
  for (;;) {
    const record = decoder.next()
    if (record === undefined) return messages
    const { offsetDelta, timestampDelta, key, value, headers } = record
    messages.push({
      topic,
      partition: batch.partition,
      offset: batch.baseOffset + offsetDelta,
      timestamp: stamped ? batch.maxTimestamp : batch.baseTimestamp + timestampDelta,
      key,
      value,
      headers,
    })
  }
}
