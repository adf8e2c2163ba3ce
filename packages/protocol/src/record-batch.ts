/**
 * Kafka's record batch, magic 2: the form of messages on the disk, in the Kafka protocol and, with a
 * smaller header, in the native protocol. Source: the Kafka protocol guide, "Record Batch".
 *
 *   header (61 bytes, big-endian)                          records section
 *    0 baseOffset int64          27 baseTimestamp int64     recordCount records, one after the
 *    8 batchLength int32         35 maxTimestamp  int64     other, compressed together where the
 *   12 leaderEpoch int32         43 producerId    int64     attributes name a compression
 *   16 magic       int8  (2)     51 producerEpoch int16
 *   17 crc         uint32        53 baseSequence  int32    batchLength counts what follows it
 *   21 attributes  int16         57 recordCount   int32    the CRC covers all from 21 on
 *   23 lastOffsetDelta int32
 *
 *   record (integers are zigzag LEB128)
 *   length, attributes int8 (0), timestampDelta, offsetDelta, key (length, -1 is null), value (the
 *   same), header count, then per header: name (length, bytes), value (length, -1 is null)
 */
import { ChunkReader, type Chunks } from './bytes.ts'
import type { MessageBatch } from './engine.ts'
import { InvalidMessageError, KaskaError } from './errors.ts'
import type { Crc32c } from './seams.ts'

export const batchHeaderBytes = 61
/** Where the bytes that the CRC covers begin. */
export const batchCrcStart = 21
/** What `batchLength` does not count: the base offset and itself. */
export const batchLengthOverhead = 12
export const batchMagic = 2

export const compressionMask = 0x07
/** Attribute bit 3: the batch's maxTimestamp, given at the append, is every record's timestamp. */
export const logAppendTimeBit = 0x08
export const transactionalBit = 0x10
export const controlBit = 0x20

export interface BatchHeader {
  baseOffset: number
  batchLength: number
  partitionLeaderEpoch: number
  magic: number
  crc: number
  attributes: number
  lastOffsetDelta: number
  baseTimestamp: number
  maxTimestamp: number
  /** -1 without a producer. */
  producerId: number
  producerEpoch: number
  baseSequence: number
  recordCount: number
}

/** The 61 bytes of a header, with the CRC that is given (`setBatchCrc` puts in the right one). */
export function encodeBatchHeader(header: BatchHeader): Uint8Array {
  const bytes = new Uint8Array(batchHeaderBytes)
  const view = new DataView(bytes.buffer)
  setInt64(view, 0, header.baseOffset)
  view.setInt32(8, header.batchLength)
  view.setInt32(12, header.partitionLeaderEpoch)
  view.setInt8(16, header.magic)
  view.setUint32(17, header.crc)
  view.setInt16(21, header.attributes)
  view.setInt32(23, header.lastOffsetDelta)
  setInt64(view, 27, header.baseTimestamp)
  setInt64(view, 35, header.maxTimestamp)
  setInt64(view, 43, header.producerId)
  view.setInt16(51, header.producerEpoch)
  view.setInt32(53, header.baseSequence)
  view.setInt32(57, header.recordCount)
  return bytes
}

/** Reads a header; nothing is checked. The caller gives at least 61 bytes from `position` on. */
export function decodeBatchHeader(bytes: Uint8Array, position = 0): BatchHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset + position, batchHeaderBytes)
  return {
    baseOffset: getInt64(view, 0),
    batchLength: view.getInt32(8),
    partitionLeaderEpoch: view.getInt32(12),
    magic: view.getInt8(16),
    crc: view.getUint32(17),
    attributes: view.getInt16(21),
    lastOffsetDelta: view.getInt32(23),
    baseTimestamp: getInt64(view, 27),
    maxTimestamp: getInt64(view, 35),
    producerId: getInt64(view, 43),
    producerEpoch: view.getInt16(51),
    baseSequence: view.getInt32(53),
    recordCount: view.getInt32(57),
  }
}

/** The CRC-32C of a batch: of its header from byte 21 on, and of its records. */
export function batchCrc(headerBytes: Uint8Array, records: Chunks, crc32c: Crc32c): number {
  let crc = crc32c(headerBytes.subarray(batchCrcStart, batchHeaderBytes), 0)
  for (const chunk of records) crc = crc32c(chunk, crc)
  return crc
}

/** Do two headers say the same of all that the CRC covers? Then the same records give the same CRC. */
export function hasSameCrc(headerBytes: Uint8Array, other: Uint8Array): boolean {
  for (let at = batchCrcStart; at < batchHeaderBytes; at++) {
    if (headerBytes[at] !== other[at]) return false
  }
  return true
}

/** Puts the CRC into an encoded header. */
export function setBatchCrc(headerBytes: Uint8Array, crc: number): void {
  headerBytes[17] = crc >>> 24
  headerBytes[18] = crc >>> 16
  headerBytes[19] = crc >>> 8
  headerBytes[20] = crc
}

function setInt64(view: DataView, position: number, value: number): void {
  view.setInt32(position, Math.floor(value / 0x1_0000_0000))
  view.setUint32(position + 4, value >>> 0)
}

