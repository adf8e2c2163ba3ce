/**
 * Cuts the bytes of a connection into frames.
 *
 * Where the transport lets its receiver say where bytes are to land (`buffer`, `filled`), no byte of
 * a message or a name is copied (contract 11):
 *
 *   1. at most `headBytes` of a frame land in a small buffer that is used again and again,
 *   2. the rest of that frame lands in one buffer of exactly its size, behind a copy of those few.
 *
 * Those few bytes are header fields and nothing else: in an answer with messages or names in it, the
 * first of their bytes is the 16th or a later one. A frame that fits into the small buffer as a whole
 * is valid only during the call of `frame`.
 *
 * Where it does not (`received`: memory, WebSocket), a frame is the list of views of the chunks as
 * they came.
 */
import { type Chunks, ProtocolError } from '@kaska/protocol'

/** How much of a frame is read before its size is known. */
export const headBytes = 12

export interface FrameReaderOptions {
  /** The longest frame that is taken, in bytes behind its length. */
  readonly frameBytesMax: number
  /** Called with what follows a frame's length. May throw: then the connection is at its end. */
  readonly frame: (chunks: Chunks, length: number) => void
}

export class FrameReader {
  readonly #frameBytesMax: number
  readonly #frame: (chunks: Chunks, length: number) => void
  readonly #small = new Uint8Array(headBytes)
  readonly #smallViews: readonly Uint8Array[]
  /** Bytes of the next frame's beginning that lie in the small buffer. */
  #smallLength = 0
  /** The frame that is being read into a buffer of its own, and how much of it is there. */
  #body: Uint8Array | undefined
  #bodyLength = 0

  /** For `received`: the length being read, then the frame's views. */
  #varint = 0
  #varintScale = 1
  #frameLength = -1
  #chunks: Uint8Array[] = []
  #missing = 0

  constructor({ frameBytesMax, frame }: FrameReaderOptions) {
    this.#frameBytesMax = frameBytesMax
    this.#frame = frame
    this.#smallViews = Array.from({ length: headBytes }, (_, index) => this.#small.subarray(index))
  }

  /** Where the next bytes are to land. */
  buffer(): Uint8Array {
    if (this.#body !== undefined) return this.#body.subarray(this.#bodyLength)
    return this.#smallViews[this.#smallLength] as Uint8Array
  }

  /** So many bytes have landed there. Throws ProtocolError. */
  filled(length: number): void {
    if (this.#body !== undefined) {
      this.#bodyLength += length
      if (this.#bodyLength < this.#body.length) return
      const body = this.#body
      this.#body = undefined
      this.#frame([body], body.length)
      return
    }
    this.#smallLength += length
    this.#cutSmall()
  }

  /** A chunk that the transport chose the place of. Throws ProtocolError. */
  received(chunk: Uint8Array): void {
    let position = 0
    while (position < chunk.length) {
      if (this.#frameLength === -1) {
        const byte = chunk[position++] as number
        this.#varint += (byte & 0x7f) * this.#varintScale
        this.#varintScale *= 0x80
        if (byte >= 0x80) {
          if (this.#varintScale > 2 ** 49) throw badLength()
          continue
        }
        this.#frameLength = this.#checkLength(this.#varint)
        this.#missing = this.#frameLength
        this.#varint = 0
        this.#varintScale = 1
      } else {
        const view = chunk.subarray(position, position + this.#missing)
        this.#chunks.push(view)
        this.#missing -= view.length
        position += view.length
      }
      if (this.#missing > 0) continue
      const chunks = this.#chunks
      const length = this.#frameLength
      this.#chunks = []
      this.#frameLength = -1
      this.#frame(chunks, length)
    }
  }

  /** Hands out the frames that lie in the small buffer as a whole, and makes the buffer for the
   * rest of the last one. */
  #cutSmall(): void {
    const small = this.#small
    const end = this.#smallLength
    let start = 0
    while (start < end) {
      let length = 0
      let scale = 1
      let position = start
      let byte = 0x80
      while (byte >= 0x80 && position < end) {
        byte = small[position++] as number
        length += (byte & 0x7f) * scale
        scale *= 0x80
        if (byte >= 0x80 && scale > 2 ** 49) throw badLength()
      }
      if (byte >= 0x80) break
      this.#checkLength(length)
      if (length <= end - position) {
        start = position + length
        this.#frame([small.subarray(position, start)], length)
        continue
      }
      const body = new Uint8Array(length)
      body.set(small.subarray(position, end))
      this.#body = body
      this.#bodyLength = end - position
      this.#smallLength = 0
      return
    }
    if (start > 0) small.copyWithin(0, start, end)
    this.#smallLength = end - start
  }

  #checkLength(length: number): number {
    if (length > this.#frameBytesMax) {
      throw new ProtocolError(
        `the broker sent a frame of ${length} bytes, more than ${this.#frameBytesMax}`,
      )
    }
    // Tag and status.
    if (length < 2) throw badLength()
    return length
  }
}

function badLength(): ProtocolError {
  return new ProtocolError("a frame's length is not one")
}
