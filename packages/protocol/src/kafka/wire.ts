/**
 * Kafka's primitive types over lists of views: big-endian integers, strings and bytes with a length
 * before them, in the old form (int16 or int32) and the compact one (unsigned varint of length + 1,
 * KIP-482). Byte fields are views; every read is checked against the end.
 */
import { type ChunkReader, type Chunks, type ChunkWriter, chunksLength } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { topicIdOfWords, topicIdToBytes } from '../topic-id.ts'
import { decodeUtf8 } from '../topic-name.ts'

const encoder = new TextEncoder()
const int64Limit = 2 ** 63
/** Up to this length a loop over the characters is faster than the platform's coders. */
const shortLength = 64
/** Of a string, in the compact form too. */
const stringBytesMax = 0x7fff

export function readInt16(reader: ChunkReader): number {
  return reader.i16()
}

export function readInt32(reader: ChunkReader): number {
  return reader.i32()
}

/** As a number: what lies outside of the safe integers loses its last bits. */
export function readInt64(reader: ChunkReader): number {
  return reader.i32() * 0x1_0000_0000 + (reader.i32() >>> 0)
}

export function readUuid(reader: ChunkReader): string {
  return topicIdOfWords(reader.i32(), reader.i32(), reader.i32(), reader.i32())
}

/** The length of a string, bytes or array: -1 is null. */
export function readLength(reader: ChunkReader, compact: boolean, wide: boolean): number {
  const length = compact ? reader.varint() - 1 : wide ? readInt32(reader) : readInt16(reader)
  if (length < -1) throw new ProtocolError(`a field claims ${length} bytes`)
  return length
}

export function readString(reader: ChunkReader, compact: boolean): string | null {
  const length = readLength(reader, compact, false)
  if (length === -1) return null
  const text = length <= shortLength ? reader.ascii(length) : undefined
  return text ?? decodeUtf8(reader.take(length), 'a string')
}

export function readBytes(reader: ChunkReader, compact: boolean): Uint8Array | null {
  const length = readLength(reader, compact, true)
  return length === -1 ? null : reader.bytes(length)
}

/** Records stay the views that they are (contract 11). */
export function readRecords(reader: ChunkReader, compact: boolean): Chunks | null {
  const length = readLength(reader, compact, true)
  return length === -1 ? null : reader.take(length)
}

export function writeInt16(writer: ChunkWriter, value: number): void {
  writer.i16(value)
}

export function writeInt32(writer: ChunkWriter, value: number): void {
  writer.i32(value)
}

/** 2^63 is written as the largest integer that there is, which reads as 2^63. */
export function writeInt64(writer: ChunkWriter, value: number): void {
  if (value >= int64Limit) {
    writer.i32(0x7fffffff)
    writer.i32(-1)
    return
  }
  writer.i32(Math.floor(value / 0x1_0000_0000))
  writer.i32(value >>> 0)
}

export function writeUuid(writer: ChunkWriter, id: string): void {
  const bytes = topicIdToBytes(id)
  if (bytes === undefined) throw new TypeError(`'${id}' is not a UUID`)
  writer.copy(bytes)
}

export function writeLength(
  writer: ChunkWriter,
  length: number,
  compact: boolean,
  wide: boolean,
): void {
  if (compact) writer.varint(length + 1)
  else if (wide) writeInt32(writer, length)
  else writeInt16(writer, length)
}

export function writeString(writer: ChunkWriter, text: string | null, compact: boolean): void {
  if (text === null) {
    writeLength(writer, -1, compact, false)
    return
  }
  if (text.length <= shortLength && isAscii(text)) {
    writeLength(writer, text.length, compact, false)
    writer.ascii(text)
    return
  }
  const bytes = encoder.encode(text)
  if (bytes.length > stringBytesMax) throw new RangeError(`a string of ${bytes.length} bytes`)
  writeLength(writer, bytes.length, compact, false)
  writer.copy(bytes)
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) >= 0x80) return false
  return true
}

export function writeBytes(writer: ChunkWriter, bytes: Uint8Array | null, compact: boolean): void {
  writeLength(writer, bytes === null ? -1 : bytes.length, compact, true)
  if (bytes !== null) writer.view(bytes)
}

export function writeRecords(writer: ChunkWriter, records: Chunks | null, compact: boolean): void {
  writeLength(writer, records === null ? -1 : chunksLength(records), compact, true)
  if (records !== null) writer.views(records)
}

/** Skips the tags of a header or a struct, whatever they are (KIP-482). */
export function skipTags(reader: ChunkReader): void {
  const count = reader.varint()
  if (count > reader.remaining) throw new ProtocolError(`a struct claims ${count} tags`)
  for (let index = 0; index < count; index++) {
    reader.varint()
    reader.skip(reader.varint())
  }
}
