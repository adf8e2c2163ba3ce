/** What the tests of this package share: arbitrary bytes in arbitrary pieces. */
import fc from 'fast-check'

export interface SplitBytes {
  readonly bytes: Uint8Array
  /** The same bytes, in order, in any number of views; some may be empty. */
  readonly chunks: readonly Uint8Array[]
}

/** Cuts the bytes at the positions given (any numbers), each piece in a buffer of its own. */
export function splitAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const positions = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b)
  const chunks: Uint8Array[] = []
  let start = 0
  for (const end of [...positions, bytes.length]) {
    chunks.push(bytes.slice(start, end))
    start = end
  }
  return chunks
}

export function splitBytes(constraints: fc.IntArrayConstraints = {}): fc.Arbitrary<SplitBytes> {
  return fc
    .tuple(fc.uint8Array(constraints), fc.array(fc.nat(), { maxLength: 8 }))
    .map(([bytes, cuts]) => ({ bytes, chunks: splitAt(bytes, cuts) }))
}
