/** Frames around their fields, and errors on the wire. */
import { type ChunkReader, type Chunks, ChunkWriter, varintLength } from '../bytes.ts'
import {
  errorTable,
  InternalError,
  KaskaError,
  type KaskaErrorClass,
  LogTruncatedError,
  OffsetOutOfRangeError,
  ProtocolError,
  UnsupportedVersionError,
  wireCode,
} from '../errors.ts'
import { decodeUtf8 } from '../topic-name.ts'
import { noticeTag, statusDetailed, statusOk } from './operations.ts'

/** A request without its fields. */
export interface RequestHead {
  readonly operation: number
  readonly tag: number
}

/** A whole request frame: length, operation, tag and the fields that `write` puts in. */
export function encodeRequest(
  operation: number,
  tag: number,
  write?: (writer: ChunkWriter) => void,
): Chunks {
  return frame(operation, tag, write)
}

/** Reads operation and tag; the fields follow in the reader. */
export function decodeRequestHead(reader: ChunkReader): RequestHead {
  const operation = reader.varint()
  const tag = reader.varint()
  if (tag === noticeTag) throw new ProtocolError('a request needs a tag other than 0')
  return { operation, tag }
}

/** A whole response frame with a status below 2: 0 for success, 1 for the detailed form. */
export function encodeResponse(
  tag: number,
  write?: (writer: ChunkWriter) => void,
  status: number = statusOk,
): Chunks {
  return frame(tag, status, write)
}

/** A whole response frame for a request that failed. */
export function encodeFailure(tag: number, error: unknown): Chunks {
  return frame(tag, wireCode(error), (writer) => writeErrorDetails(writer, error))
}

/** The answer to a connection that begins with a version that the broker does not speak. */
export function encodeVersionRefusal(versions: readonly number[]): Chunks {
  return frame(noticeTag, UnsupportedVersionError.wire, (writer) => {
    writer.string(`this broker speaks version ${versions.join(', ')} of the native protocol`)
    writer.varint(versions.length)
    for (const version of versions) writer.varint(version)
  })
}

/** A notice of the broker: tag 0 and an operation. */
export function encodeNotice(operation: number): Chunks {
  return frame(noticeTag, operation)
}

export interface ResponseHead {
  readonly tag: number
  readonly status: number
}

/** Reads tag and status; the fields, or the error's details, follow in the reader. */
export function decodeResponseHead(reader: ChunkReader): ResponseHead {
  return { tag: reader.varint(), status: reader.varint() }
}

/** Is the status of a response an error? Then `readErrorDetails` reads what follows. */
export function isFailure(status: number): boolean {
  return status !== statusOk && status !== statusDetailed
}

/** An error within a response: its number, then its details. */
export function writeError(writer: ChunkWriter, error: unknown): void {
  writer.varint(wireCode(error))
  writeErrorDetails(writer, error)
}

export function readError(reader: ChunkReader): KaskaError {
  return readErrorDetails(reader, reader.varint())
}

/** Text, then a counted list of integers: the bounds of those errors that have some. */
function writeErrorDetails(writer: ChunkWriter, error: unknown): void {
  writer.string(messageOf(error))
  if (error instanceof OffsetOutOfRangeError) {
    writer.varint(2)
    writer.varint(error.startOffset)
    writer.varint(error.endOffset)
  } else if (error instanceof LogTruncatedError) {
    writer.varint(1)
    writer.varint(error.endOffset)
  } else {
    writer.varint(0)
  }
}

/** The text of our own errors travels; that of a bug stays in the broker's log. */
function messageOf(error: unknown): string {
  if (error instanceof KaskaError) return error.message
  return 'the broker made a mistake; its log has the details'
}

export function readErrorDetails(reader: ChunkReader, code: number): KaskaError {
  const text = decodeUtf8(reader.field(), "the error's text")
  const count = reader.varint()
  if (count > reader.remaining) throw new ProtocolError('an error claims more details than fit')
  const details = Array.from({ length: count }, () => reader.varint())
  if (code === OffsetOutOfRangeError.wire) {
    return new OffsetOutOfRangeError(text, {
      startOffset: details[0] ?? 0,
      endOffset: details[1] ?? 0,
    })
  }
  if (code === LogTruncatedError.wire) {
    return new LogTruncatedError(text, { endOffset: details[0] ?? 0 })
  }
  const found = errorTable.find(({ wire }) => wire === code && wire !== 0)
  const create = (found ?? InternalError) as unknown as KaskaErrorClass &
    (new (
      message: string,
    ) => KaskaError)
  return new create(found === undefined ? `error ${code}: ${text}` : text)
}

/** Length, operation or tag, tag or status: three integers of at most 8 bytes. */
const headBytesMax = 24
const fieldBytesExpected = 104

/** Two leading integers and the fields, with the length of it all before them. */
function frame(first: number, second: number, write?: (writer: ChunkWriter) => void): Chunks {
  const writer = new ChunkWriter(write === undefined ? 0 : fieldBytesExpected, headBytesMax)
  write?.(writer)
  const length = varintLength(first) + varintLength(second) + writer.length
  return writer.finish([length, first, second])
}
