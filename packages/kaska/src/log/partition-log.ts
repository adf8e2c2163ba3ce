/**
 * The log of one partition: the append-only queue of contract 14, kept as record batches in a
 * directory of segments, in Kafka's own on-disk format.
 *
 *   topics/<topic id>-<partition>/
 *     00000000000000000000.log  .index  .timeindex      a segment, by its first offset
 *     00000000000000052417.log                          the one that is written
 *     checkpoint                                        up to where all was synced, and the producers
 *     00000000000000052417.cut-1                        what a recovery cut off and moved aside
 *
 * Readers see [startOffset, endOffset), whole batches, in order, and what they have seen stays: the
 * end is the high watermark, which moves only when the sync mode's promise is kept. The parts:
 * `LogWriter` places, writes and syncs; `LogTail` is its end in memory; `LogReader` reads the disk;
 * `LogFront` deletes where it begins; `LogCheckpointer` remembers what is durable; `recoverLog` judges
 * what a start finds. `delete` and retention take files away at once; reads under way still finish.
 */
import {
  ClosedError,
  DiskFullError,
  OffsetOutOfRangeError,
  PartitionOfflineError,
} from '@kaska/protocol'
import { DiskError } from './disk.ts'
import type { AppendBatch, Appended, CrcChecks, StoredBatches } from './log-batches.ts'
import { LogCheckpointer } from './log-checkpointer.ts'
import type { LogConfig, LogShared } from './log-config.ts'
import type { LogExtent } from './log-extent.ts'
import { LogFront, type RetentionResult } from './log-front.ts'
import { LogReader, noBatches } from './log-reader.ts'
import type { TailBatch } from './log-tail.ts'
import { LogWriter } from './log-writer.ts'
import { ProducerState } from './producer-state.ts'
import { type RecoveredLog, recoverLog } from './recovery.ts'
import { batchBytes } from './segment-scan.ts'

export interface PartitionLogOptions {
  /** Relative to the disk: `topics/<topicId>-<partition>`. Made at the first append, not before. */
  readonly directory: string
  readonly config: LogConfig
  readonly shared: LogShared
  /**
   * How much of what was written last is kept in memory; as much as all logs together may keep unless said. Asked for
   * each batch.
   */
  readonly tailBytesMax?: () => number
  /** Called when the log was closed or deleted. */
  readonly ended?: () => void
}

/** How many ends of epochs are remembered. */
const epochEndsMax = 16

export class PartitionLog {
  readonly directory: string
  readonly #shared: LogShared
  readonly #writer: LogWriter
  readonly #reader: LogReader
  readonly #checkpointer: LogCheckpointer
  readonly #front: LogFront
  readonly #ended: (() => void) | undefined
  #listeners: Set<() => void> | undefined
  /** What `#epochEnd` has found; undefined until somebody asks. */
  #epochEnds: Map<number, ReturnType<LogReader['epochEnd']>> | undefined

  /**
   * Opens and recovers. Damage does not throw: the log comes up with `offline` set. Rejects with
   * DiskFullError where there is no space to move a torn tail aside.
   */
  static async open(options: PartitionLogOptions): Promise<PartitionLog> {
    const { directory, config, shared } = options
    let recovered: RecoveredLog
    try {
      recovered = await recoverLog(directory, config, shared)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // Nothing is wrong with the log: whoever tries again will find space some time.
      if (error.kind === 'full') throw new DiskFullError(error.message, { cause: error })
      recovered = unreadable(`it cannot be opened: ${error.message}`)
      const text = `${directory} is offline: ${recovered.offline}`
      shared.report({ kind: 'offline', directory, text })
    }
    const log = new PartitionLog(options, recovered)
    await log.#front.tidy()
    return log
  }

