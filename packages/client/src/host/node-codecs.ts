/** The codecs of a client under Node, which brings gzip and zstd along; zlib is loaded on demand. */
import { createRequire } from 'node:module'
import { type Codecs, createCodecsWith, gzipType } from '@kaska/protocol'

export function createNodeCodecs(): Codecs {
  return createCodecsWith((compression) => {
    const zlib = createRequire(import.meta.url)('node:zlib') as typeof import('node:zlib')
    return compression === gzipType ? zlib.gunzipSync : zlib.zstdDecompressSync
  })
}
