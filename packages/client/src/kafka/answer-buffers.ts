/**
 * The buffers that the answer to a fetch came in: freed when the last who has batches of it lets go, and not when
 * the garbage collector finds them (docs/decisions/0006-freed-buffers.md).
 *
 * Who is told of batches holds them at once, before any other can let go. Who never lets go (its poll was aborted,
 * or its messages are the program's) leaves them to the garbage collector.
 */
import type { Chunks } from '@kaska/protocol'

/** What lies before an answer in its first chunk: length, correlation id, an empty tag buffer. */
const headBytesMax = 9
/** A small buffer is not worth the call that frees it. */
const freedBytesMin = 4096

export class AnswerBuffers {
  readonly #buffers: ArrayBuffer[] = []
  /** Who fetches is one, until all have been told. */
  #holders = 1

  /** Enters what holds nothing but the answer: with bytes of another one it is somebody else's too. */
  take(answer: Chunks): void {
    for (const { buffer, byteOffset, byteLength } of answer) {
      const isAlone = byteOffset <= headBytesMax && byteOffset + byteLength === buffer.byteLength
      if (isAlone && byteLength >= freedBytesMin) this.#buffers.push(buffer as ArrayBuffer)
    }
  }

  hold(): void {
    this.#holders++
  }

  /** The opposite of one `hold`. */
  release(): void {
    this.#holders--
    if (this.#holders > 0) return
    for (const buffer of this.#buffers.splice(0)) buffer.transfer(0)
  }
}
