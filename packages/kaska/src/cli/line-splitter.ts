/**
 * Cuts a stream of bytes into lines at each newline (0x0a), and at nothing else: a line may hold any
 * other byte. An empty line is a line, and so is what follows the last newline, if it is not empty.
 *
 *     "a\n\nb"  ->  "a" "" "b"          "a\n"  ->  "a"          ""  ->  nothing
 *
 * Lines are views of the chunks wherever they lie in one; only a line that spans chunks is joined.
 */
import { copyChunks } from '@kaska/protocol'
import { CommandError } from './failure.ts'

const newline = 0x0a

export class LineSplitter {
  readonly #lineBytesMax: number
  /** The beginning of a line whose end has not come yet. */
  #parts: Uint8Array[] = []
  #partsBytes = 0
  #lines = 0

  /** A line longer than `lineBytesMax` is an error: memory stays bounded. */
  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  /** How many lines were given out. */
  get lines(): number {
    return this.#lines
  }

  /** The lines that end in this chunk. Throws CommandError where one is too long. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, void> {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(newline, start)
      if (end === -1) break
      const line = this.#take(chunk.subarray(start, end))
      start = end + 1
      yield line
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  /** The last line, where the stream ended without a newline. */
  *finish(): Generator<Uint8Array, void, void> {
    if (this.#partsBytes > 0) yield this.#take(new Uint8Array(0))
  }

  #take(last: Uint8Array): Uint8Array {
    this.#keep(last)
    const [first = last] = this.#parts
    const line = this.#parts.length <= 1 ? first : copyChunks(this.#parts)
    this.#parts = []
    this.#partsBytes = 0
    this.#lines++
    return line
  }

  #keep(part: Uint8Array): void {
    if (part.length === 0) return
    this.#partsBytes += part.length
    if (this.#partsBytes > this.#lineBytesMax) {
      throw new CommandError(
        `line ${this.#lines + 1} is longer than ${this.#lineBytesMax} bytes`,
        'send it with --file, if the topic takes it',
      )
    }
    this.#parts.push(part)
  }
}
