/**
 * The codecs of a host, from what it brings along for gzip and zstd; snappy and lz4 are ours. Each is bounded
 * in what it may expand to, and made when the first batch needs it.
 */
import { type Chunks, joinChunks } from '../bytes.ts'
import { type Codec, type Codecs, noCodecs } from '../compression.ts'
import { InvalidMessageError } from '../errors.ts'
import { expandLz4 } from './lz4.ts'
import { expandSnappy } from './snappy.ts'

/** The compression types of a batch for which the host has a codec. */
export const gzipType = 1
export const zstdType = 4

/** Expands at once, as Node's zlib does; throws for more than `maxOutputLength` bytes of output. */
export type HostExpand = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array

/** Expands piece by piece. Throws InvalidMessageError. */
export type PieceExpand = (bytes: Uint8Array, bytesMax: number) => Iterable<Uint8Array>

const ours: ReadonlyMap<number, PieceExpand> = new Map([
  [2, expandSnappy],
  [3, expandLz4],
])

/** Those of our own, by their compression types. */
export function pieceCodec(compression: number): PieceExpand | undefined {
  return ours.get(compression)
}

/** `load` is asked once for each of the host's types. What nobody has throws as `noCodecs` does. */
export function createCodecsWith(
  load: (compression: typeof gzipType | typeof zstdType) => HostExpand,
): Codecs {
  const loaded = new Map<number, Codec>()
  const codecOf = (compression: number): Codec => {
    const expandPieces = ours.get(compression)
    if (expandPieces !== undefined) {
      return {
        decompress: (records, bytesMax) =>
          joinChunks([...expandPieces(joinChunks(records), bytesMax)]),
      }
    }
    if (compression !== gzipType && compression !== zstdType) return noCodecs(compression)
    const expand = load(compression)
    return { decompress: (records, bytesMax) => decompress(expand, records, bytesMax) }
  }
  return (compression) => {
    const codec = loaded.get(compression) ?? codecOf(compression)
    loaded.set(compression, codec)
    return codec
  }
}

/** The error for a batch that no codec makes sense of. */
export function damagedBatch(cause: unknown): InvalidMessageError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new InvalidMessageError(`the batch cannot be expanded: ${reason}`, { cause })
}

function decompress(expand: HostExpand, records: Chunks, bytesMax: number): Uint8Array {
  try {
    return expand(joinChunks(records), { maxOutputLength: bytesMax })
  } catch (cause) {
    throw damagedBatch(cause)
  }
}
