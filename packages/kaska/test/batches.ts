/** What tests of an `Engine` send and read: batches made of values, and back. */
import {
  type Chunks,
  joinChunks,
  type MessageBatch,
  type PolledBatch,
  RecordDecoder,
  RecordsBuilder,
  type RequestContext,
} from '@kaska/protocol'

export const context: RequestContext = { principal: null, clientId: 'test', address: 'in-process' }

export interface BatchOptions {
  /** Of the first message; each next one is one later. */
  readonly timestamp?: number
  readonly key?: string
}

/** A batch of messages with these values. */
export function batchOf(
  values: readonly (string | Uint8Array | null)[],
  { timestamp = 1000, key }: BatchOptions = {},
): MessageBatch {
  const builder = new RecordsBuilder()
  for (const [index, value] of values.entries()) {
    builder.append({
      key: key === undefined ? null : bytesOf(key),
      value: typeof value === 'string' ? bytesOf(value) : value,
      headers: [],
      timestamp: timestamp + index,
    })
  }
  return {
    attributes: 0,
    baseTimestamp: builder.baseTimestamp,
    maxTimestamp: -1,
    recordCount: builder.recordCount,
    lastOffsetDelta: builder.recordCount - 1,
    records: builder.finish(),
    recordsLength: builder.length,
  }
}

/** The same batch with its records as some compression made them. */
export function compressed(
  batch: MessageBatch,
  type: number,
  compress: (bytes: Uint8Array) => Uint8Array,
): MessageBatch {
  const records = Uint8Array.from(compress(joinChunks(batch.records)))
  return { ...batch, attributes: type, records: [records], recordsLength: records.length }
}

export interface ReadMessage {
  readonly offset: number
  readonly timestamp: number
  readonly value: string | null
}

/** The messages of uncompressed batches. */
export function messagesOf(batches: readonly PolledBatch[]): ReadMessage[] {
  const messages: ReadMessage[] = []
  for (const batch of batches) {
    const decoder = new RecordDecoder(contiguous(batch.records), batch.recordCount)
    for (let record = decoder.next(); record !== undefined; record = decoder.next()) {
      messages.push({
        offset: batch.baseOffset + record.offsetDelta,
        timestamp: batch.baseTimestamp + record.timestampDelta,
        value: record.value === null ? null : new TextDecoder().decode(record.value),
      })
    }
  }
  return messages
}

export function contiguous(chunks: Chunks): Uint8Array {
  return chunks.length === 0 ? new Uint8Array(0) : joinChunks(chunks)
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
