/**
 * Bytes as they came: a list of views, never joined (contract 11).
 *
 *   chunks   [ ...........aaaa ][ aaaaaaaaaaaa ][ aabbbb...... ]
 *   take(n)               [aaaa][ aaaaaaaaaaaa ][ aa]             three views, no byte copied
 *
 * `ChunkReader` walks such a list. Every read is checked against the end: bytes of a peer are
 * answered with `ProtocolError`, never trusted.
 */
import { ProtocolError } from './errors.ts'

/** Contiguous views which, one after the other, are one sequence of bytes. */
export type Chunks = readonly Uint8Array[]

export const emptyBytes: Uint8Array = new Uint8Array(0)

/** How many bytes the views hold together. */
export function chunksLength(chunks: Chunks): number {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  return length
}

/** The views' bytes, contiguous: a copy, unless they are. For tests, tools and small state, not for messages. */
export function joinChunks(chunks: Chunks): Uint8Array {
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : copyChunks(chunks)
}

/** The views' bytes in a buffer of their own: what becomes of the views' buffers is nothing to it. */
export function copyChunks(chunks: Chunks): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(chunksLength(chunks))
  let position = 0
  for (const chunk of chunks) {
    copy.set(chunk, position)
    position += chunk.length
  }
  return copy
}

/** The largest integer that a varint of this protocol may carry: 2^53 - 1. */
const integerMax = Number.MAX_SAFE_INTEGER

const asciiCharacters: readonly string[] = Array.from({ length: 0x80 }, (_, code) =>
  String.fromCharCode(code),
)

/** A cursor over a list of views. All reads throw `ProtocolError` past the end. */
export class ChunkReader {
  readonly #chunks: Chunks
  #chunkIndex = 0
  #chunk: Uint8Array
  #position = 0
  #remaining: number

  constructor(chunks: Chunks, length: number = chunksLength(chunks)) {
    this.#chunks = chunks
    this.#chunk = chunks[0] ?? emptyBytes
    this.#remaining = length
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#remaining
  }

  /** The view in which the next bytes lie, if `position` is not its end: for a loop that reads in
   * place, and then skips what it has read. */
  get chunk(): Uint8Array {
    return this.#chunk
  }

  /** Where in `chunk` the next byte lies. */
  get position(): number {
    return this.#position
  }

