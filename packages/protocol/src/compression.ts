/**
 * The compression types of a batch (attribute bits 0-2) and the seam for their codecs. This package
 * brings none: codecs are given to the client and the broker, and loaded on demand.
 */
import type { Chunks } from './bytes.ts'
import { UnsupportedCompressionError } from './errors.ts'

export const compressionNames: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** Expands a records section. */
export interface Codec {
  /**
   * In memory of its own. Throws InvalidMessageError for damaged input, and for more than `bytesMax`
   * bytes of output.
   */
  decompress(records: Chunks, bytesMax: number): Uint8Array
}

/** The codec for a compression type (1 to 7); throws UnsupportedCompressionError. */
export type Codecs = (compression: number) => Codec

export const noCodecs: Codecs = (compression) => {
  const name = compressionNames[compression] ?? `type ${compression}`
  throw new UnsupportedCompressionError(`there is no codec for ${name} here`)
}
