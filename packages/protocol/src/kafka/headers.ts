/**
 * The headers before Kafka's messages. A request's: key, version, correlation id, client id, and tags
 * where the version is flexible (header versions 1 and 2). A response's: the correlation id, and tags
 * where the version is flexible (0 and 1), but never for ApiVersions: its client does not know yet
 * what the broker speaks (KIP-511).
 */
import type { ChunkReader, ChunkWriter } from '../bytes.ts'
import { apis } from './apis.ts'
import * as wire from './wire.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

const apiVersionsKey = 18

/**
 * Reads a request's header and leaves the reader at the message. Of a key that is not known here only
 * the fixed part is read. A version above those that are known is taken for flexible if the highest
 * known one is. Throws ProtocolError.
 */
export function readRequestHeader(reader: ChunkReader): RequestHeader {
  const apiKey = wire.readInt16(reader)
  const apiVersion = wire.readInt16(reader)
  const correlationId = wire.readInt32(reader)
  const clientId = wire.readString(reader, false)
  if (isFlexible(apiKey, apiVersion)) wire.skipTags(reader)
  return { apiKey, apiVersion, correlationId, clientId }
}

/** For clients and tests. */
export function writeRequestHeader(writer: ChunkWriter, header: RequestHeader): void {
  wire.writeInt16(writer, header.apiKey)
  wire.writeInt16(writer, header.apiVersion)
  wire.writeInt32(writer, header.correlationId)
  wire.writeString(writer, header.clientId, false)
  if (isFlexible(header.apiKey, header.apiVersion)) writer.varint(0)
}

/** The header of the answer to the request of this header. */
export function writeResponseHeader(
  writer: ChunkWriter,
  request: Pick<RequestHeader, 'apiKey' | 'apiVersion' | 'correlationId'>,
): void {
  wire.writeInt32(writer, request.correlationId)
  if (hasResponseTags(request.apiKey, request.apiVersion)) writer.varint(0)
}

/** For clients and tests: reads the answer's header and returns its correlation id. */
export function readResponseHeader(
  reader: ChunkReader,
  request: Pick<RequestHeader, 'apiKey' | 'apiVersion'>,
): number {
  const correlationId = wire.readInt32(reader)
  if (hasResponseTags(request.apiKey, request.apiVersion)) wire.skipTags(reader)
  return correlationId
}

function hasResponseTags(apiKey: number, apiVersion: number): boolean {
  return apiKey !== apiVersionsKey && isFlexible(apiKey, apiVersion)
}

function isFlexible(apiKey: number, apiVersion: number): boolean {
  const api = apis.get(apiKey)
  return api !== undefined && apiVersion >= api.flexible.min && api.flexible.max >= api.flexible.min
}
