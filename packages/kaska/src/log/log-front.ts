/**
 * The front of a log, where messages are deleted: by retention, and because somebody asks for it.
 *
 *   [ segment ][ segment ][ segment ][ segment that is written ]
 *        wholly below the start |
 *        ^ removed              ^ startOffset: nothing before it is read
 *
 *   1. the checkpoint with the new start is written and synced, and its name
 *   2. readers are refused what lies before it
 *   3. the segments that lie wholly before it leave the log, and their files are removed
 *
 * A crash before 1 is over changes nothing, or all of it without the removal; one behind it leaves files
 * below the start, which the next opening removes. So what was said to be deleted is never read again.
 * Only where a full disk has no room for a checkpoint, 3 comes first, for the oldest segments that no
 * start looks for: a power failure just then may bring some of them back, until they are deleted again.
 *
 * One deletion is made at a time. Reads under way keep the files that they have open.
 */
import { DiskFullError, OffsetOutOfRangeError, PartitionOfflineError } from '@kaska/protocol'
import { DiskError } from './disk.ts'
import type { LogCheckpointer } from './log-checkpointer.ts'
import type { LogShared } from './log-config.ts'
import type { LogReader } from './log-reader.ts'
import type { LogWriter } from './log-writer.ts'
import type { Segment } from './segment.ts'

export interface RetentionResult {
  /** How many segments were deleted. */
  readonly deleted: number
  /** Wall time at which there may be something to delete, if nothing else happens; or Infinity. */
  readonly due: number
}

/** What there is to be deleted. */
interface Excess {
  /** Behind the last segment that is too much. */
  readonly end: number
  /** The segment that is written, if it is the last one of them. */
  readonly written: Segment | undefined
  readonly due: number
}

export class LogFront {
  readonly #directory: string
  readonly #shared: LogShared
  readonly #writer: LogWriter
  readonly #reader: LogReader
  readonly #checkpointer: LogCheckpointer
  /** Called when segments have left the log. */
  readonly #dropped: () => void
  /** The age of a segment without any timestamp counts from here where nothing better is known. */
  readonly #openedAt: number
  #deleting: Promise<unknown> = Promise.resolve()

  constructor(
    directory: string,
    shared: LogShared,
    parts: { writer: LogWriter; reader: LogReader; checkpointer: LogCheckpointer },
    dropped: () => void,
  ) {
    this.#directory = directory
    this.#shared = shared
    this.#writer = parts.writer
    this.#reader = parts.reader
    this.#checkpointer = parts.checkpointer
    this.#dropped = dropped
    this.#openedAt = shared.clock.now()
  }

  /**
   * Deletes what `retention.ms` and `retention.bytes` no longer keep, by Kafka's rules: whole segments
   * below the high watermark, from the first one on; the segment that is written is ended and deleted
   * if it is too old as a whole. The age of a segment is that of its largest timestamp; where it has
   * none, that of its file. `now` is wall time. Rejects with DiskFullError, PartitionOfflineError.
   */
  applyRetention(now: number): Promise<RetentionResult> {
    return this.#inTurn(async () => {
      const { end, written, due } = await this.#excess(now)
      if (written !== undefined) {
        const { segment, offset } = this.#writer.next
        if (segment !== written || offset !== end) {
          // What was appended since it was looked at is not too old.
          return { deleted: await this.#moveStart(written.baseOffset), due: now }
        }
        await this.#roll()
      }
      return { deleted: await this.#moveStart(end), due }
    })
  }

