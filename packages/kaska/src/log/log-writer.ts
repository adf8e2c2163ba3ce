/**
 * The writing half of a log: gives each batch its place, writes, syncs, and says when.
 *
 *   append ──place──▶ pending ──write──▶ written ──sync──▶ durable
 *            │                             │                  │
 *        nextOffset                    writtenEnd         durableEnd
 *
 *   high watermark = writtenEnd (`os`) or durableEnd (`always`); always a batch boundary
 *
 * A place is given at once, in the order of the calls, with the producer's sequence checked. What is
 * appended in one turn of the event loop, or while a write is under way, leaves in one gathered write;
 * one sync covers everything that was written before it began. A write that finds the disk full takes
 * back every place from its first batch on, so nothing leaves a gap; any other failure of a write or
 * a sync takes the log offline.
 */
import {
  batchHeaderBytes,
  type ClosedError,
  DiskFullError,
  MessageTooLargeError,
  PartitionOfflineError,
} from '@kaska/protocol'
import { Acknowledgements } from './acknowledgements.ts'
import { placeBatch } from './batch-placing.ts'
import { DiskError } from './disk.ts'
import type { AppendBatch, Appended } from './log-batches.ts'
import type { LogConfig, LogShared, SyncMode } from './log-config.ts'
import { beginningOf, type Place, placeBehind, seal } from './log-place.ts'
import { LogSyncer, type SyncedLog } from './log-syncer.ts'
import { LogTail } from './log-tail.ts'
import { type PendingBatch, PendingWrites, type WrittenLog } from './pending-writes.ts'
import type { ProducerState } from './producer-state.ts'
import type { RecoveredLog } from './recovery.ts'
import type { Segment } from './segment.ts'
import { SegmentRow } from './segment-row.ts'
import { batchBytes } from './segment-scan.ts'

/** What the log around it hears. */
export interface WriterEvents {
  /** How much of what was written last is kept in memory. */
  readonly tailBytesMax: () => number
  /** The high watermark moved, or the log ended. */
  advanced(): void
  /** Something was written for which there is no checkpoint; `urgent` when it is much. */
  wrote(urgent: boolean): void
}

/**
 * After so many bytes a checkpoint is due, so that a start never has to check much more. In `os` it is the checkpoint
 * that has to sync them, which takes more of the processor than to take them in did (docs/decisions/0028).
 */
const checkpointBytes: Readonly<Record<SyncMode, number>> = {
  always: 256 * 1024 * 1024,
  os: 1024 * 1024 * 1024,
}
const done = Promise.resolve()

export class LogWriter implements SyncedLog, WrittenLog {
  config: LogConfig
  readonly tail: LogTail
  readonly producers: ProducerState
  /** Why nothing can be appended any more. */
  offline: string | undefined
  /** Set by the end of the log: what appends are told from then on. */
  ended: ClosedError | undefined
  highWatermark: number
  /** The first offset that readers may see. It never goes back; `LogFront` moves it. */
  startOffset: number
  /** How often places were taken back. */
  rewinds = 0

  readonly #directory: string
  readonly #shared: LogShared
  readonly #events: WriterEvents
  #next: Place
  /** Behind the last batch that was written. */
  writtenEnd: number
  readonly #segments: SegmentRow
  readonly #syncer: LogSyncer
  readonly #writes: PendingWrites
  readonly #acknowledgements = new Acknowledgements()
  #isFull = false
  #fullWasSaid = false
  #bytesSinceCheckpoint = 0
  #ioWaiters: (() => void)[] = []

