/**
 * The entries of Kafka's two sparse index files, as bytes: big-endian, without gaps, ascending.
 *
 *   .index      relative offset int32, position int32     the last offset of the batch at the position
 *   .timeindex  timestamp int64, relative offset int32    the largest timestamp of all batches up to
 *                                                         the one that has this last offset
 *
 * Offsets are relative to the segment's base offset. Both columns ascend strictly in `.index`; in
 * `.timeindex` the timestamps do, and the offsets with them.
 */

export const offsetEntryBytes = 8
export const timeEntryBytes = 12

export interface OffsetEntry {
  readonly relativeOffset: number
  readonly position: number
}

export interface TimeEntry {
  readonly timestamp: number
  readonly relativeOffset: number
}

/** An index file in memory. */
export class IndexEntries {
  readonly bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offsetCount(): number {
    return Math.floor(this.bytes.length / offsetEntryBytes)
  }

  get timeCount(): number {
    return Math.floor(this.bytes.length / timeEntryBytes)
  }

  offsetEntry(index: number): OffsetEntry {
    const at = index * offsetEntryBytes
    return { relativeOffset: this.#view.getInt32(at), position: this.#view.getInt32(at + 4) }
  }

  timeEntry(index: number): TimeEntry {
    const at = index * timeEntryBytes
    const timestamp = this.#view.getInt32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4)
    return { timestamp, relativeOffset: this.#view.getInt32(at + 8) }
  }

  /** The last entry whose offset is at most this one. */
  offsetFloor(relativeOffset: number): OffsetEntry | undefined {
    const index = lastIndex(
      this.offsetCount,
      (at) => this.#view.getInt32(at * offsetEntryBytes) <= relativeOffset,
    )
    return index < 0 ? undefined : this.offsetEntry(index)
  }

  /** The last entry whose timestamp is below this one: all up to its offset is older. */
  timeBelow(timestamp: number): TimeEntry | undefined {
    const index = lastIndex(this.timeCount, (at) => this.timeEntry(at).timestamp < timestamp)
    return index < 0 ? undefined : this.timeEntry(index)
  }

  /**
   * How many entries from the first on ascend and lie before this position and offset. Zeros, which a
   * crash may leave, are no entry: the first batch of a segment has none.
   */
  soundOffsetCount(position: number, relativeOffset: number): number {
    let before: OffsetEntry = { relativeOffset: 0, position: 0 }
    for (let index = 0; index < this.offsetCount; index++) {
      const entry = this.offsetEntry(index)
      const ascends =
        entry.relativeOffset > before.relativeOffset && entry.position > before.position
      if (!ascends || entry.position >= position || entry.relativeOffset >= relativeOffset) {
        return index
      }
      before = entry
    }
    return this.offsetCount
  }

  /** The same for the time index. */
  soundTimeCount(relativeOffset: number): number {
    let before: TimeEntry = { timestamp: 0, relativeOffset: -1 }
    for (let index = 0; index < this.timeCount; index++) {
      const entry = this.timeEntry(index)
      const ascends =
        entry.relativeOffset > before.relativeOffset && entry.timestamp > before.timestamp
      if (!ascends || entry.relativeOffset >= relativeOffset) return index
      before = entry
    }
    return this.timeCount
  }
}

export function encodeOffsetEntries(entries: readonly OffsetEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * offsetEntryBytes)
  const view = new DataView(bytes.buffer)
  for (const [index, entry] of entries.entries()) {
    view.setInt32(index * offsetEntryBytes, entry.relativeOffset)
    view.setInt32(index * offsetEntryBytes + 4, entry.position)
  }
  return bytes
}

export function encodeTimeEntries(entries: readonly TimeEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * timeEntryBytes)
  const view = new DataView(bytes.buffer)
  for (const [index, entry] of entries.entries()) {
    const at = index * timeEntryBytes
    view.setInt32(at, Math.floor(entry.timestamp / 0x1_0000_0000))
    view.setUint32(at + 4, entry.timestamp >>> 0)
    view.setInt32(at + 8, entry.relativeOffset)
  }
  return bytes
}

function lastIndex(count: number, isBefore: (index: number) => boolean): number {
  let low = -1
  let high = count - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (isBefore(middle)) low = middle
    else high = middle - 1
  }
  return low
}
