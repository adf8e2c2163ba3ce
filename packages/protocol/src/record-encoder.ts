/**
 * Builds the records section of a batch. Small fields are encoded into the builder's own buffer;
 * a value or key of `inlineBytesMax` bytes or more is taken by reference and leaves in the same
 * gathered write (contract 11; docs/decisions/0003-inline-values.md has the measurement).
 */
import { type Chunks, varintLength, writeVarint } from './bytes.ts'

/** Values and keys shorter than this are encoded into the frame's buffer. */
export const inlineBytesMax = 512

/** A message as it goes into a batch. */
export interface RecordInput {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly (readonly [name: Uint8Array, value: Uint8Array | null])[]
  readonly timestamp: number
}

const bufferBytesInitial = 512
const bufferBytesMax = 65_536

export class RecordsBuilder {
  readonly #inlineBytesMax: number
  readonly #chunks: Uint8Array[] = []
  #buffer: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  #length = 0
  /** What the timestamp deltas count from: the first record's timestamp. */
  baseTimestamp = 0
  maxTimestamp = 0
  recordCount = 0

  /** `inlineBytesMax` is for the benchmark that chose the default. */
  constructor(inlineBytesMaxGiven: number = inlineBytesMax) {
    this.#inlineBytesMax = inlineBytesMaxGiven
  }

  /** Bytes of the records so far. */
  get length(): number {
    return this.#length
  }

  /** Appends one record. The byte fields must not change until the batch was sent. */
  append(record: RecordInput): void {
    const { key, value, headers, timestamp } = record
    if (this.recordCount === 0) {
      this.baseTimestamp = timestamp
      this.maxTimestamp = timestamp
    } else if (timestamp > this.maxTimestamp) {
      this.maxTimestamp = timestamp
    }
    const timestampDelta = zigzag(timestamp - this.baseTimestamp)
    const offsetDelta = zigzag(this.recordCount)
    this.recordCount++

    let bodyLength =
      1 +
      varintLength(timestampDelta) +
      varintLength(offsetDelta) +
      fieldLength(key) +
      fieldLength(value) +
      varintLength(zigzag(headers.length))
    for (const [name, headerValue] of headers) {
      bodyLength += fieldLength(name) + fieldLength(headerValue)
    }
    const lengthPrefix = zigzag(bodyLength)
    this.#length += varintLength(lengthPrefix) + bodyLength

    // 8 varints of at most 8 bytes each, and the attributes.
    this.#reserve(65)
    this.#varint(lengthPrefix)
    this.#buffer[this.#end++] = 0
    this.#varint(timestampDelta)
    this.#varint(offsetDelta)
    this.#field(key)
    this.#field(value)
    this.#reserve(8)
    this.#varint(zigzag(headers.length))
    for (const [name, headerValue] of headers) {
      this.#field(name)
      this.#field(headerValue)
    }
  }

  /** The section, in order. The builder is done after that. */
  finish(): Chunks {
    this.#seal()
    return this.#chunks
  }

  #field(bytes: Uint8Array | null): void {
    if (bytes === null) {
      this.#reserve(1)
      this.#buffer[this.#end++] = 1
      return
    }
    if (bytes.length >= this.#inlineBytesMax) {
      this.#reserve(8)
      this.#varint(zigzag(bytes.length))
      this.#seal()
      this.#chunks.push(bytes)
      return
    }
    this.#reserve(8 + bytes.length)
    this.#varint(zigzag(bytes.length))
    this.#buffer.set(bytes, this.#end)
    this.#end += bytes.length
  }

  #varint(value: number): void {
    if (value < 0x80) this.#buffer[this.#end++] = value
    else this.#end = writeVarint(this.#buffer, this.#end, value)
  }

  #seal(): void {
    if (this.#end === this.#start) return
    this.#chunks.push(this.#buffer.subarray(this.#start, this.#end))
    this.#start = this.#end
  }

  #reserve(length: number): void {
    if (this.#end + length <= this.#buffer.length) return
    // What is encoded so far stays where it is, as a chunk: growing never copies.
    this.#seal()
    const grown = Math.min(bufferBytesMax, this.#buffer.length * 2)
    this.#buffer = new Uint8Array(Math.max(length, grown, bufferBytesInitial))
    this.#start = 0
    this.#end = 0
  }
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function fieldLength(bytes: Uint8Array | null): number {
  if (bytes === null) return 1
  return varintLength(zigzag(bytes.length)) + bytes.length
}
