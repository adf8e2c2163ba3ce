/**
 * The messages of a batch, as a poll brings it, for answers: in bytes of their own, within the memory of
 * answers. What expands to much is expanded piece by piece, so that it holds up nobody else.
 */
import {
  type Chunks,
  type Clock,
  type Codecs,
  compressionMask,
  type Engine,
  InvalidMessageError,
  logAppendTimeBit,
  type PolledBatch,
  RecordDecoder,
  type StoredMessage,
} from '@kaska/protocol'
import type { AnswerMemory } from './answer-memory.ts'

/** What a batch may expand to. */
const expandedBytesMax = 128 * 1024 * 1024
/** Expanded at once is what is compressed to at most so much, and expands to at most so much. */
const compressedAtOnceBytesMax = 64 * 1024
const expandedAtOnceBytesMax = 1024 * 1024

/** Expands the records of a batch piece by piece. Throws InvalidMessageError, UnsupportedCompressionError. */
export type Expander = (
  compression: number,
  records: Chunks,
  bytesMax: number,
) => AsyncIterable<Uint8Array>

/** What answers that read messages have in common. */
export interface Reading {
  readonly engine: Engine
  readonly clock: Clock
  readonly codecs: Codecs
  readonly expander: Expander
  readonly answers: AnswerMemory
}

/**
 * The records section, expanded, in bytes of its own: what was polled can be released. `take` is asked for its
 * length; undefined where that is refused. Rejects with InvalidMessageError, UnsupportedCompressionError.
 */
export async function ownRecords(
  { attributes, records, recordsLength, recordCount }: PolledBatch,
  { codecs, expander, answers }: Pick<Reading, 'codecs' | 'expander' | 'answers'>,
  take: (bytes: number) => boolean,
): Promise<Uint8Array | undefined> {
  // What a cluster has deleted within its log: whatever it says, there is nothing to expand.
  if (recordCount === 0) return new Uint8Array(0)
  const compression = attributes & compressionMask
  if (compression === 0) {
    return take(recordsLength) ? copyOf(records, recordsLength) : undefined
  }
  return await answers.inTurn(async () => {
    const small = expandAtOnce()
    if (small !== undefined) return take(small.length) ? small : undefined
    const pieces: Uint8Array[] = []
    let length = 0
    for await (const piece of expander(compression, records, expandedBytesMax)) {
      if (!take(piece.length)) return undefined
      pieces.push(piece)
      length += piece.length
    }
    return copyOf(pieces, length)
  })

  /** Undefined where it is not small, or not sound. */
  function expandAtOnce(): Uint8Array | undefined {
    if (recordsLength > compressedAtOnceBytesMax) return undefined
    try {
      return codecs(compression).decompress(records, expandedAtOnceBytesMax)
    } catch (error) {
      if (error instanceof InvalidMessageError) return undefined
      throw error
    }
  }
}

/** All messages of a batch, as views of its records. Throws InvalidMessageError. */
export function* messagesOf(
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

/** The offset behind the last one of the batch. */
export function endOf({ baseOffset, lastOffsetDelta }: PolledBatch): number {
  return baseOffset + lastOffsetDelta + 1
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
