/**
 * The codecs of the broker: gzip and zstd, which Node brings along, snappy and lz4, which are ours. Each
 * is bounded in what it may expand to, and zlib is loaded when the first batch needs it.
 */
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import {
  type Chunks,
  type Codec,
  type Codecs,
  expandLz4,
  expandSnappy,
  InvalidMessageError,
  joinChunks,
  noCodecs,
} from '@kaska/protocol'

type Zlib = typeof import('node:zlib')
type Expand = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array

const copyBytes = 64 * 1024
const gzip = 1
const zstd = 4
/** What is expanded in this thread before others have a turn. */
const sliceBytes = 1024 * 1024

/** Those that are ours, by their types. */
const pieceCodecs = new Map([
  [2, expandSnappy],
  [3, expandLz4],
])

/** Codecs for the compression types that this Node can expand; noCodecs' error for the others. */
export function createCodecs(): Codecs {
  const loaded = new Map<number, Codec>()
  return (compression) => {
    const codec = loaded.get(compression) ?? loadCodec(compression)
    loaded.set(compression, codec)
    return codec
  }
}

/** Expands piece by piece, in Node's threads: never more than a piece or two is in memory. */
export function createExpander(): (
  compression: number,
  records: Chunks,
  bytesMax: number,
) => AsyncIterable<Uint8Array> {
  return expandInPieces
}

async function* expandInPieces(
  compression: number,
  records: Chunks,
  bytesMax: number,
): AsyncIterable<Uint8Array> {
  const expand = pieceCodecs.get(compression)
  if (expand !== undefined) {
    yield* inSlices(expand(joinChunks(records), bytesMax))
    return
  }
  if (compression !== gzip && compression !== zstd) throw noCodecs(compression)
  const zlib = loadZlib()
  const stream = compression === gzip ? zlib.createGunzip() : zlib.createZstdDecompress()
  Readable.from(copiesOf(records), { objectMode: false, highWaterMark: 1 }).pipe(stream)
  let bytes = 0
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      bytes += piece.length
      if (bytes > bytesMax) break
      yield piece
    }
  } catch (cause) {
    throw damaged(cause)
  }
  if (bytes > bytesMax) {
    throw new InvalidMessageError(`the batch expands to more than ${bytesMax} bytes`)
  }
}

async function* inSlices(pieces: Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let bytes = 0
  for (const piece of pieces) {
    yield piece
    bytes += piece.length
    if (bytes < sliceBytes) continue
    bytes = 0
    await setImmediate()
  }
}

/**
 * Another thread reads what is expanded, and may go on with it for a moment when nobody wants the rest
 * any more. The received buffers may be freed by then: so it gets copies, of a piece at a time.
 */
function* copiesOf(records: Chunks): Iterable<Uint8Array> {
  for (const chunk of records) {
    for (let start = 0; start < chunk.length; start += copyBytes) {
      yield chunk.slice(start, start + copyBytes)
    }
  }
}

function loadCodec(compression: number): Codec {
  const expandPieces = pieceCodecs.get(compression)
  if (expandPieces !== undefined) {
    return {
      decompress: (records, bytesMax) =>
        joinChunks([...expandPieces(joinChunks(records), bytesMax)]),
    }
  }
  if (compression !== gzip && compression !== zstd) return noCodecs(compression)
  const zlib = loadZlib()
  // Node 22.15 has zstd.
  const expand: Expand = compression === gzip ? zlib.gunzipSync : zlib.zstdDecompressSync
  return { decompress: (records, bytesMax) => decompress(expand, records, bytesMax) }
}

function loadZlib(): Zlib {
  return createRequire(import.meta.url)('node:zlib') as Zlib
}

function decompress(expand: Expand, records: Chunks, bytesMax: number): Uint8Array {
  try {
    return expand(joinChunks(records), { maxOutputLength: bytesMax })
  } catch (cause) {
    throw damaged(cause)
  }
}

function damaged(cause: unknown): InvalidMessageError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new InvalidMessageError(`the batch cannot be expanded: ${reason}`, { cause })
}
