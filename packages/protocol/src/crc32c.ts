/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78) in plain JavaScript, eight bytes a step. The
 * broker prefers a native one where it can load it; this is the fallback, and the browser's.
 */
import type { Crc32c } from './seams.ts'

const tableCount = 8
const tables: readonly Uint32Array[] = createTables()

/** See `Crc32c`: `crc32c(b, crc32c(a, 0))` is the CRC of a and b together. */
export const crc32c: Crc32c = (bytes, previous) => {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as unknown as Tables
  const length = bytes.length
  const stepsEnd = length - (length % 8)
  let crc = ~previous
  let position = 0
  while (position < stepsEnd) {
    crc ^=
      (bytes[position] as number) |
      ((bytes[position + 1] as number) << 8) |
      ((bytes[position + 2] as number) << 16) |
      ((bytes[position + 3] as number) << 24)
    crc =
      (t7[crc & 0xff] as number) ^
      (t6[(crc >>> 8) & 0xff] as number) ^
      (t5[(crc >>> 16) & 0xff] as number) ^
      (t4[crc >>> 24] as number) ^
      (t3[bytes[position + 4] as number] as number) ^
      (t2[bytes[position + 5] as number] as number) ^
      (t1[bytes[position + 6] as number] as number) ^
      (t0[bytes[position + 7] as number] as number)
    position += 8
  }
  while (position < length) {
    crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[position++] as number)) & 0xff] as number)
  }
  return ~crc >>> 0
}

type Tables = [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

function createTables(): Uint32Array[] {
  const first = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    first[byte] = crc >>> 0
  }
  const all = [first]
  for (let index = 1; index < tableCount; index++) {
    const before = all[index - 1] as Uint32Array
    const table = new Uint32Array(256)
    for (let byte = 0; byte < 256; byte++) {
      const crc = before[byte] as number
      table[byte] = ((crc >>> 8) ^ (first[crc & 0xff] as number)) >>> 0
    }
    all.push(table)
  }
  return all
}
