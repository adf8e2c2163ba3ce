/**
 * The log of one partition: an append-only queue of record batches in a directory of segments, in
 * Kafka's own on-disk format.
 *
 * This file is the interface; what it guarantees is being written.
 */
import type { BatchHeader, Chunks, MessageBatch } from '@kaska/protocol'
import type { LogConfig, LogShared } from './log-config.ts'

export interface PartitionLogOptions {
  /** Relative to the disk: `topics/<topicId>-<partition>`. Made at the first append, not before. */
  readonly directory: string
  readonly config: LogConfig
  readonly shared: LogShared
}

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

/** What a read returns. `release` is to be called once, when the views are no longer needed. */
export interface StoredBatches {
  /** Ascending; the first may begin before the offset that was asked for. */
  readonly batches: readonly StoredBatch[]
  /** Headers and records together. */
  readonly bytes: number
  release(): void
}

export class PartitionLog {
  /** Opens and recovers. Damage does not throw: the log comes up with `offline` set. */
  static open(_options: PartitionLogOptions): Promise<PartitionLog> {
    throw new Error('not built yet')
  }

  /** The first offset that is still there. */
  get startOffset(): number {
    throw new Error('not built yet')
  }

  /** The high watermark: the synced end in `always`, the written end in `os`; a batch boundary. */
  get endOffset(): number {
    throw new Error('not built yet')
  }

  /** The leader epoch of the last batch below `endOffset`; -1 in an empty log. */
  get lastEpoch(): number {
    throw new Error('not built yet')
  }

  /** Why the partition takes no appends any more; undefined while it does. */
  get offline(): string | undefined {
    throw new Error('not built yet')
  }

  /** May be replaced at any time. */
  config!: LogConfig

  /**
   * Takes the batch's place in the log, at once. Throws MessageTooLargeError, DiskFullError,
   * PartitionOfflineError, OutOfOrderSequenceError, ProducerFencedError, UnknownProducerError,
   * ClosedError; then nothing was appended.
   */
  append(_batch: AppendBatch): Appended {
    throw new Error('not built yet')
  }

  /**
   * Whole batches from the one that holds `offset` on, below the high watermark: as many as
   * `bytesMax` takes, but at least one; none when `offset` is the end. At once when they are in
   * memory, else after one read from the disk. Throws or rejects with OffsetOutOfRangeError,
   * PartitionOfflineError, and the signal's reason.
   */
  read(
    _offset: number,
    _bytesMax: number,
    _signal?: AbortSignal,
  ): StoredBatches | Promise<StoredBatches> {
    throw new Error('not built yet')
  }

  /** The first offset whose timestamp is at or after the given one, below the high watermark. */
  offsetAt(_timestamp: number): Promise<number | undefined> {
    throw new Error('not built yet')
  }

  /**
   * The end of the largest epoch that is at most `epoch` (KIP-101); epoch -1 and the start offset
   * where the log has only later ones.
   */
  endOffsetForEpoch(_epoch: number): Promise<{ epoch: number; endOffset: number }> {
    throw new Error('not built yet')
  }

  /** Calls back whenever the high watermark has moved, or the log went offline, closed or deleted. */
  onAdvance(_callback: () => void): () => void {
    throw new Error('not built yet')
  }

  /** Deletes whole old segments by retention; returns how many. `now` is wall time. */
  applyRetention(_now: number): Promise<number> {
    throw new Error('not built yet')
  }

  /** Makes `offset` the start; segments wholly below it are deleted. */
  deleteBefore(_offset: number): Promise<void> {
    throw new Error('not built yet')
  }

  /** Resolves when all that was appended before the call is durable, in both sync modes. */
  flush(): Promise<void> {
    throw new Error('not built yet')
  }

  /** Waits for what is under way, makes it durable, and writes the checkpoint. */
  close(): Promise<void> {
    throw new Error('not built yet')
  }

  /** Ends the log and removes its directory; reads under way still finish. */
  delete(): Promise<void> {
    throw new Error('not built yet')
  }
}