function getInt64(view: DataView, position: number): number {
  return view.getInt32(position) * 0x1_0000_0000 + view.getUint32(position + 4)
}

/** A header of a message, out: its name, and its value as bytes (null where there is none). */
export type RecordHeader = readonly [name: string, value: Uint8Array | null]

/** A record taken apart; the byte fields are views of the batch. */
export interface DecodedRecord {
  readonly offsetDelta: number
  readonly timestampDelta: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** Length, attributes, two deltas, two lengths, the number of headers: a byte each at least. */
const recordBytesMin = 7

/** The varint at a position, undecoded from its zigzag form, if it has one to four bytes and ends before
 * `end`; else -1. */
function shortNumberAt(bytes: Uint8Array, position: number, end: number): number {
  if (position >= end) return -1
  const first = bytes[position] as number
  if (first < 0x80) return first
  if (position + 1 >= end) return -1
  const second = bytes[position + 1] as number
  if (second < 0x80) return (first & 0x7f) | (second << 7)
  if (position + 2 >= end) return -1
  const third = bytes[position + 2] as number
  if (third < 0x80) return (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14)
  if (position + 3 >= end) return -1
  const fourth = bytes[position + 3] as number
  if (fourth >= 0x80) return -1
  return (first & 0x7f) | ((second & 0x7f) << 7) | ((third & 0x7f) << 14) | (fourth << 21)
}

/** How many bytes that varint has. */
function numberLength(bytes: Uint8Array, position: number): number {
  if ((bytes[position] as number) < 0x80) return 1
  if ((bytes[position + 1] as number) < 0x80) return 2
  return (bytes[position + 2] as number) < 0x80 ? 3 : 4
}

/** Kafka's readers take an integer of 32 bits from at most this many bytes. */
const int32BytesMax = 5

/**
 * Walks the records of an uncompressed records section without building anything: where each one
 * lies and what it says of itself. Throws InvalidMessageError at the first contradiction, so a walk
 * to the end is the proof that every consumer can read the batch, Kafka's too.
 */
export class RecordCursor {
  readonly #reader: ChunkReader
  #recordsLeft: number
  offsetDelta = 0
  timestampDelta = 0
  /** Bytes of the key; -1 is null. */
  keyLength = -1
  /** Bytes of the value; -1 is null. */
  valueLength = -1

  constructor(records: Chunks, recordsLength: number, recordCount: number) {
    this.#reader = new ChunkReader(records, recordsLength)
    this.#recordsLeft = recordCount
  }

  /** Goes to the next record; false after the last, where the section has to end too. */
  next(): boolean {
    const reader = this.#reader
    if (this.#recordsLeft === 0) {
      if (reader.remaining > 0) throw new InvalidMessageError('bytes follow the last record')
      return false
    }
    this.#recordsLeft--
    if (this.#nextInPlace()) return true
    try {
      const length = this.#int32()
      if (length < 0 || length > reader.remaining) {
        throw new InvalidMessageError(`a record claims ${length} bytes, there are fewer`)
      }
      const end = reader.remaining - length
      reader.u8()
      this.timestampDelta = reader.zigzag()
      this.offsetDelta = this.#int32()
      this.keyLength = this.#skipField(end, -1)
      this.valueLength = this.#skipField(end, -1)
      const headerCount = this.#int32()
      // A header takes at least two bytes: a count beyond that is a lie, and is not looped over.
      if (headerCount < 0 || headerCount > (reader.remaining - end) / 2) {
        throw new InvalidMessageError(`a record claims ${headerCount} headers`)
      }
      for (let index = 0; index < headerCount; index++) {
        this.#skipField(end, 0)
        this.#skipField(end, -1)
      }
      if (reader.remaining !== end) {
        throw new InvalidMessageError(`a record's length disagrees with its fields`)
      }
    } catch (error) {
      if (error instanceof InvalidMessageError) throw error
      if (!(error instanceof KaskaError)) throw error
      throw new InvalidMessageError(`a record is damaged: ${error.message}`, { cause: error })
    }
    return true
  }

  /**
   * The next record, if it is of the usual kind: in one view, without headers, its numbers short. False
   * leaves everything as it is: then it is another kind, or it is damaged.
   */
  #nextInPlace(): boolean {
    const { chunk, position, remaining } = this.#reader
    const limit = Math.min(chunk.length, position + remaining)
    if (limit - position < recordBytesMin) return false
    const length = shortNumberAt(chunk, position, limit)
    let at = position + numberLength(chunk, position)
    const end = at + (length >>> 1)
    // An odd one is negative.
    if (length < 0 || (length & 1) !== 0 || end > limit) return false
    at++
    const timestampDelta = shortNumberAt(chunk, at, end)
    at += numberLength(chunk, at)
    const offsetDelta = shortNumberAt(chunk, at, end)
    at += numberLength(chunk, at)
    const keyLength = shortNumberAt(chunk, at, end)
    if (timestampDelta < 0 || offsetDelta < 0 || keyLength < 0) return false
    at += numberLength(chunk, at)
    if (keyLength !== 1) {
      if ((keyLength & 1) !== 0) return false
      at += keyLength >>> 1
    }
    const valueLength = shortNumberAt(chunk, at, end)
    if (valueLength < 0) return false
    at += numberLength(chunk, at)
    if (valueLength !== 1) {
      if ((valueLength & 1) !== 0) return false
      at += valueLength >>> 1
    }
    // What is left is the number of headers: 0.
    if (at !== end - 1 || chunk[at] !== 0) return false
    this.timestampDelta = (timestampDelta >>> 1) ^ -(timestampDelta & 1)
    this.offsetDelta = (offsetDelta >>> 1) ^ -(offsetDelta & 1)
    this.keyLength = keyLength === 1 ? -1 : keyLength >>> 1
    this.valueLength = valueLength === 1 ? -1 : valueLength >>> 1
    this.#reader.skip(end - position)
    return true
  }

