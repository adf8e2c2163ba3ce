/**
 * Cuts the bytes of a connection into frames. A frame is a list of views of the chunks as they came:
 * no byte is copied, however they were cut on their way (contract 11).
 *
 *   chunks    [ n aaaa n bb ][ bbbbbb ][ bb n c ]        n: the length of the frame behind it
 *   frames        [aaaa]  [bb][ bbbbbb ][ bb]  ...
 *
 * Any split of the same bytes gives the same frames. What is kept is at most one frame, and the
 * chunks that were pushed and not yet asked for.
 */
import { type Chunks, ProtocolError } from '@kaska/protocol'

/** A frame may come in so many pieces, and one more for each 256 bytes of it: each piece costs
 * memory of its own, which a peer that sends single bytes would have us pay. */
const piecesMin = 4096
const pieceBytesMin = 256
const int32Bytes = 4

/** How a frame's length is written: LEB128, or four bytes, big-endian. */
export type LengthForm = 'varint' | 'int32'

export class FrameAssembler {
  readonly #lengthForm: LengthForm
  readonly #frameBytesMax: number
  readonly #consumed: (chunk: Uint8Array) => void
  /** What is not in a frame yet; the first begins at `#position`. */
  #chunks: Uint8Array[] = []
  #position = 0
  #available = 0
  /** The length of the frame under way; -1 while it is not known. */
  #length = -1
  /** The length as far as it was read. */
  #lengthRead = 0
  #lengthScale = 1
  #lengthBytes = 0
  /** Frames given so far. */
  frameCount = 0

  /** `consumed` is told of each chunk, in order, when no later frame will have a part of it. */
  constructor(
    lengthForm: LengthForm,
    frameBytesMax: number,
    consumed: (chunk: Uint8Array) => void = () => {},
  ) {
    this.#lengthForm = lengthForm
    this.#frameBytesMax = frameBytesMax
    this.#consumed = consumed
  }

  /** Bytes still missing of the frame under way; 0 where its length is not known, or it is whole. */
  get missing(): number {
    return Math.max(0, this.#length - this.#available)
  }

  /** The length of the frame under way; 0 where it is not known. */
  get frameLength(): number {
    return Math.max(0, this.#length)
  }

  /** Has a part of a frame arrived that `next` has not given? */
  get isPartial(): boolean {
    return this.#available > 0 || this.#length >= 0 || this.#lengthBytes > 0
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) {
      this.#consumed(chunk)
      return
    }
    this.#chunks.push(chunk)
    this.#available += chunk.length
  }

  /**
   * The next frame without its length, as views; undefined while it is not whole. Throws
   * ProtocolError where the bytes are no frame; nothing may be asked of it after that.
   */
  next(): Chunks | undefined {
    if (this.#length < 0 && !this.#readLength()) return undefined
    const length = this.#length
    if (this.#available < length) {
      if (this.#chunks.length > piecesMin + length / pieceBytesMin) {
        throw new ProtocolError(`a frame of ${length} bytes came in too many pieces`)
      }
      return undefined
    }
    this.#length = -1
    this.#available -= length
    this.frameCount++
    const chunk = this.#chunks[0]
    if (chunk === undefined) return []
    const end = this.#position + length
    if (end > chunk.length) return this.#takeViews(length)
    const view = chunk.subarray(this.#position, end)
    this.#advance(chunk, end)
    return length === 0 ? [] : [view]
  }

  /** What was pushed and is in no frame, from the frame's start on where its length is known. */
  rest(): Chunks {
    const [first, ...others] = this.#chunks
    return first === undefined ? [] : [first.subarray(this.#position), ...others]
  }

  /** Forgets all that is left. */
  clear(): void {
    for (const chunk of this.#chunks.splice(0)) this.#consumed(chunk)
    this.#position = 0
    this.#available = 0
  }

  /** Reads on in the length; true when it is complete. */
  #readLength(): boolean {
    while (this.#available > 0) {
      const chunk = this.#chunks[0] as Uint8Array
      const byte = chunk[this.#position] as number
      this.#available--
      this.#advance(chunk, this.#position + 1)
      this.#lengthBytes++
      if (!(this.#lengthForm === 'varint' ? this.#addSeptet(byte) : this.#addOctet(byte))) continue
      const length = this.#lengthRead
      this.#lengthRead = 0
      this.#lengthScale = 1
      this.#lengthBytes = 0
      if (length > this.#frameBytesMax) {
        throw new ProtocolError(
          `a frame of ${length} bytes is longer than ${this.#frameBytesMax}, the most taken here`,
        )
      }
      this.#length = length
      return true
    }
    return false
  }

  /** The next byte of a varint; true for its last. */
  #addSeptet(byte: number): boolean {
    // A ninth byte would make it longer than any integer of the protocol.
    if (this.#lengthScale > 2 ** 49) throw new ProtocolError("a frame's length is malformed")
    this.#lengthRead += (byte & 0x7f) * this.#lengthScale
    this.#lengthScale *= 0x80
    return byte < 0x80
  }

  /** The next byte of an int32; true for its last. */
  #addOctet(byte: number): boolean {
    this.#lengthRead = (this.#lengthRead << 8) | byte
    if (this.#lengthBytes < int32Bytes) return false
    if (this.#lengthRead < 0) throw new ProtocolError("a frame's length is negative")
    return true
  }

  /** Takes a frame that lies in more than one chunk. */
  #takeViews(length: number): Chunks {
    const views: Uint8Array[] = []
    let missing = length
    let index = 0
    let position = this.#position
    for (; missing > 0; index++) {
      const chunk = this.#chunks[index] as Uint8Array
      const view = chunk.subarray(position, position + missing)
      views.push(view)
      missing -= view.length
      position += view.length
      if (position < chunk.length) break
      position = 0
    }
    this.#position = position
    for (const chunk of this.#chunks.splice(0, index)) this.#consumed(chunk)
    return views
  }

  /** Goes on to `position` within the first chunk. */
  #advance(chunk: Uint8Array, position: number): void {
    if (position < chunk.length) {
      this.#position = position
      return
    }
    this.#chunks.shift()
    this.#position = 0
    this.#consumed(chunk)
  }
}
