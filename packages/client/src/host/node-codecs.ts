/**
 * The codecs that Node brings along: gzip and zstd. Each is bounded in what it may expand to, and
 * zlib is loaded when the first compressed batch comes in.
 */
import { createRequire } from 'node:module'
import {
  type Chunks,
  type Codec,
  type Codecs,
  InvalidMessageError,
  joinChunks,
  noCodecs,
} from '@kaska/protocol'

type Zlib = typeof import('node:zlib')
type Expand = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array

const gzip = 1
const zstd = 4

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
