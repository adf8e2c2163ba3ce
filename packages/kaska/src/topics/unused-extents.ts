/** What those partitions of a topic hold that nobody has used since the start; small, as a topic is. */
import type { LogExtent } from '../log/log-extent.ts'

export class UnusedExtents {
  messages = 0
  bytes = 0
  /** Of those that hold something, by their numbers. */
  readonly #extents: (LogExtent | undefined)[] = []

  put(number: number, extent: LogExtent): void {
    this.#extents[number] = extent
    this.messages += messagesIn(extent)
    this.bytes += extent.bytes
  }

  /** It is used from now on. */
  take(number: number): LogExtent | undefined {
    const extent = this.#extents[number]
    if (extent === undefined) return undefined
    this.#extents[number] = undefined
    this.messages -= messagesIn(extent)
    this.bytes -= extent.bytes
    return extent
  }
}

/** Offsets between its start and its end. */
export function messagesIn({ startOffset, endOffset }: LogExtent): number {
  return endOffset - startOffset
}
