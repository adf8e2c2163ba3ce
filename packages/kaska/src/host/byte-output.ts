/**
 * Standard output as bytes: gathered into blocks, sent as one gathered write each, in order. What was
 * appended is not changed on its way; large pieces are not copied either.
 *
 * `send` resolves when the operating system has the bytes, so a caller that waits for it is as slow
 * as its reader (back pressure), and knows what was really written out. When the reader goes away
 * every later `send` rejects with BrokenPipeError, and `broken` is aborted.
 */
import type { Writable } from 'node:stream'

/** The program that read our output has gone: no failure, but the end of the work. */
export class BrokenPipeError extends Error {
  override readonly name = 'BrokenPipeError'
}

/** Pieces below this size are copied into the block: a view of its own for each would cost more. */
const copiedBytesMax = 4096
const blockBytes = 65_536

const encoder = new TextEncoder()

export class ByteOutput {
  readonly #stream: Writable
  readonly #broken = new AbortController()
  #failure: Error | undefined
  #chunks: Uint8Array[] = []
  #block: Uint8Array = new Uint8Array(0)
  #blockStart = 0
  #blockEnd = 0
  #pendingBytes = 0

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', (error: NodeJS.ErrnoException) => this.#fail(error))
  }

  /** Aborted when the reader has gone. */
  get broken(): AbortSignal {
    return this.#broken.signal
  }

  /** Bytes appended and not sent. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Takes a large piece by reference: it must not change until `send` has settled. */
  bytes(bytes: Uint8Array): void {
    this.#pendingBytes += bytes.length
    if (bytes.length >= copiedBytesMax) {
      this.#seal()
      this.#chunks.push(bytes)
      return
    }
    this.#reserve(bytes.length)
    this.#block.set(bytes, this.#blockEnd)
    this.#blockEnd += bytes.length
  }

  text(text: string): void {
    // A code unit of UTF-16 is at most three bytes of UTF-8.
    if (text.length * 3 >= copiedBytesMax) {
      this.bytes(encoder.encode(text))
      return
    }
    this.#reserve(text.length * 3)
    const { written } = encoder.encodeInto(text, this.#block.subarray(this.#blockEnd))
    this.#blockEnd += written
    this.#pendingBytes += written
  }

  /**
   * Sends what was appended. Resolves when the operating system has it; rejects with
   * BrokenPipeError, or with the error of the file that it went to.
   */
  send(): Promise<void> {
    this.#seal()
    const chunks = this.#chunks
    this.#chunks = []
    this.#pendingBytes = 0
    return new Promise((resolve, reject) => {
      const last = chunks.pop()
      if (this.#failure !== undefined) reject(this.#failure)
      else if (last === undefined) resolve()
      else {
        this.#stream.cork()
        for (const chunk of chunks) this.#stream.write(chunk)
        this.#stream.write(last, (error) => {
          if (error) reject(this.#fail(error))
          else resolve()
        })
        this.#stream.uncork()
      }
    })
  }

  #fail(error: NodeJS.ErrnoException): Error {
    const isPipe = error.code === 'EPIPE' || error.code === 'ECONNRESET'
    this.#failure ??= isPipe
      ? new BrokenPipeError('the reader of standard output has gone')
      : new Error(`standard output cannot be written: ${error.message}`, { cause: error })
    this.#broken.abort(this.#failure)
    return this.#failure
  }

  #reserve(length: number): void {
    if (this.#blockEnd + length <= this.#block.length) return
    this.#seal()
    this.#block = new Uint8Array(blockBytes)
    this.#blockStart = 0
    this.#blockEnd = 0
  }

  #seal(): void {
    if (this.#blockEnd === this.#blockStart) return
    this.#chunks.push(this.#block.subarray(this.#blockStart, this.#blockEnd))
    this.#blockStart = this.#blockEnd
  }
}
