/**
 * Expands LZ4 frames as Kafka's clients send them, and refuses those that Kafka's Java client cannot
 * read. Source: LZ4's lz4_Frame_format.md and lz4_Block_format.md.
 *
 *   frame   magic, FLG, BD, [content size 8], header checksum 1,
 *           blocks: length uint32 (bit 31: stored as it is), bytes, [checksum 4]; length 0 ends them,
 *           [content checksum 4]
 *   FLG     version 2 bits (01), independent blocks, block checksums, content size, content checksum,
 *           reserved, dictionary
 *
 * Integers are little-endian; checksums are XXH32. Java's client takes neither blocks that depend on each
 * other nor dictionaries, and checks the header's and the blocks' checksums.
 */
import { InvalidMessageError } from '../errors.ts'
import { copyBack, copyLiteral } from './snappy.ts'

const magic = 0x184d2204
const versionBits = 0x40
const independentBit = 0x20
const blockChecksumBit = 0x10
const contentSizeBit = 0x08
const contentChecksumBit = 0x04
const unusableBits = 0x03
const storedBit = 0x80000000
/** A match takes at least so many bytes of output. */
const matchMin = 4
const longNibble = 15

/**
 * Pieces in order, one a block, in memory of their own; together at most `bytesMax`. Throws InvalidMessageError.
 */
export function* expandLz4(input: Uint8Array, bytesMax: number): Generator<Uint8Array> {
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  let position = 0
  const take = (bytes: number): number => {
    const start = position
    if (start + bytes > input.length) throw damaged('it ends too early')
    position += bytes
    return start
  }
  const uint32 = (): number => view.getUint32(take(4), true)
  if (uint32() !== magic) throw damaged('it is no frame')
  const flags = view.getUint8(take(1))
  const descriptor = view.getUint8(take(1))
  const isUsable = (flags & 0xc0) === versionBits && (flags & unusableBits) === 0
  if (!isUsable || (flags & independentBit) === 0) throw damaged('its flags are not for Kafka')
  const sizeCode = (descriptor >> 4) & 7
  if (sizeCode < 4 || (descriptor & 0x8f) !== 0) throw damaged('its block size is not known')
  if ((flags & contentSizeBit) !== 0) take(8)
  const headerHash = xxh32(input.subarray(4, position))
  if (view.getUint8(take(1)) !== ((headerHash >>> 8) & 0xff)) throw damaged('its header is damaged')
  // 64 KiB, 256 KiB, 1 MiB, 4 MiB.
  const blockBytesMax = 2 ** (8 + 2 * sizeCode)
  let left = bytesMax
  for (;;) {
    const length = uint32()
    if (length === 0) break
    const bytes = length % storedBit
    if (bytes > blockBytesMax) throw damaged('a block is too large')
    const start = take(bytes)
    const block = input.subarray(start, start + bytes)
    if ((flags & blockChecksumBit) !== 0 && uint32() !== xxh32(block)) {
      throw damaged('a block is damaged')
    }
    const isStored = length >= storedBit
    const piece = isStored ? block.slice() : expandBlock(block, Math.min(blockBytesMax, left))
    if (piece.length > left || piece.length > blockBytesMax) throw tooMuch(bytesMax)
    left -= piece.length
    if (piece.length > 0) yield piece
  }
  if ((flags & contentChecksumBit) !== 0) take(4)
  if (position !== input.length) throw damaged('bytes follow its end')
}

function expandBlock(input: Uint8Array, bytesMax: number): Uint8Array {
  // A byte of a long match's length stands for at most 255 bytes.
  const output = new Uint8Array(Math.min(bytesMax, input.length * 255 + longNibble + matchMin))
  let position = 0
  let end = 0
  while (position < input.length) {
    const token = input[position++] as number
    let literals = token >> 4
    if (literals === longNibble) {
      const start = position
      position = longLengthEnd(input, start)
      literals += longLength(input, start, position)
    }
    if (position + literals > input.length) throw damaged('a literal is cut')
    if (end + literals > output.length) throw tooMuch(bytesMax)
    copyLiteral(output, end, input, position, literals)
    position += literals
    end += literals
    if (position === input.length) return output.subarray(0, end)
    if (position + 2 > input.length) throw damaged('it ends too early')
    const back = (input[position] as number) | ((input[position + 1] as number) << 8)
    position += 2
    let count = (token & longNibble) + matchMin
    if (count === longNibble + matchMin) {
      const start = position
      position = longLengthEnd(input, start)
      count += longLength(input, start, position)
    }
    if (back === 0 || back > end) throw damaged('a match is out of range')
    if (end + count > output.length) throw tooMuch(bytesMax)
    copyBack(output, end, back, count)
    end += count
  }
  throw damaged('its last sequence is cut')
}

/** Where the bytes of a long length end: with the first that is not 255. */
function longLengthEnd(input: Uint8Array, start: number): number {
  let position = start
  while (input[position] === 255) position++
  if (position >= input.length) throw damaged('it ends too early')
  return position + 1
}

/** The sum of the bytes of a long length. */
function longLength(input: Uint8Array, start: number, end: number): number {
  return (end - start - 1) * 255 + (input[end - 1] as number)
}

const primes = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1] as const

/** XXH32 with seed 0. */
export function xxh32(bytes: Uint8Array): number {
  const [prime1, prime2, prime3, prime4, prime5] = primes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let position = 0
  let hash: number = prime5
  if (bytes.length >= 16) {
    let a = (prime1 + prime2) | 0
    let b: number = prime2 | 0
    let c = 0
    let d = -prime1 | 0
    for (; position + 16 <= bytes.length; position += 16) {
      a = round(a, view.getUint32(position, true))
      b = round(b, view.getUint32(position + 4, true))
      c = round(c, view.getUint32(position + 8, true))
      d = round(d, view.getUint32(position + 12, true))
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
  }
  hash = (hash + bytes.length) | 0
  for (; position + 4 <= bytes.length; position += 4) {
    hash = (hash + Math.imul(view.getUint32(position, true), prime3)) | 0
    hash = Math.imul(rotate(hash, 17), prime4)
  }
  for (; position < bytes.length; position++) {
    hash = (hash + Math.imul(bytes[position] as number, prime5)) | 0
    hash = Math.imul(rotate(hash, 11), prime1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** What one lane makes of its next word. */
function round(lane: number, word: number): number {
  const [prime1, prime2] = primes
  return Math.imul(rotate((lane + Math.imul(word, prime2)) | 0, 13), prime1)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function damaged(what: string): InvalidMessageError {
  return new InvalidMessageError(`a batch cannot be expanded with lz4: ${what}`)
}

function tooMuch(bytesMax: number): InvalidMessageError {
  return damaged(`it expands to more than its blocks or ${bytesMax} bytes`)
}
