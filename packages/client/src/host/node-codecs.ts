/**
 * The codecs of a client under Node: gzip and zstd, which Node brings along, snappy and lz4, which are
 * ours. Each is bounded in what it may expand to, and zlib is loaded when the first batch needs it.
 */
import { createRequire } from 'node:module'
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

const gzip = 1
const zstd = 4

/** Those that are ours, by their types. */
const pieceCodecs = new Map([
  [2, expandSnappy],
  [3, expandLz4],
])

/** Codecs for what this Node can expand; noCodecs' error for the others. */
export function createNodeCodecs(): Codecs {
  const loaded = new Map<number, Codec>()
  return (compression) => {
    const codec = loaded.get(compression) ?? load(compression)
    loaded.set(compression, codec)
    return codec
  }
}

function load(compression: number): Codec {
  const expandPieces = pieceCodecs.get(compression)
  if (expandPieces !== undefined) {
    return {
      decompress: (records, bytesMax) =>
        joinChunks([...expandPieces(joinChunks(records), bytesMax)]),
    }
  }
  if (compression !== gzip && compression !== zstd) return noCodecs(compression)
  const zlib = createRequire(import.meta.url)('node:zlib') as Zlib
  const expand: Expand = compression === gzip ? zlib.gunzipSync : zlib.zstdDecompressSync
  return { decompress: (records, bytesMax) => decompress(expand, records, bytesMax) }
}

function decompress(expand: Expand, records: Chunks, bytesMax: number): Uint8Array {
  try {
    return expand(joinChunks(records), { maxOutputLength: bytesMax })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new InvalidMessageError(`a batch cannot be expanded: ${reason}`, { cause })
  }
}
