/** The fastest CRC-32C there is here: a native one where it can be loaded, else plain JavaScript. */
import { createRequire } from 'node:module'
import process from 'node:process'
import { type Crc32c, crc32c } from '@kaska/protocol'

/** What is used of a native module. */
interface NativeCrc32 {
  crc32c(bytes: Uint8Array, previous?: number): number
}

/** The fastest first: the package's own, for the platforms that it has a file for, and a dependency for others (docs/decisions/0029). */
const modules = [`#native/crc32c-${process.platform}-${process.arch}.node`, '@node-rs/crc32']

/** Shorter than this, a call into native code costs more than the loop does. */
const nativeBytesMin = 64

/** Loads the first module that is there and counts right; the results are the same without any. */
export function loadCrc32c(
  load: (name: string) => unknown = createRequire(import.meta.url),
): Crc32c {
  for (const name of modules) {
    try {
      const native = load(name) as NativeCrc32
      if (!countsRight(native)) continue
      return (bytes, previous) =>
        bytes.length < nativeBytesMin ? crc32c(bytes, previous) : native.crc32c(bytes, previous)
    } catch {
      // It is not installed, or there is none for this platform.
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