  /**
   * Makes `offset`, which is at most the end, the start, durably. Rejects with OffsetOutOfRangeError,
   * DiskFullError, PartitionOfflineError, ClosedError.
   */
  deleteBefore(offset: number): Promise<void> {
    return this.#inTurn(async () => {
      const { startOffset, highWatermark: endOffset } = this.#writer
      if (offset > endOffset) {
        const text = `offset ${offset} is outside of ${startOffset} to ${endOffset}`
        throw new OffsetOutOfRangeError(text, { startOffset, endOffset })
      }
      if (offset <= startOffset) return
      // Nothing of the last segment is kept: it need not stay.
      if (offset === this.#writer.next.offset) await this.#roll()
      await this.#moveStart(offset)
    })
  }

  /** Removes what a crash has left below the start. Never rejects. */
  async tidy(): Promise<void> {
    const { segments, startOffset } = this.#writer
    if ((segments[1]?.baseOffset ?? Number.POSITIVE_INFINITY) > startOffset) return
    try {
      await this.#inTurn(async () => {
        // The process before may have been killed before the name of its checkpoint was durable.
        await this.#shared.disk.syncDirectory(this.#directory)
        await this.#removeBelow(startOffset)
      })
    } catch (error) {
      this.#reportRemoval(error)
    }
  }

  /** Resolves when no deletion is under way. */
  async idle(): Promise<void> {
    await this.#deleting
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#deleting.then(async () => {
      this.#writer.refuse()
      try {
        return await task()
      } catch (error) {
        this.#writer.refuse()
        if (!(error instanceof DiskError)) throw error
        const text = `${this.#directory}: ${error.message}`
        if (isFull(error)) throw new DiskFullError(text, { cause: error })
        throw new PartitionOfflineError(text, { cause: error })
      }
    })
    this.#deleting = turn.catch(() => {})
    return turn
  }

  async #excess(now: number): Promise<Excess> {
    const { config, highWatermark } = this.#writer
    const { retentionMs, retentionBytes } = config
    const segments = [...this.#writer.segments]
    let bytes = 0
    if (retentionBytes !== undefined) {
      for (const segment of segments) bytes += await this.#sizeOf(segment)
    }
    let end = segments[0]?.baseOffset ?? 0
    for (const [index, segment] of segments.entries()) {
      const isLast = index === segments.length - 1
      const segmentEnd = segments[index + 1]?.baseOffset ?? this.#writer.next.offset
      const excess = { end, written: undefined }
      const isEmpty = isLast && segmentEnd === segment.baseOffset
      if (isEmpty) return { ...excess, due: Number.POSITIVE_INFINITY }
      if (segmentEnd > highWatermark) return { ...excess, due: now }
      const isBelow = !isLast && segmentEnd <= this.#writer.startOffset
      const size = retentionBytes === undefined ? 0 : await this.#sizeOf(segment)
      const isMuch = retentionBytes !== undefined && bytes - size >= retentionBytes
      if (!isBelow && !isMuch) {
        if (retentionMs === undefined) return { ...excess, due: Number.POSITIVE_INFINITY }
        const due = (await this.#newestOf(segment)) + retentionMs + 1
        if (now < due) return { ...excess, due }
      }
      bytes -= size
      end = segmentEnd
    }
    return { end, written: segments.at(-1), due: Number.POSITIVE_INFINITY }
  }

  async #roll(): Promise<void> {
    try {
      await this.#writer.roll()
    } catch (error) {
      if (!isFull(error) || !(await this.#shared.giveUpReserve())) throw error
      await this.#writer.roll()
    }
  }

  /** Returns how many segments were deleted. */
  async #moveStart(offset: number): Promise<number> {
    let freed = 0
    let hasReserve = true
    while (this.#writer.startOffset < offset) {
      try {
        await this.#checkpointer.moveStart(offset)
      } catch (error) {
        if (!isFull(error)) throw error
        hasReserve &&= await this.#shared.giveUpReserve()
        if (hasReserve) {
          hasReserve = false
          continue
        }
        const count = await this.#removeFirst(offset)
        if (count === 0) throw error
        freed += count
      }
    }
    return freed + (await this.#removeBelow(offset))
  }

  /**
   * Without a checkpoint: removes the segments below the offset that a start does not look for, and so
   * moves the start to where what is left begins. Needs no space.
   */
  async #removeFirst(offset: number): Promise<number> {
    const writer = this.#writer
    const limit = Math.min(offset, this.#checkpointer.base ?? offset)
    const first = writer.segments.findLast(({ baseOffset }) => baseOffset <= limit)
    if (first === undefined || first === writer.segments[0]) return 0
    await writer.flush()
    writer.startOffset = Math.max(writer.startOffset, first.baseOffset)
    return await this.#removeBelow(first.baseOffset, true)
  }

  /**
   * What lies below the offset is flushed, and no start looks for it. `isOrdered`: each removal is durable
   * before the next one, so that nothing but the first segments can be missing.
   */
  async #removeBelow(offset: number, isOrdered = false): Promise<number> {
    const { disk, files } = this.#shared
    // It syncs the indexes of segments that it finds in the log.
    await this.#checkpointer.idle()
    const dropped = this.#writer.dropBelow(offset)
    if (dropped.length === 0) return 0
    this.#dropped()
    for (const segment of dropped) {
      await segment.index.quiet()
      segment.index.forget()
      try {
        // What is forgotten before it is removed may be opened anew meanwhile, and keep its space.
        for (const ending of ['.log', '.index', '.timeindex']) {
          await disk.remove(segment.path + ending)
        }
        if (isOrdered) await disk.syncDirectory(this.#directory)
      } catch (error) {
        // The next opening tries again.
        this.#reportRemoval(error)
        if (isOrdered) return dropped.length
      }
      segment.index.forget()
      files.forget(segment.logPath)
    }
    return dropped.length
  }

  #reportRemoval(error: unknown): void {
    if (this.#writer.isOver) return
    const text = `${this.#directory}: what was deleted cannot be removed: ${(error as Error).message}`
    this.#shared.report({ kind: 'removal-failed', directory: this.#directory, text })
  }

  /** The largest timestamp, or what stands for it. */
  async #newestOf(segment: Segment): Promise<number> {
    const { next } = this.#writer
    const isWritten = segment === next.segment
    if (isWritten && next.maxTimestamp >= 0) return next.maxTimestamp
    if (segment.newest !== undefined) return segment.newest
    let newest = isWritten ? -1 : await this.#reader.largestTimestamp(segment)
    if (newest < 0) newest = await this.#writtenAt(segment)
    // It is looked up once, unless it may still be written.
    if (segment.isSealed) segment.newest = newest
    return newest
  }

  async #writtenAt(segment: Segment): Promise<number> {
    const open = await this.#shared.files.acquire(segment.logPath)
    try {
      const time = await open.file.modifiedAt?.()
      return time ?? (segment.time >= 0 ? segment.time : this.#openedAt)
    } finally {
      open.release()
    }
  }

  /** The bytes of all segments; undefined where the size of one is not known yet. */
  get knownBytes(): number | undefined {
    let bytes = 0
    for (const { size, exists } of this.#writer.segments) {
      if (size < 0 && exists) return undefined
      bytes += Math.max(0, size)
    }
    return bytes
  }

  /** The bytes of all segments, by their files where nobody has looked yet. Rejects with DiskError. */
  async bytes(): Promise<number> {
    let bytes = 0
    for (const segment of [...this.#writer.segments]) {
      if (segment.size >= 0) bytes += segment.size
      else if (segment.exists) bytes += await this.#sizeOf(segment)
    }
    return bytes
  }

  async #sizeOf(segment: Segment): Promise<number> {
    if (segment.size >= 0) return segment.size
    const open = await this.#shared.files.acquire(segment.logPath)
    try {
      segment.size = await open.file.size()
      return segment.size
    } finally {
      open.release()
    }
  }
}

function isFull(error: unknown): boolean {
  return error instanceof DiskFullError || (error instanceof DiskError && error.kind === 'full')
}
