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
  type BatchHeader,
  batchCrc,
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  type Chunks,
  type ClosedError,
  DiskFullError,
  decodeBatchHeader,
  encodeBatchHeader,
  hasSameCrc,
  logAppendTimeBit,
  MessageTooLargeError,
  PartitionOfflineError,
  setBatchCrc,
} from '@kaska/protocol'
import { Acknowledgements } from './acknowledgements.ts'
import { AppendQueue } from './append-queue.ts'
import { DiskError } from './disk.ts'
import type { AppendBatch, Appended } from './log-batches.ts'
import type { LogConfig, LogShared } from './log-config.ts'
import { beginningOf, type Place, seal } from './log-place.ts'
import { LogSyncer, type SyncedLog } from './log-syncer.ts'
import { LogTail, TailBatch } from './log-tail.ts'
import type { ProducerEntry, ProducerState } from './producer-state.ts'
import type { RecoveredLog } from './recovery.ts'
import { Segment } from './segment.ts'
import { batchBytes } from './segment-scan.ts'

/** A batch that has its place and is not written yet. */
interface Pending {
  readonly batch: TailBatch
  readonly segment: Segment
  readonly before: Place
  readonly after: Place
  readonly producerBefore: ProducerEntry | undefined
}

/** What the log around it hears. */
export interface WriterEvents {
  /** Are the batches that were written kept in memory? */
  readonly keepsTail: boolean
  /** The high watermark moved, or the log ended. */
  advanced(): void
  /** Something was written for which there is no checkpoint; `urgent` when it is much. */
  wrote(urgent: boolean): void
}

const relativeOffsetMax = 2 ** 31 - 1
const segmentBytesLimit = 2 ** 31 - 1
/** A gathered write that is larger is split, so that nobody waits long for his part. */
const writeBytesMax = 4 * 1024 * 1024
/** A batch of at least this size waits for others in the same turn; so much is written before it ends. */
const gatherBytesMin = 16 * 1024
const gatherBytesMax = 256 * 1024
/** After so many bytes a checkpoint is due, so that a start never has to check much more. */
const checkpointBytes = 256 * 1024 * 1024
const done = Promise.resolve()

