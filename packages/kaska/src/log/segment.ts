/**
 * One segment of a partition: the file `<base offset, 20 digits>.log` with its two indexes. All but the
 * last segment of a log are written no more.
 */
import { type IndexShared, type IndexTrust, SegmentIndex } from './segment-index.ts'

const noTrust: IndexTrust = Object.freeze({ position: 0, relativeOffset: 0 })

export class Segment {
  readonly baseOffset: number
  /** `topics/<id>/<base>`, without the ending. */
  readonly path: string
  readonly index: SegmentIndex
  /** Bytes of whole batches in the file; -1 where nobody has looked yet. */
  size: number
  /** Wall time of its first batch; -1 where it has none, or nobody knows. */
  time = -1
  /** Is it written no more, and does its time index end with its largest timestamp? */
  isSealed = false
  /** Its largest timestamp, once that was looked up; it is sealed then. */
  newest: number | undefined
  /** Has the file been made? */
  exists: boolean
  /** From one position up to the other, the CRCs of all batches were computed or checked by this process. */
  #soundFrom = 0
  #soundEnd = 0

  constructor(
    directory: string,
    baseOffset: number,
    shared: IndexShared,
    found?: { readonly size: number; readonly trust: IndexTrust },
  ) {
    this.baseOffset = baseOffset
    this.path = `${directory}/${segmentName(baseOffset)}`
    this.size = found?.size ?? 0
    this.exists = found !== undefined
    // A new segment may find the indexes of one that a crash took away before.
    this.index = new SegmentIndex(this.path, shared, found?.trust ?? noTrust)
  }

  get logPath(): string {
    return `${this.path}.log`
  }

  /** A batch was written, whose CRC is right: what lay behind its position is no more. */
  wrote(position: number, end: number): void {
    if (position < this.#soundFrom || position > this.#soundEnd) this.#soundFrom = position
    this.#soundEnd = end
  }

  /** A batch was read, whose CRC was found to be right. */
  checked(position: number, end: number): void {
    if (this.#soundFrom === this.#soundEnd) this.wrote(position, end)
    else if (position === this.#soundEnd) this.#soundEnd = end
    else if (end === this.#soundFrom) this.#soundFrom = position
  }

  /** Was the CRC of the batch that lies there computed or checked before? */
  isSound(position: number, end: number): boolean {
    return position >= this.#soundFrom && end <= this.#soundEnd
  }
}

/** The offset as it stands in a file's name. */
export function segmentName(baseOffset: number): string {
  return String(baseOffset).padStart(20, '0')
}

/** The base offset in the name of a `.log` file; undefined for any other name. */
export function segmentBaseOf(fileName: string): number | undefined {
  const match = /^(\d{20})\.log$/.exec(fileName)
  if (match === null) return undefined
  const baseOffset = Number(match[1])
  return Number.isSafeInteger(baseOffset) ? baseOffset : undefined
}

/** The directory that a directory lies in; '' is the root. */
export function parentOf(directory: string): string {
  const slash = directory.lastIndexOf('/')
  return slash < 0 ? '' : directory.slice(0, slash)
}
