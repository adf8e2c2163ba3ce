/**
 * The segments of a log that is written, in their order: which one takes a batch, and when the next one is
 * begun. Its file is made when the first write needs it.
 */
import type { LogConfig, LogShared } from './log-config.ts'
import { type Place, seal } from './log-place.ts'
import type { LogSyncer } from './log-syncer.ts'
import { Segment } from './segment.ts'

const relativeOffsetMax = 2 ** 31 - 1
const segmentBytesLimit = 2 ** 31 - 1

export class SegmentRow {
  /** Ascending; the last one is written. Shared with readers, changed only here. */
  readonly all: Segment[]
  readonly #directory: string
  readonly #shared: LogShared
  #directoryMade: boolean
  /** The end of a segment that was rolled, until the file of the next one is made. */
  #rolled: { readonly end: Place; readonly next: Segment } | undefined

  constructor(directory: string, shared: LogShared, found: Segment[]) {
    this.#directory = directory
    this.#shared = shared
    this.all = found
    for (const segment of found.slice(0, -1)) segment.isSealed = true
    this.#directoryMade = found.length > 0
  }

  /** The segment that takes a batch of this length behind `next`: the last one, or a new one behind it. */
  forBatch(
    next: Place,
    length: number,
    lastOffset: number,
    now: number,
    config: LogConfig,
  ): Segment {
    const { segment, position } = next
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
    return this.begin(next.offset, now)
  }

  /** A new segment, which begins at the offset. */
  begin(offset: number, now: number): Segment {
    const next = new Segment(this.#directory, offset, this.#shared)
    next.time = now
    this.all.push(next)
    return next
  }

  /** A segment that ends before it is full: its time index ends when the file of the next one is made. */
  rolled(end: Place, next: Segment): void {
    this.#rolled = { end, next }
  }

  /** Makes the directory and the file where they are missing, and opens it. */
  async prepare(segment: Segment, syncer: LogSyncer): Promise<void> {
    const { disk, files } = this.#shared
    if (!this.#directoryMade) {
      await disk.makeDirectory(this.#directory)
      this.#directoryMade = true
      syncer.parentUnsynced = true
    }
    if (syncer.fileOf(segment) !== undefined) return
    const open = await files.acquire(segment.logPath, { create: !segment.exists })
    syncer.opened(segment, open)
    if (segment.exists) return
    segment.exists = true
    syncer.directoryUnsynced = true
    if (this.#rolled?.next === segment) {
      seal(this.#rolled.end)
      this.#rolled = undefined
    }
    // A file of this name can only be what a write left that was taken back.
    await open.file.truncate(0)
  }

  /** Lets go of the segments that lie wholly below the offset, and returns them. */
  dropBelow(offset: number): Segment[] {
    const { all } = this
    let count = 0
    while ((all[count + 1]?.baseOffset ?? Number.POSITIVE_INFINITY) <= offset) count++
    return all.splice(0, count)
  }

  /** Lets go of the segments behind this one, and returns them; undefined: of all. */
  dropBehind(segment: Segment | undefined): Segment[] {
    return this.all.splice(segment === undefined ? 0 : this.all.indexOf(segment) + 1)
  }
}