export class LogWriter implements SyncedLog {
  config: LogConfig
  /** Ascending; the last one is written. Shared with the reader, changed only here. */
  readonly segments: Segment[]
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
  /** Is a write under way, or about to begin? */
  isWriting = false
  /** Bytes that wait for the end of this turn; -1 while none do. */
  #gatheredBytes = -1
  readonly #syncer: LogSyncer
  readonly #pending = new AppendQueue<Pending>()
  readonly #acknowledgements = new Acknowledgements()
  #isFull = false
  #fullWasSaid = false
  #directoryMade: boolean
  #bytesSinceCheckpoint = 0
  /** The end of a segment that was rolled, until the file of the next one is made. */
  #rolled: { readonly end: Place; readonly next: Segment } | undefined
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
    this.segments = recovered.segments
    this.startOffset = recovered.startOffset
    this.tail = new LogTail(shared.budget)
    this.producers = recovered.producers
    this.offline = recovered.offline
    this.highWatermark = recovered.endOffset
    this.writtenEnd = recovered.endOffset
    this.#directoryMade = recovered.segments.length > 0
    const segment = recovered.segments.at(-1)
    this.#next = {
      segment,
      position: segment?.size ?? 0,
      offset: recovered.endOffset,
      maxTimestamp: recovered.maxTimestamp,
      maxTimestampOffset: recovered.maxTimestampOffset,
      lastEpoch: recovered.lastEpoch,
    }
    // In `os`, what was found is served as it is, and becomes durable with the next checkpoint.
    const isServedUnsynced = recovered.wasChecked && shared.syncMode === 'os'
    const first = recovered.segments[0]?.baseOffset ?? 0
    this.#syncer = new LogSyncer(directory, shared, this, {
      end: isServedUnsynced ? Math.min(recovered.endOffset, first) : recovered.endOffset,
      isNew: !this.#directoryMade,
    })
    if (!isServedUnsynced) return
    for (const found of recovered.segments) if (found.size > 0) this.#syncer.wrote(found)
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

  /** Resolves when all that was placed before the call is on the disk. */
  flush(): Promise<void> {
    const { offset } = this.#next
    if (this.#syncer.durableEnd < offset && this.offline !== undefined) {
      return Promise.reject(this.#offlineError())
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
    const segment = position === 0 ? end.segment : this.#nextSegment(this.#shared.clock.now())
    if (position > 0) this.#rolled = { end, next: segment }
    // Its file must be there even if no batch follows. Either a batch that does makes it, or:
    while (!segment.exists) {
      if (this.isWriting) {
        await this.#ioEnded()
        this.#refuse()
        if (!this.segments.includes(segment)) throw new DiskFullError('the disk is full')
        continue
      }
      this.isWriting = true
      try {
        await this.#prepare(segment)
      } finally {
        // Should it have failed: what was appended meanwhile finds out why.
        this.#pump()
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
    const { segments } = this
    let count = 0
    while ((segments[count + 1]?.baseOffset ?? Number.POSITIVE_INFINITY) <= offset) count++
    const dropped = segments.splice(0, count)
    // A file that stays open takes its space.
    for (const segment of dropped) this.#syncer.release(segment)
    return dropped
  }

  /** Syncs the segment's indexes, up to what is written. */
  async syncIndex(segment: Segment): Promise<void> {
    const { files, syncQueue } = this.#shared
    await segment.index.flushAndSync(async (path) => {
      const open = await files.acquire(path)
      try {
        await syncQueue.run(() => open.file.sync())
      } finally {
        open.release()
      }
    })
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
    const { clock, crc32c, leaderEpoch } = this.#shared
    const { config } = this
    const now = clock.now()
    const before = this.#next
    const { offset } = before
    const lastOffset = offset + batch.lastOffsetDelta
    const segment = this.#segmentFor(length, lastOffset, now)
    const position = segment === before.segment ? before.position : 0
    const isStamped = config.stampAtAppend
    const header: BatchHeader = {
      baseOffset: offset,
      batchLength: length - batchLengthOverhead,
      partitionLeaderEpoch: leaderEpoch,
      magic: batchMagic,
      crc: 0,
      attributes: isStamped ? batch.attributes | logAppendTimeBit : batch.attributes,
      lastOffsetDelta: batch.lastOffsetDelta,
      baseTimestamp: batch.baseTimestamp,
      maxTimestamp: isStamped ? now : batch.maxTimestamp,
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      baseSequence: batch.baseSequence,
      recordCount: batch.recordCount,
    }
    const headerBytes = encodeBatchHeader(header)
    const { received } = batch
    header.crc =
      received !== undefined && hasSameCrc(headerBytes, received)
        ? decodeBatchHeader(received).crc
        : batchCrc(headerBytes, batch.records, crc32c)
    setBatchCrc(headerBytes, header.crc)
    const isNewer = segment !== before.segment || header.maxTimestamp > before.maxTimestamp
    this.#next = {
      segment,
      position: position + length,
      offset: lastOffset + 1,
      maxTimestamp: isNewer ? header.maxTimestamp : before.maxTimestamp,
      maxTimestampOffset: isNewer ? lastOffset : before.maxTimestampOffset,
      lastEpoch: leaderEpoch,
    }
    const producerBefore =
      batch.producerId < 0
        ? undefined
        : this.producers.append(header, offset, Math.floor(clock.monotonic()))
    const placed = new TailBatch(header, headerBytes, batch.records, batch.recordsLength)
    // Until it is written: whoever sent it may let go of it at once, and some want no answer.
    placed.retain(this.#shared.budget)
    this.#pending.push({
      batch: placed,
      segment,
      before,
      after: this.#next,
      producerBefore,
    })
    const acknowledged = this.#acknowledgements.add(lastOffset + 1)
    this.#gather(length)
    return {
      baseOffset: offset,
      appendTimestamp: isStamped ? now : undefined,
      acknowledged,
      duplicate: false,
    }
  }

  /** The segment that takes a batch of this length: the last one, or a new one behind it. */
  #segmentFor(length: number, lastOffset: number, now: number): Segment {
    const { segment, position } = this.#next
    const { config } = this
    if (segment !== undefined) {
      const bytesMax = Math.min(config.segmentBytes, segmentBytesLimit)
      const isFull = position + length > bytesMax
      const isOld = segment.time >= 0 && now - segment.time > config.segmentMs
      const isFar = lastOffset - segment.baseOffset > relativeOffsetMax
      if (position === 0 || !(isFull || isOld || isFar)) {
        if (position === 0) segment.time = now
        return segment
      }
    }
    return this.#nextSegment(now)
  }

  #nextSegment(now: number): Segment {
    const next = new Segment(this.#directory, this.#next.offset, this.#shared)
    next.time = now
    this.segments.push(next)
    this.#next = beginningOf(this.#next, next)
    return next
  }

  /**
   * What comes in together joins one write: a write costs by the call, and a large one costs the
   * operating system less a byte. Small batches come in one piece of the socket, and are written after
   * it; larger ones are waited for until the turn of the event loop ends, but not without end, so that
   * the disk works while the rest still comes in.
   */
  #gather(bytes: number): void {
    if (!this.isWriting) {
      this.isWriting = true
      this.#gatheredBytes = 0
      const gathered = bytes < gatherBytesMin ? done : this.#shared.clock.yield()
      void gathered.then(() => this.#endGathering())
    }
    if (this.#gatheredBytes < 0) return
    this.#gatheredBytes += bytes
    if (this.#gatheredBytes >= gatherBytesMax) this.#endGathering()
  }

  #endGathering(): void {
    if (this.#gatheredBytes < 0) return
    this.#gatheredBytes = -1
    this.#pump()
  }

  /** Writes what is pending, at once as far as the disk allows. */
  #pump(): void {
    for (;;) {
      const first = this.#pending.first()
      if (first === undefined || this.isOver) break
      const open = this.#syncer.fileOf(first.segment)
      if (open === undefined || !first.segment.exists) {
        this.#prepare(first.segment).then(
          () => this.#pump(),
          (error) => this.#failed(error, first),
        )
        return
      }
      const group = this.#takeGroup(first)
      let writing: Promise<void> | undefined
      try {
        writing = open.file.write(
          first.after.position - batchBytes(first.batch.header),
          group.chunks,
        )
      } catch (error) {
        writing = Promise.reject(error)
      }
      if (writing === undefined) {
        this.#wrote(group.count)
      } else {
        // While it is under way nobody may free what it writes, even if all its senders are told that
        // the log has ended.
        const release = this.#hold(group.chunks)
        writing.then(
          () => {
            this.#wrote(group.count)
            release()
            this.#pump()
          },
          (error) => {
            release()
            this.#failed(error, first)
          },
        )
        return
      }
    }
    this.isWriting = false
    this.#syncer.releaseFiles()
    this.#noteIoEnded()
  }

  #hold(chunks: Chunks): () => void {
    const { budget } = this.#shared
    for (const chunk of chunks) budget.retain(chunk.buffer)
    return () => {
      for (const chunk of chunks) budget.releaseBuffer(chunk.buffer)
    }
  }

  /** The views of the pending batches that go to the first one's segment in one write. */
  #takeGroup(first: Pending): { chunks: Uint8Array[]; count: number } {
    const chunks: Uint8Array[] = []
    let count = 0
    let bytes = 0
    for (const { batch, segment } of this.#pending) {
      bytes += batchHeaderBytes + batch.recordsLength
      if (segment !== first.segment || (count > 0 && bytes > writeBytesMax)) break
      chunks.push(batch.headerBytes)
      for (const chunk of batch.records) chunks.push(chunk)
      count++
    }
    return { chunks, count }
  }

  #wrote(count: number): void {
    if (this.isOver) return
    this.#fullWasSaid = false
    for (let index = 0; index < count; index++) {
      const { batch, segment, before, after } = this.#pending.shift() as Pending
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
      if (this.#events.keepsTail) this.tail.push(batch)
      batch.release(this.#shared.budget)
      this.writtenEnd = after.offset
      this.#bytesSinceCheckpoint += length
      this.#syncer.wrote(segment)
      if (segment.index.wantsFlush) void segment.index.flush().catch(() => {})
    }
    this.#events.wrote(this.#bytesSinceCheckpoint > checkpointBytes)
    if (this.#shared.syncMode === 'os') this.#advance(this.writtenEnd)
    if (this.#syncer.isWanted) this.#syncer.request()
  }

  /** Makes the directory and the file where they are missing, and opens it. */
  async #prepare(segment: Segment): Promise<void> {
    const { disk, files } = this.#shared
    if (!this.#directoryMade) {
      await disk.makeDirectory(this.#directory)
      this.#directoryMade = true
      this.#syncer.parentUnsynced = true
    }
    if (this.#syncer.fileOf(segment) !== undefined) return
    const open = await files.acquire(segment.logPath, { create: !segment.exists })
    this.#syncer.opened(segment, open)
    if (segment.exists) return
    segment.exists = true
    this.#syncer.directoryUnsynced = true
    if (this.#rolled?.next === segment) {
      seal(this.#rolled.end)
      this.#rolled = undefined
    }
    // A file of this name can only be what a write left that was taken back.
    await open.file.truncate(0)
  }

  #advance(end: number): void {
    this.highWatermark = end
    this.#acknowledgements.settle(end)
    this.#events.advanced()
  }

  /** A write, or what comes before it, failed: `first` is the first batch that it was to hold. */
  #failed(error: unknown, first: Pending): void {
    const message = (error as Error).message
    if (!(error instanceof DiskError) || error.kind !== 'full') {
      this.goOffline(`a write failed: ${message}`)
    }
    if (this.isOver) {
      this.isWriting = false
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
        this.#pump()
      },
      (cause: Error) => {
        this.goOffline(`a write failed and could not be taken back: ${cause.message}`)
        this.#pump()
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
  #rewind(first: Pending, error: Error): Segment[] {
    this.rewinds++
    for (;;) {
      const pending = this.#pending.pop() as Pending
      pending.batch.release(this.#shared.budget)
      const { header } = pending.batch
      if (header.producerId >= 0) {
        this.producers.restore(header.producerId, pending.producerBefore)
      }
      if (pending === first) break
    }
    this.#acknowledgements.refuseAfter(first.before.offset, error)
    const { before, segment } = first
    this.#next =
      segment !== before.segment && segment.exists ? beginningOf(before, segment) : before
    const kept =
      this.#next.segment === undefined ? 0 : this.segments.indexOf(this.#next.segment) + 1
    const dropped = this.segments.splice(kept)
    this.#syncer.lower(this.#next.offset)
    return dropped
  }

  #rejectAll(error: Error): void {
    for (;;) {
      const pending = this.#pending.pop()
      if (pending === undefined) break
      pending.batch.release(this.#shared.budget)
    }
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
