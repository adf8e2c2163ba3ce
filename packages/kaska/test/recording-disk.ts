/** A disk that keeps what goes through it, by identity: for proofs that no byte is copied. */
import type { Chunks } from '@kaska/protocol'
import type { Disk, DiskFile } from '../src/log/disk.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'

export class RecordingDisk extends MemoryDisk {
  /** Every view that was written, by the file's path. */
  readonly written: { path: string; view: Uint8Array }[] = []
  /** Every buffer that was read into. */
  readonly readInto: { path: string; view: Uint8Array }[] = []

  override async open(path: string, options?: { create?: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options)
    const { written, readInto } = this
    return {
      path: file.path,
      size: () => file.size(),
      read: (position, into) => {
        readInto.push({ path, view: into })
        return file.read(position, into)
      },
      write: (position, chunks) => {
        for (const view of chunks) written.push({ path, view })
        return file.write(position, chunks)
      },
      sync: () => file.sync(),
      truncate: (length) => file.truncate(length),
      close: () => file.close(),
    } satisfies DiskFile as DiskFile
  }
}

/** A stretch of memory. */
export interface Range {
  readonly buffer: ArrayBufferLike
  readonly start: number
  readonly end: number
}

/** Where the bytes from `start` to `end` of the views' sequence lie in memory. */
export function rangesOf(views: Chunks, start = 0, end = Number.POSITIVE_INFINITY): Range[] {
  const ranges: Range[] = []
  let position = 0
  for (const view of views) {
    const from = Math.max(start, position)
    const to = Math.min(end, position + view.length)
    if (from < to) {
      const base = view.byteOffset - position
      ranges.push({ buffer: view.buffer, start: base + from, end: base + to })
    }
    position += view.length
  }
  return ranges
}

/** Those of the ranges that do not lie, by identity, within one of the views. */
export function missingFrom(ranges: readonly Range[], views: readonly Uint8Array[]): Range[] {
  return ranges.filter(
    (range) =>
      !views.some(
        (view) =>
          view.buffer === range.buffer &&
          view.byteOffset <= range.start &&
          view.byteOffset + view.length >= range.end,
      ),
  )
}

export type { Disk }
