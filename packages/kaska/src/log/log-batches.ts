/** What goes into a log, and what comes out of it. */
import type { BatchHeader, Chunks, MessageBatch } from '@kaska/protocol'

/** A batch to append: the log adds the offset, the leader epoch, the header and the CRC. */
export interface AppendBatch extends MessageBatch {
  /** -1 without a producer, as the epoch and the sequence then are. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** What an append was given before anything was written. */
export interface Appended {
  readonly baseOffset: number
  /** Set where the topic stamps at the append: the timestamp of all the batch's records. */
  readonly appendTimestamp: number | undefined
  /**
   * Resolves when the sync mode's promise is kept; rejects with DiskFullError (nothing was kept) or
   * PartitionOfflineError (unknown). Need not be handled.
   */
  readonly acknowledged: Promise<void>
  /** A repeated send of a batch that the log has: `baseOffset` is the first one's. */
  readonly duplicate: boolean
}

/** A batch as it is stored; all bytes are views that nobody changes. */
export interface StoredBatch {
  readonly header: BatchHeader
  /** The 61 bytes of the header. */
  readonly headerBytes: Uint8Array
  readonly records: Chunks
  readonly recordsLength: number
}

/**
 * At each read, or `once`: not again where this process has computed or checked it before. That is for
 * readers who are given the CRC along with the batch, and look at it themselves.
 */
export type CrcChecks = 'each' | 'once'

/** What a read returns. `release` is to be called once, when the views are no longer needed. */
export interface StoredBatches {
  /** Ascending; the first may begin before the offset that was asked for. */
  readonly batches: readonly StoredBatch[]
  /** Headers and records together. */
  readonly bytes: number
  release(): void
}
