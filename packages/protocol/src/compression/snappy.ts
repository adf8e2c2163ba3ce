/**
 * Expands Snappy, in the two forms in which Kafka's clients send it: one block, or the framing of
 * Xerial's Java library (blocks of 32 KiB with their lengths before them). Source: Snappy's
 * format_description.txt.
 *
 *   block     length varint, then elements until there are so many bytes
 *   element   tag, low two bits: 00 a literal | 01, 10, 11 a copy of what came before
 *   framing   82 'SNAPPY' 00, version int32, compatible int32, then per block its length int32
 *
 * What comes out is bounded before it is made: a block says its length, which at most some 21 times its
 * bytes can be.
 */
import { InvalidMessageError } from '../errors.ts'

const xerialMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
const xerialHeaderBytes = 16
/** Three bytes make a copy of 64. */
const expansionMax = 22
const pieceBytes = 64 * 1024
/** A literal's tag says more than this if its length follows in bytes of its own. */
const longLiteral = 60
/** Up to so many bytes a loop is quicker than the call that copies them. */
const loopBytesMax = 48

/** Pieces in order; together at most `bytesMax`. Throws InvalidMessageError. */
export function* expandSnappy(input: Uint8Array, bytesMax: number): Generator<Uint8Array> {
  if (!xerialMagic.every((byte, index) => input[index] === byte)) {
    yield* expandBlock(input, bytesMax)
    return
  }
  if (input.length < xerialHeaderBytes) throw damaged('its header is cut')
  let position = xerialHeaderBytes
  let left = bytesMax
  while (position < input.length) {
    if (position + 4 > input.length) throw damaged("a block's length is cut")
    const view = new DataView(input.buffer, input.byteOffset + position, 4)
    const length = view.getInt32(0)
    const start = position + 4
    if (length < 0 || start + length > input.length) throw damaged('a block is cut')
    for (const piece of expandBlock(input.subarray(start, start + length), left)) {
      left -= piece.length
      yield piece
    }
    position = start + length
  }
}

function* expandBlock(input: Uint8Array, bytesMax: number): Generator<Uint8Array> {
  const { length, start } = readLength(input)
  if (length > bytesMax) throw damaged(`it expands to more than ${bytesMax} bytes`)
  if (length > (input.length - start) * expansionMax) throw damaged('its length is a lie')
  const output = new Uint8Array(length)
  let position = start
  let end = 0
  let given = 0
  while (position < input.length) {
    const tag = input[position++] as number
    const kind = tag & 3
    if (kind === 0) {
      let count = (tag >> 2) + 1
      if (count > longLiteral) {
        const bytes = count - longLiteral
        count = little(input, position, bytes) + 1
        position += bytes
      }
      if (position + count > input.length || end + count > length) throw damaged('a literal is cut')
      copyLiteral(output, end, input, position, count)
      position += count
      end += count
    } else {
      const count = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2)
      const bytes = kind === 3 ? 4 : kind
      const back = (kind === 1 ? (tag >> 5) * 256 : 0) + little(input, position, bytes)
      position += bytes
      if (back === 0 || back > end || end + count > length) throw damaged('a copy is out of range')
      copyBack(output, end, back, count)
      end += count
    }
    if (end - given < pieceBytes) continue
    yield output.subarray(given, end)
    given = end
  }
  if (end !== length) throw damaged('it ends too early')
  if (end > given) yield output.subarray(given, end)
}

/** An unsigned integer of 1 to 4 bytes. */
function little(input: Uint8Array, position: number, bytes: number): number {
  if (position + bytes > input.length) throw damaged('it ends too early')
  let value = input[position] as number
  if (bytes > 1) value |= (input[position + 1] as number) << 8
  if (bytes > 2) value |= (input[position + 2] as number) << 16
  return bytes > 3 ? value + (input[position + 3] as number) * 2 ** 24 : value
}

function readLength(input: Uint8Array): { readonly length: number; readonly start: number } {
  let length = 0
  for (let start = 0; start < 5; start++) {
    const byte = input[start]
    if (byte === undefined) throw damaged('it ends too early')
    length += (byte & 0x7f) * 2 ** (7 * start)
    if (byte < 0x80) return { length, start: start + 1 }
  }
  throw damaged('its length is malformed')
}

/** Copies what stands in the input as it is to come out. Both ranges were checked. */
export function copyLiteral(
  output: Uint8Array,
  end: number,
  input: Uint8Array,
  position: number,
  count: number,
): void {
  if (count > loopBytesMax) {
    output.set(input.subarray(position, position + count), end)
    return
  }
  for (let index = 0; index < count; index++) {
    output[end + index] = input[position + index] as number
  }
}

/** Copies `count` bytes from `back` bytes before `end`; what is copied may itself be part of it. */
export function copyBack(output: Uint8Array, end: number, back: number, count: number): void {
  const start = end - back
  if (count > loopBytesMax && back >= count) {
    output.copyWithin(end, start, start + count)
    return
  }
  for (let index = 0; index < count; index++) {
    output[end + index] = output[start + index] as number
  }
}

function damaged(what: string): InvalidMessageError {
  return new InvalidMessageError(`a batch cannot be expanded with snappy: ${what}`)
}