  /** One byte. */
  u8(): number {
    if (this.#remaining === 0) throw new ProtocolError('the data ends too early')
    while (this.#position === this.#chunk.length) this.#nextChunk()
    this.#remaining--
    return this.#chunk[this.#position++] as number
  }

  /** Two bytes, big-endian, signed. */
  i16(): number {
    const start = this.#position
    if (this.#remaining < 2 || start + 2 > this.#chunk.length) {
      return ((this.u8() << 24) | (this.u8() << 16)) >> 16
    }
    this.#position = start + 2
    this.#remaining -= 2
    return (
      (((this.#chunk[start] as number) << 24) | ((this.#chunk[start + 1] as number) << 16)) >> 16
    )
  }

  /** Four bytes, big-endian, signed. */
  i32(): number {
    const start = this.#position
    const chunk = this.#chunk
    if (this.#remaining < 4 || start + 4 > chunk.length)
      return (this.i16() << 16) | (this.i16() & 0xffff)
    this.#position = start + 4
    this.#remaining -= 4
    return (
      ((chunk[start] as number) << 24) |
      ((chunk[start + 1] as number) << 16) |
      ((chunk[start + 2] as number) << 8) |
      (chunk[start + 3] as number)
    )
  }

  /** The next bytes as text, if they are ASCII and lie together; else undefined, and nothing is read.
   * For short strings, which that is some times faster for than a TextDecoder. */
  ascii(length: number): string | undefined {
    const start = this.#position
    const end = start + length
    const chunk = this.#chunk
    if (length > this.#remaining || end > chunk.length) return undefined
    let text = ''
    for (let position = start; position < end; position++) {
      const byte = chunk[position] as number
      if (byte >= 0x80) return undefined
      text += asciiCharacters[byte] as string
    }
    this.#position = end
    this.#remaining -= length
    return text
  }

  /** An unsigned LEB128 integer of at most 2^53 - 1 (8 bytes). */
  varint(): number {
    let byte = this.u8()
    let value = byte & 0x7f
    let scale = 0x80
    while (byte >= 0x80) {
      byte = this.u8()
      value += (byte & 0x7f) * scale
      if (value > integerMax) throw new ProtocolError('an integer is larger than 2^53 - 1')
      // A ninth byte of zeros would be a second spelling of a number, and an endless one.
      if (scale > 2 ** 49) throw new ProtocolError('an integer is longer than 8 bytes')
      scale *= 0x80
    }
    return value
  }

  /** A zigzag LEB128 integer: the signed form of `varint`, of at most 2^52 in magnitude. */
  zigzag(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** The next `length` bytes as views. No byte is copied. */
  take(length: number): Chunks {
    if (length > this.#remaining) throw new ProtocolError('the data ends too early')
    this.#remaining -= length
    const end = this.#position + length
    if (end <= this.#chunk.length) {
      const view = this.#chunk.subarray(this.#position, end)
      this.#position = end
      return length === 0 ? [] : [view]
    }
    const views: Uint8Array[] = []
    let missing = length
    while (missing > 0) {
      if (this.#position === this.#chunk.length) {
        this.#nextChunk()
        continue
      }
      const view = this.#chunk.subarray(this.#position, this.#position + missing)
      views.push(view)
      this.#position += view.length
      missing -= view.length
    }
    return views
  }

  /** Skips `length` bytes. */
  skip(length: number): void {
    if (length > this.#remaining) throw new ProtocolError('the data ends too early')
    this.#remaining -= length
    let missing = length
    while (missing > this.#chunk.length - this.#position) {
      missing -= this.#chunk.length - this.#position
      this.#nextChunk()
    }
    this.#position += missing
  }

  /** The next `length` bytes as one array: a view where they lie together, else a copy. For ids
   * and other small fields; names and messages are taken as views. */
  bytes(length: number): Uint8Array {
    const views = this.take(length)
    return views.length === 0 ? emptyBytes : joinChunks(views)
  }

  /** A length-prefixed field as views. */
  field(): Chunks {
    return this.take(this.varint())
  }

  /** All that is left, as views. */
  rest(): Chunks {
    return this.take(this.#remaining)
  }

  #nextChunk(): void {
    this.#chunkIndex++
    this.#chunk = this.#chunks[this.#chunkIndex] ?? emptyBytes
    this.#position = 0
    if (this.#chunkIndex >= this.#chunks.length) {
      throw new ProtocolError('the data ends too early')
    }
  }
}

const scratchBytesInitial = 256

/**
 * Builds the views of one frame: small fields are encoded into a buffer of its own, large byte
 * fields are taken by reference, so that all of it leaves in one gathered write (contract 11, 12).
 */
export class ChunkWriter {
  readonly #chunks: Uint8Array[] = []
  #buffer: Uint8Array
  #start = 0
  #end = 0
  #length = 0
  /** The first buffer, where there is room for a prefix; what lies before `#headEnd` is its place. */
  readonly #headBuffer: Uint8Array
  readonly #headEnd: number

  /** `prefixBytesMax`: how many bytes `finish` may be told to put before all others. */
  constructor(bytesExpected: number = scratchBytesInitial, prefixBytesMax = 0) {
    this.#buffer = new Uint8Array(bytesExpected + prefixBytesMax)
    this.#headBuffer = this.#buffer
    this.#headEnd = prefixBytesMax
    this.#start = prefixBytesMax
    this.#end = prefixBytesMax
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length + this.#end - this.#start
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#end++] = value
  }

  /** Two bytes, big-endian: the low 16 bits of the value. */
  i16(value: number): void {
    this.#reserve(2)
    this.#buffer[this.#end] = value >> 8
    this.#buffer[this.#end + 1] = value
    this.#end += 2
  }

  /** Four bytes, big-endian: the low 32 bits of the value. */
  i32(value: number): void {
    this.#reserve(4)
    const buffer = this.#buffer
    const end = this.#end
    buffer[end] = value >> 24
    buffer[end + 1] = value >> 16
    buffer[end + 2] = value >> 8
    buffer[end + 3] = value
    this.#end = end + 4
  }

  /** Text of ASCII alone, a byte a character. */
  ascii(text: string): void {
    this.#reserve(text.length)
    for (let index = 0; index < text.length; index++) {
      this.#buffer[this.#end++] = text.charCodeAt(index)
    }
  }

  /** An unsigned LEB128 integer, 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#reserve(8)
    this.#end = writeVarint(this.#buffer, this.#end, value)
  }

  /** A zigzag LEB128 integer, of at most 2^52 in magnitude. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  /** Copies the bytes in: for ids and small fields, and for values below the limit that a
   * decision record names. */
  copy(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** A string as UTF-8, with its length before it. */
  string(text: string): void {
    // A code unit of UTF-16 is at most three bytes of UTF-8.
    const bytesMax = text.length * 3
    this.#reserve(bytesMax + 8)
    if (bytesMax < 0x80) {
      const { written } = encoder.encodeInto(text, this.#buffer.subarray(this.#end + 1))
      this.#buffer[this.#end] = written
      this.#end += written + 1
      return
    }
    const bytes = encoder.encode(text)
    this.varint(bytes.length)
    this.view(bytes)
  }

  /** Takes the bytes by reference: they must not change until the frame has left. */
  view(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#seal()
    this.#chunks.push(bytes)
    this.#length += bytes.length
  }

  /** Takes all the views by reference. */
  views(chunks: Chunks): void {
    for (const chunk of chunks) this.view(chunk)
  }

  /** All of it, in order, behind the prefix, which is known last. The writer is done after that. */
  finish(prefix: readonly number[] = []): Chunks {
    this.#seal()
    if (prefix.length > 0) this.#prepend(prefix)
    return this.#chunks
  }

  /** Puts the integers, as varints, into the room kept for them, in one view with what follows. */
  #prepend(prefix: readonly number[]): void {
    let start = this.#headEnd
    for (const value of prefix) start -= varintLength(value)
    if (start < 0) throw new RangeError('the prefix is larger than the room kept for it')
    let end = start
    for (const value of prefix) end = writeVarint(this.#headBuffer, end, value)
    const first = this.#chunks[0]
    // Is the first view the writer's own, which begins where the prefix ends?
    if (first?.buffer === this.#headBuffer.buffer && first.byteOffset === this.#headEnd) {
      this.#chunks[0] = this.#headBuffer.subarray(start, this.#headEnd + first.length)
    } else {
      this.#chunks.unshift(this.#headBuffer.subarray(start, this.#headEnd))
    }
    this.#length += end - start
  }

  #seal(): void {
    if (this.#end === this.#start) return
    this.#chunks.push(this.#buffer.subarray(this.#start, this.#end))
    this.#length += this.#end - this.#start
    this.#start = this.#end
  }

  #reserve(length: number): void {
    if (this.#end + length <= this.#buffer.length) return
    // What is encoded so far stays where it is, as a chunk: growing never copies.
    this.#seal()
    this.#buffer = new Uint8Array(Math.max(length, this.#buffer.length * 2, scratchBytesInitial))
    this.#start = 0
    this.#end = 0
  }
}

const encoder = new TextEncoder()

/** Writes an unsigned LEB128 integer at `position` and returns the position behind it. */
export function writeVarint(buffer: Uint8Array, position: number, value: number): number {
  let rest = value
  let end = position
  while (rest > 0x7fffffff) {
    buffer[end++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  while (rest > 0x7f) {
    buffer[end++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[end++] = rest
  return end
}

/** How many bytes `writeVarint` takes for the value. */
export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) length++
  return length
}
