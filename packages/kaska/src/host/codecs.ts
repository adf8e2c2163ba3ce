/**
 * The codecs of the broker: gzip and zstd, which Node brings along, snappy and lz4, which are ours. Each
 * is bounded in what it may expand to, and zlib is loaded when the first batch needs it.
 */
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import {
  type Chunks,
  type Codecs,
  createCodecsWith,
  damagedBatch,
  gzipType,
  InvalidMessageError,
  joinChunks,
  noCodecs,
  pieceCodec,
  zstdType,
} from '@kaska/protocol'

type Zlib = typeof import('node:zlib')

const copyBytes = 64 * 1024
/** What is expanded in this thread before others have a turn. */
const sliceBytes = 1024 * 1024

/** Codecs for the compression types that this Node can expand; noCodecs' error for the others. */
export function createCodecs(): Codecs {
  return createCodecsWith((compression) => {
    const zlib = loadZlib()
    return compression === gzipType ? zlib.gunzipSync : zlib.zstdDecompressSync
  })
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
  const expand = pieceCodec(compression)
  if (expand !== undefined) {
    yield* inSlices(expand(joinChunks(records), bytesMax))
    return
  }
  if (compression !== gzipType && compression !== zstdType) throw noCodecs(compression)
  const zlib = loadZlib()
  const stream = compression === gzipType ? zlib.createGunzip() : zlib.createZstdDecompress()
  Readable.from(copiesOf(records), { objectMode: false, highWaterMark: 1 }).pipe(stream)
  let bytes = 0
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      bytes += piece.length
      if (bytes > bytesMax) break
      yield piece
    }
  } catch (cause) {
    throw damagedBatch(cause)
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

function loadZlib(): Zlib {
  return createRequire(import.meta.url)('node:zlib') as Zlib
}