  private constructor(options: PartitionLogOptions, recovered: RecoveredLog) {
    const { directory, config, shared } = options
    this.directory = directory
    this.#shared = shared
    this.#ended = options.ended
    const writer = new LogWriter(directory, config, shared, recovered, {
      tailBytesMax: options.tailBytesMax ?? (() => Number.POSITIVE_INFINITY),
      advanced: () => this.#wake(),
      wrote: (urgent) => this.#checkpointer.noteWritten(urgent),
    })
    const reader = new LogReader(writer, shared)
    const { checkpointBase } = recovered
    const checkpointer = new LogCheckpointer(directory, shared, writer, checkpointBase)
    this.#writer = writer
    this.#reader = reader
    this.#checkpointer = checkpointer
    this.#front = new LogFront(directory, shared, { writer, reader, checkpointer }, () => {
      this.#epochEnds = undefined
    })
    if (recovered.wasChecked && recovered.offline === undefined) checkpointer.noteWritten(false)
  }

  /** The first offset that is still there. */
  get startOffset(): number {
    return this.#writer.startOffset
  }

  /** The high watermark: the synced end in `always`, the written end in `os`; a batch boundary. */
  get endOffset(): number {
    return this.#writer.highWatermark
  }

  /** The leader epoch of the last batch; -1 in an empty log. */
  get lastEpoch(): number {
    return this.#writer.next.lastEpoch
  }

  /** Why the partition takes no appends any more; undefined while it does. */
  get offline(): string | undefined {
    return this.#writer.offline
  }

  /** What it holds; undefined where the size of a segment was not looked up yet: see `extent`. */
  get knownExtent(): LogExtent | undefined {
    const bytes = this.#front.knownBytes
    if (bytes === undefined) return undefined
    const { startOffset, endOffset } = this
    return { startOffset, endOffset, bytes }
  }

  /** What it holds. Rejects with DiskError. */
  async extent(): Promise<LogExtent> {
    const bytes = await this.#front.bytes()
    const { startOffset, endOffset } = this
    return { startOffset, endOffset, bytes }
  }

  /** May be replaced at any time. */
  get config(): LogConfig {
    return this.#writer.config
  }

  set config(config: LogConfig) {
    this.#writer.config = config
  }

  /**
   * Takes the batch's place in the log, at once. Throws MessageTooLargeError, DiskFullError,
   * PartitionOfflineError, OutOfOrderSequenceError, ProducerFencedError, UnknownProducerError,
   * ClosedError; then nothing was appended.
   */
  append(batch: AppendBatch): Appended {
    return this.#writer.append(batch)
  }

  /**
   * Whole batches from the one that holds `offset` on, below the high watermark: as many as
   * `bytesMax` takes, but at least one; none when `offset` is the end. At once when they are in
   * memory, else after one read from the disk. Throws or rejects with OffsetOutOfRangeError,
   * PartitionOfflineError, ClosedError, and the signal's reason.
   */
  read(
    offset: number,
    bytesMax: number,
    signal?: AbortSignal,
    crcs: CrcChecks = 'each',
  ): StoredBatches | Promise<StoredBatches> {
    return this.readMemory(offset, bytesMax) ?? this.#reader.read(offset, bytesMax, signal, crcs)
  }

  /** The same where it needs no look at the disk; undefined where it does. */
  readMemory(offset: number, bytesMax: number): StoredBatches | undefined {
    this.#checkRange(offset)
    if (offset === this.endOffset) return noBatches
    const tailStart = this.#writer.tail.startOffset
    if (tailStart === undefined || offset < tailStart) return undefined
    return this.#holdInMemory(this.#writer.tail.read(offset, this.endOffset, bytesMax))
  }

  /**
   * The first offset whose timestamp is at or after the given one, below the high watermark. For a
   * compressed batch it is the batch's first offset.
   */
  async offsetAt(timestamp: number): Promise<number | undefined> {
    if (this.#writer.ended !== undefined) throw this.#writer.ended
    return this.#reader.offsetAt(timestamp)
  }

  /**
   * The largest timestamp of all that was appended before the call, which readers can see when this
   * resolves; undefined in an empty log.
   */
  async maxTimestamp(): Promise<number | undefined> {
    if (this.#writer.ended !== undefined) throw this.#writer.ended
    const { segments, next } = this.#writer
    const before = segments.filter((segment) => segment !== next.segment)
    await this.flush()
    let largest = next.position > 0 ? next.maxTimestamp : undefined
    for (const segment of before) {
      try {
        const newest = await this.#reader.largestTimestamp(segment)
        if (newest > (largest ?? -1)) largest = newest
      } catch (error) {
        // Deleted meanwhile: it holds nothing any more.
        if (!(error instanceof OffsetOutOfRangeError)) throw error
      }
    }
    return largest
  }

  /**
   * The end of the largest epoch that is at most `epoch` (KIP-101); epoch -1 and the start offset
   * where the log has only later ones.
   */
  async endOffsetForEpoch(epoch: number): Promise<{ epoch: number; endOffset: number }> {
    if (this.#writer.ended !== undefined) throw this.#writer.ended
    if (epoch >= this.lastEpoch) return { epoch: this.lastEpoch, endOffset: this.endOffset }
    const { epochBefore, endOffset } = await this.#epochEnd(epoch)
    if (epochBefore < 0) return { epoch: -1, endOffset: this.startOffset }
    return { epoch: epochBefore, endOffset: Math.max(endOffset, this.startOffset) }
  }

  /** Where an epoch that is over ended: looked up on the disk once, since a reader of old messages asks
   * with every poll, and nothing below the high watermark changes. */
  #epochEnd(epoch: number): ReturnType<LogReader['epochEnd']> {
    this.#epochEnds ??= new Map()
    const known = this.#epochEnds.get(epoch)
    if (known !== undefined) return known
    const found = this.#reader.epochEnd(epoch)
    const epochEnds = this.#epochEnds
    epochEnds.set(epoch, found)
    found.catch(() => epochEnds.delete(epoch))
    const [oldest] = epochEnds.keys()
    if (epochEnds.size > epochEndsMax && oldest !== undefined) epochEnds.delete(oldest)
    return found
  }

  /** Calls back whenever the high watermark or the start has moved, or the log went offline, closed or
   * deleted. */
  onAdvance(callback: () => void): () => void {
    this.#listeners ??= new Set()
    const listeners = this.#listeners
    listeners.add(callback)
    return () => listeners.delete(callback)
  }

  /** Resolves when all that was appended before the call is durable, in both sync modes. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  /**
   * Ends the segment that is written, if it holds anything; returns the first offset of the one that
   * is written from now on. Rejects as `append` throws.
   */
  roll(): Promise<number> {
    return this.#writer.roll()
  }

  /** How often batches that were given a place were taken back, the disk being full. */
  get rewinds(): number {
    return this.#writer.rewinds
  }

  /** Deletes what is too old or too much: see `LogFront`. `now` is wall time. */
  applyRetention(now: number): Promise<RetentionResult> {
    return this.#tellStart(() => this.#front.applyRetention(now))
  }

  /** Makes `offset`, which is at most the end, the start, durably: see `LogFront`. */
  deleteBefore(offset: number): Promise<void> {
    return this.#tellStart(() => this.#front.deleteBefore(offset))
  }

  /** Makes durable what was written, and remembers it as `checkpoint-file.ts` says. Never rejects. */
  checkpoint(): Promise<void> {
    return this.#checkpointer.checkpoint()
  }

  /** Waits for what is under way, makes it durable, and writes the checkpoint. */
  async close(): Promise<void> {
    if (this.#writer.ended === undefined) {
      await this.#front.idle()
      await this.flush().catch(() => {})
      await this.checkpoint()
    }
    await this.#end(new ClosedError(`${this.directory} is closed`))
  }

  /** Ends the log and removes its directory; reads under way still finish. */
  async delete(): Promise<void> {
    const { disk, files } = this.#shared
    await this.#end(new ClosedError(`${this.directory} was deleted`))
    await this.#front.idle()
    await this.#checkpointer.idle()
    for (const { index } of this.#writer.segments) {
      await index.quiet()
      index.forget()
    }
    try {
      await disk.remove(this.directory)
    } finally {
      // What is forgotten before it is removed may be opened anew meanwhile, and keep its space.
      for (const segment of this.#writer.segments) {
        segment.index.forget()
        files.forget(segment.logPath)
      }
    }
  }

  async #end(error: ClosedError): Promise<void> {
    this.#shared.checkpoints.remove(this.#checkpointer)
    await this.#writer.end(error)
    this.#reader.forget()
    this.#epochEnds = undefined
    this.#ended?.()
  }

  #checkRange(offset: number): void {
    const { ended, offline } = this.#writer
    if (ended !== undefined) throw ended
    const { startOffset, endOffset } = this
    if (offset >= startOffset && offset <= endOffset) {
      // At the end of an offline log nothing will ever come.
      if (offset < endOffset || offline === undefined) return
    }
    if (offline !== undefined) {
      throw new PartitionOfflineError(`${this.directory} is offline: ${offline}`)
    }
    throw new OffsetOutOfRangeError(
      `offset ${offset} is outside of ${startOffset} to ${endOffset}`,
      { startOffset, endOffset },
    )
  }

  #holdInMemory(batches: readonly TailBatch[]): StoredBatches {
    const { budget } = this.#shared
    let bytes = 0
    for (const batch of batches) {
      batch.retain(budget)
      bytes += batchBytes(batch.header)
    }
    const release = () => {
      for (const batch of batches) batch.release(budget)
    }
    return { batches, bytes, release }
  }

  /** Wakes who waits if the task moves the start. */
  async #tellStart<T>(task: () => Promise<T>): Promise<T> {
    const { startOffset } = this
    try {
      return await task()
    } finally {
      if (this.startOffset !== startOffset) this.#wake()
    }
  }

  #wake(): void {
    if (this.#listeners === undefined) return
    for (const listener of this.#listeners) listener()
  }
}

/** A log of which nothing can be read. */
function unreadable(reason: string): RecoveredLog {
  return {
    segments: [],
    startOffset: 0,
    endOffset: 0,
    lastEpoch: -1,
    maxTimestamp: -1,
    maxTimestampOffset: -1,
    producers: new ProducerState(),
    offline: reason,
    wasChecked: false,
    checkpointBase: undefined,
  }
}
