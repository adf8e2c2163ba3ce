/** The fastest CRC-32C there is here: a native one where it can be loaded, else plain JavaScript. */
import { createRequire } from 'node:module'
import { type Crc32c, crc32c } from '@kaska/protocol'

/** What is used of the native package. */
interface NativeCrc32 {
  crc32c(bytes: Uint8Array, previous?: number): number
}

/** Shorter than this, a call into native code costs more than the loop does. */
const nativeBytesMin = 64

/** Loads the native package, which is an optional dependency; the results are the same without it. */
export function loadCrc32c(): Crc32c {
  let native: NativeCrc32
  try {
    native = createRequire(import.meta.url)('@node-rs/crc32') as NativeCrc32
  } catch {
    return crc32c
  }
  return (bytes, previous) =>
    bytes.length < nativeBytesMin ? crc32c(bytes, previous) : native.crc32c(bytes, previous)
}
