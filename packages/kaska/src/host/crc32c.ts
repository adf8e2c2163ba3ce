/** The fastest CRC-32C there is here: a native one where it can be loaded, else plain JavaScript. */
import { createRequire } from 'node:module'
import { type Crc32c, crc32c } from '@kaska/protocol'

/** What is used of a native package. */
interface NativeCrc32 {
  crc32c(bytes: Uint8Array, previous?: number): number
}

/**
 * The packages, the fastest first. Of `aws-crt` (four times as fast, 50 MB, 40 ms to load) only who installs it beside
 * Kaska has it; the other is an optional dependency (docs/decisions/0029).
 */
const packages = ['aws-crt/dist/native/checksums', '@node-rs/crc32']

/** Shorter than this, a call into native code costs more than the loop does. */
const nativeBytesMin = 64

/** Loads the first package that is there and counts right; the results are the same without any. */
export function loadCrc32c(
  load: (name: string) => unknown = createRequire(import.meta.url),
): Crc32c {
  for (const name of packages) {
    try {
      const native = load(name) as NativeCrc32
      if (!countsRight(native)) continue
      return (bytes, previous) =>
        bytes.length < nativeBytesMin ? crc32c(bytes, previous) : native.crc32c(bytes, previous)
    } catch {
      // It is not installed, or has no binary for this platform.
    }
  }
  return crc32c
}

/** In one piece and in two. */
function countsRight(native: NativeCrc32): boolean {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => (index * 31) >>> 3)
  const sum = crc32c(bytes, 0)
  const before = native.crc32c(bytes.subarray(0, 300), 0)
  return native.crc32c(bytes, 0) === sum && native.crc32c(bytes.subarray(300), before) === sum
}
