/** Messages from an offset on, at most so many: taken apart for people and scripts. */
import {
  OverloadedError,
  type RequestContext,
  type StoredMessage,
  type TopicInfo,
} from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { endOf, messagesOf, ownRecords, type Reading } from './batch-messages.ts'

export interface Range {
  readonly topic: TopicInfo
  readonly partition: number
  readonly offset: number
  /** How many messages, at most. */
  readonly limit: number
  /** How long to wait for the first, in milliseconds. */
  readonly waitMs: number
  /** About how many bytes of batches, expanded; at least one batch is read. */
  readonly bytesMax: number
  /** What a byte of a message takes, decoded and in the answer. */
  readonly bytesPerByte: number
}

/** What a message takes beside its bytes, in memory and as text. */
const messageOverhead = 400

/**
 * `nextOffset`: where to go on. `take` is asked for the memory that each batch needs; where it refuses, the
 * range ends. Rejects as `Engine.poll` and its failures do, and with OverloadedError where not even the
 * first batch is to be had.
 */
export async function readRange(
  { topic, partition, offset, limit, waitMs, bytesMax, bytesPerByte }: Range,
  reading: Reading,
  take: (bytes: number) => boolean,
  asking: RequestContext,
): Promise<{ messages: StoredMessage[]; nextOffset: number }> {
  const messages: StoredMessage[] = []
  const slices = new Slices(reading.clock)
  const takeRecords = (bytes: number) => take(bytes * bytesPerByte)
  let nextOffset = offset
  let bytesLeft = bytesMax
  while (messages.length < limit && bytesLeft > 0) {
    const result = await reading.engine.poll(
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
        asking.signal?.throwIfAborted()
        // What is compressed may become more than was asked for.
        if (bytesLeft <= 0) return { messages, nextOffset }
        const records = await ownRecords(batch, reading, takeRecords)
        const count = Math.min(batch.recordCount, limit - messages.length)
        if (records === undefined || !take(count * messageOverhead)) {
          if (messages.length > 0) return { messages, nextOffset }
          throw new OverloadedError('the broker has no memory free for this answer')
        }
        bytesLeft -= records.length
        for (const message of messagesOf(batch, records, topic.name)) {
          if (slices.isDue) await slices.pause()
          if (message.offset < nextOffset) continue
          messages.push(message)
          nextOffset = message.offset + 1
          if (messages.length === limit) return { messages, nextOffset }
        }
        nextOffset = endOf(batch)
      }
    } finally {
      result.release()
    }
  }
  return { messages, nextOffset }
}