  constructor(
    directory: string,
    config: LogConfig,
    shared: LogShared,
    recovered: RecoveredLog,
    events: WriterEvents,
  ) {
    this.#directory = directory
    this.config = config
    this.#shared = shared
    this.#events = events
    this.#segments = new SegmentRow(directory, shared, recovered.segments)
    this.startOffset = recovered.startOffset
    this.tail = new LogTail(shared.budget)
    this.producers = recovered.producers
    this.offline = recovered.offline
    this.highWatermark = recovered.endOffset
    this.writtenEnd = recovered.endOffset
    this.#next = placeBehind(recovered)
    // In `os`, what was found is served as it is, and becomes durable with the next checkpoint.
    const isServedUnsynced = recovered.wasChecked && shared.syncMode === 'os'
    const first = recovered.segments[0]?.baseOffset ?? 0
    this.#syncer = new LogSyncer(directory, shared, this, {
      end: isServedUnsynced ? Math.min(recovered.endOffset, first) : recovered.endOffset,
      isNew: recovered.segments.length === 0,
    })
    this.#writes = new PendingWrites(shared, this.#syncer, this)
    if (!isServedUnsynced) return
    for (const found of recovered.segments) if (found.size > 0) this.#syncer.wrote(found)
  }

  /** Ascending; the last one is written. Shared with the reader. */
  get segments(): Segment[] {
    return this.#segments.all
  }

  /** Is a write under way, or about to begin? */
  get isWriting(): boolean {
    return this.#writes.isWriting
  }

  /** Where the next batch goes. */
  get next(): Place {
    return this.#next
  }

  append(batch: AppendBatch): Appended {
    this.#refuse()
    const { config } = this
    const length = batchHeaderBytes + batch.recordsLength
    if (length > config.maxMessageBytes) {
      throw new MessageTooLargeError(
        `the batch has ${length} bytes, max.message.bytes is ${config.maxMessageBytes}`,
      )
    }
    if (batch.producerId >= 0) {
      const known = this.producers.check(batch)
      if (known !== undefined) {
        return {
          baseOffset: known.baseOffset,
          appendTimestamp: config.stampAtAppend ? known.timestamp : undefined,
          acknowledged:
            known.lastOffset < this.highWatermark
              ? done
              : this.#acknowledgements.of(known.lastOffset + 1),
          duplicate: true,
        }
      }
    }
    return this.#place(batch, length)
  }

  /** Resolves when all that was placed before the call is on the disk. Rejects with ClosedError,
   * PartitionOfflineError. */
  flush(): Promise<void> {
    const { offset } = this.#next
    if (this.#syncer.durableEnd < offset && this.isOver) {
      return Promise.reject(this.ended ?? this.#offlineError())
    }
    return this.#syncer.flush(offset)
  }

  /** Begins a new segment, if the last one holds anything; returns its first offset. */
  async roll(): Promise<number> {
    this.#refuse()
    const end = this.#next
    const { position, offset } = end
    if (end.segment === undefined || (position === 0 && end.segment.exists)) return offset
    // One that is empty was begun before, and its file could not be made.
    const segment =
      position === 0 ? end.segment : this.#segments.begin(offset, this.#shared.clock.now())
    if (position > 0) {
      this.#next = beginningOf(end, segment)
      this.#segments.rolled(end, segment)
    }
    // Its file must be there even if no batch follows. Either a batch that does makes it, or:
    while (!segment.exists) {
      if (this.isWriting) {
        await this.#ioEnded()
        this.#refuse()
        if (!this.segments.includes(segment)) throw new DiskFullError('the disk is full')
        continue
      }
      this.#writes.start()
      try {
        await this.prepare(segment)
      } finally {
        // Should it have failed: what was appended meanwhile finds out why.
        this.#writes.pump()
      }
    }
    try {
      await this.#shared.disk.syncDirectory(this.#directory)
    } catch (error) {
      this.goOffline(`a sync failed: ${(error as Error).message}`)
      throw this.#offlineError()
    }
    return offset
  }

  /**
   * Lets go of the segments that lie wholly below the offset, and returns them: their files are the
   * caller's to remove. All that they hold was synced.
   */
  dropBelow(offset: number): Segment[] {
    const dropped = this.#segments.dropBelow(offset)
    // A file that stays open takes its space.
    for (const segment of dropped) this.#syncer.release(segment)
    return dropped
  }

  /** A checkpoint begins: what is written from now on counts for the next one. */
  startCheckpoint(): void {
    this.#bytesSinceCheckpoint = 0
  }

  /** Ends the writing; what is not acknowledged is told `error`. Resolves when no I/O is under way. */
  async end(error: ClosedError): Promise<void> {
    this.ended ??= error
    this.#rejectAll(error)
    while (this.isWriting || this.#syncer.isSyncing) await this.#ioEnded()
    this.#syncer.releaseFiles()
    this.tail.clear()
    this.#events.advanced()
  }

  goOffline(reason: string): void {
    if (this.offline !== undefined || this.ended !== undefined) return
    this.offline = reason
    const text = `${this.#directory} is offline: ${reason}`
    this.#shared.report({ kind: 'offline', directory: this.#directory, text })
    this.#rejectAll(this.#offlineError())
    this.tail.cutFrom(this.highWatermark)
    this.#events.advanced()
  }

  get isOver(): boolean {
    return this.ended !== undefined || this.offline !== undefined
  }

  synced(end: number): void {
    if (this.#shared.syncMode === 'always') this.#advance(end)
  }

  syncFailed(error: Error): void {
    this.goOffline(`a sync failed: ${error.message}`)
  }

  syncEnded(): void {
    this.#noteIoEnded()
  }

  /** Throws ClosedError, PartitionOfflineError: the log's files are left as they are from then on. */
  refuse(): void {
    if (this.ended !== undefined) throw this.ended
    if (this.offline !== undefined) throw this.#offlineError()
  }

  #refuse(): void {
    this.refuse()
    if (this.#isFull) throw new DiskFullError('the disk is full')
  }

  #offlineError(): PartitionOfflineError {
    return new PartitionOfflineError(`${this.#directory} is offline: ${this.offline}`)
  }

  #place(batch: AppendBatch, length: number): Appended {
    const { config } = this
    const { clock } = this.#shared
    const now = clock.now()
    const stampedAt = config.stampAtAppend ? now : undefined
    const before = this.#next
    const lastOffset = before.offset + batch.lastOffsetDelta
    const segment = this.#segments.forBatch(before, length, lastOffset, now, config)
    if (segment !== before.segment) this.#next = beginningOf(before, segment)
    const { placed, after } = placeBatch(batch, before, segment, stampedAt, this.#shared)
    this.#next = after
    const producerBefore =
      batch.producerId < 0
        ? undefined
        : this.producers.append(placed.header, before.offset, Math.floor(clock.monotonic()))
    const acknowledged = this.#acknowledgements.add(lastOffset + 1)
    this.#writes.push({ batch: placed, segment, before, after, producerBefore }, length)
    return {
      baseOffset: before.offset,
      appendTimestamp: stampedAt,
      acknowledged,
      duplicate: false,
    }
  }

  prepare(segment: Segment): Promise<void> {
    return this.#segments.prepare(segment, this.#syncer)
  }

  wrote({ batch, segment, before, after }: PendingBatch): void {
    if (before.segment !== segment) seal(before)
    const length = batchBytes(batch.header)
    const time = {
      timestamp: after.maxTimestamp,
      relativeOffset: after.maxTimestampOffset - segment.baseOffset,
    }
    const relativeOffset = after.offset - 1 - segment.baseOffset
    const interval = this.config.indexIntervalBytes
    segment.index.note(after.position - length, length, relativeOffset, time, interval)
    segment.size = after.position
    segment.wrote(after.position - length, after.position)
    this.tail.push(batch)
    this.tail.trim(this.#events.tailBytesMax())
    this.writtenEnd = after.offset
    this.#bytesSinceCheckpoint += length
    this.#syncer.wrote(segment)
    if (segment.index.wantsFlush) void segment.index.flush().catch(() => {})
  }

  wroteAll(): void {
    this.#fullWasSaid = false
    this.#events.wrote(this.#bytesSinceCheckpoint > checkpointBytes[this.#shared.syncMode])
    if (this.#shared.syncMode === 'os') this.#advance(this.writtenEnd)
    if (this.#syncer.isWanted) this.#syncer.request()
  }

  writeEnded(): void {
    this.#syncer.releaseFiles()
    this.#noteIoEnded()
  }

  #advance(end: number): void {
    this.highWatermark = end
    this.#acknowledgements.settle(end)
    this.#events.advanced()
  }

  writeFailed(error: unknown, first: PendingBatch): void {
    const message = (error as Error).message
    if (!(error instanceof DiskError) || error.kind !== 'full') {
      this.goOffline(`a write failed: ${message}`)
    }
    if (this.isOver) {
      this.#writes.stop()
      this.#noteIoEnded()
      return
    }
    this.#isFull = true
    const refused = new DiskFullError(`the disk is full: ${message}`, { cause: error })
    const dropped = this.#rewind(first, refused)
    if (!this.#fullWasSaid) {
      this.#fullWasSaid = true
      const text = `${this.#directory}: ${message}; what is sent is refused until there is space`
      this.#shared.report({ kind: 'disk-full', directory: this.#directory, text })
    }
    this.#takeBack(dropped).then(
      () => {
        this.#isFull = false
        this.#writes.pump()
      },
      (cause: Error) => {
        this.goOffline(`a write failed and could not be taken back: ${cause.message}`)
        this.#writes.pump()
      },
    )
  }

  /** Cuts off what the failed write left, and removes the segments that begin behind it. */
  async #takeBack(dropped: readonly Segment[]): Promise<void> {
    const { segment, position } = this.#next
    const file = segment && this.#syncer.fileOf(segment)?.file
    await file?.truncate(position)
    // Else a crash could bring back what its sender was told is not kept.
    await file?.sync()
    for (const gone of dropped) {
      this.#syncer.release(gone)
      this.#shared.files.forget(gone.logPath)
      if (gone.exists) await this.#shared.disk.remove(gone.logPath)
    }
  }

  /**
   * Takes back every place from `first` on, the last one first. Returns the segments that are no part
   * of the log any more.
   */
  #rewind(first: PendingBatch, error: Error): Segment[] {
    this.rewinds++
    for (;;) {
      const pending = this.#writes.pop() as PendingBatch
      const { header } = pending.batch
      if (header.producerId >= 0) {
        this.producers.restore(header.producerId, pending.producerBefore)
      }
      if (pending === first) break
    }
    this.#acknowledgements.refuseAfter(first.before.offset, error)
    const { before, segment } = first
    // Where the file of a new segment is there, it stays: what comes next goes there.
    const isBegun = segment !== before.segment && segment.exists
    if (isBegun) seal(before)
    this.#next = isBegun ? beginningOf(before, segment) : before
    const dropped = this.#segments.dropBehind(this.#next.segment)
    this.#syncer.lower(this.#next.offset)
    return dropped
  }

  #rejectAll(error: Error): void {
    while (this.#writes.pop() !== undefined);
    this.#acknowledgements.refuseAfter(-1, error)
    this.#syncer.refuseAll(error)
  }

  /** Resolves when the writing that is under way, or the sync, has ended. */
  #ioEnded(): Promise<void> {
    return new Promise((resolve) => {
      this.#ioWaiters.push(resolve)
    })
  }

  #noteIoEnded(): void {
    if (this.#ioWaiters.length === 0) return
    for (const resolve of this.#ioWaiters.splice(0)) resolve()
  }
}