  #int32(): number {
    const before = this.#reader.remaining
    const value = this.#reader.zigzag()
    if (before - this.#reader.remaining > int32BytesMax) {
      throw new InvalidMessageError('a number takes more bytes than one of 32 bits may')
    }
    return value
  }

  #skipField(end: number, lengthMin: number): number {
    const length = this.#int32()
    if (length < lengthMin || length > this.#reader.remaining - end) {
      throw new InvalidMessageError(`a field of ${length} bytes does not fit into its record`)
    }
    if (length > 0) this.#reader.skip(length)
    return length
  }
}

/**
 * Checks an uncompressed batch from a peer and returns the largest timestamp of its records: each
 * record's fields lie within it, its offset delta is its place, and the counts agree. Throws
 * InvalidMessageError.
 */
export function checkRecords(
  batch: Pick<MessageBatch, 'records' | 'recordsLength' | 'recordCount' | 'baseTimestamp'>,
): { maxTimestamp: number } {
  const { recordCount } = batch
  if (!(recordCount >= 1 && recordCount <= batch.recordsLength / recordBytesMin)) {
    throw new InvalidMessageError(
      `a batch of ${batch.recordsLength} bytes claims ${recordCount} records`,
    )
  }
  const cursor = new RecordCursor(batch.records, batch.recordsLength, recordCount)
  let deltaMax = Number.NEGATIVE_INFINITY
  for (let index = 0; cursor.next(); index++) {
    if (cursor.offsetDelta !== index) {
      throw new InvalidMessageError(`record ${index} says that it is number ${cursor.offsetDelta}`)
    }
    if (cursor.timestampDelta > deltaMax) deltaMax = cursor.timestampDelta
  }
  const maxTimestamp = batch.baseTimestamp + deltaMax
  if (!Number.isSafeInteger(maxTimestamp)) {
    throw new InvalidMessageError('a timestamp is larger than 2^53 - 1')
  }
  return { maxTimestamp }
}

const noHeaders: readonly RecordHeader[] = Object.freeze([])
// A leading byte order mark is part of the name.
const headerNameDecoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Takes the records of an uncompressed section apart, one at a time. `bytes` is contiguous, and
 * keys, values and header values are views of it. Throws InvalidMessageError.
 */
export class RecordDecoder {
  readonly #bytes: Uint8Array
  #position = 0
  #recordsLeft: number

  constructor(bytes: Uint8Array, recordCount: number) {
    this.#bytes = bytes
    this.#recordsLeft = recordCount
  }

  /** The next record; undefined after the last. */
  next(): DecodedRecord | undefined {
    if (this.#recordsLeft === 0) return undefined
    this.#recordsLeft--
    const length = this.#zigzag()
    const end = this.#position + length
    if (length < 0 || end > this.#bytes.length) throw truncated()
    this.#position++
    const timestampDelta = this.#zigzag()
    const offsetDelta = this.#zigzag()
    const key = this.#field()
    const value = this.#field()
    const headerCount = this.#zigzag()
    let headers = noHeaders
    if (headerCount !== 0) {
      if (headerCount < 0 || headerCount > length) throw truncated()
      const list: RecordHeader[] = []
      for (let index = 0; index < headerCount; index++) {
        const name = this.#field()
        if (name === null) throw truncated()
        list.push([headerNameDecoder.decode(name), this.#field()])
      }
      headers = list
    }
    if (this.#position !== end) throw truncated()
    return { offsetDelta, timestampDelta, key, value, headers }
  }

  #field(): Uint8Array | null {
    const length = this.#zigzag()
    if (length === -1) return null
    const end = this.#position + length
    if (length < 0 || end > this.#bytes.length) throw truncated()
    const view = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return view
  }

  #zigzag(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#position++]
    if (byte === undefined) throw truncated()
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    let scale = 0x80
    while (byte >= 0x80) {
      byte = bytes[this.#position++]
      if (byte === undefined || scale > 2 ** 49) throw truncated()
      value += (byte & 0x7f) * scale
      scale *= 0x80
    }
    if (value > Number.MAX_SAFE_INTEGER) throw truncated()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

function truncated(): InvalidMessageError {
  return new InvalidMessageError('a record is damaged: its fields do not fit into it')
}
