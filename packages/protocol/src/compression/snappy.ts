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
  let position = 0
  const next = (): number => {
    const byte = input[position++]
    if (byte === undefined) throw damaged('it ends too early')
    return byte
  }
  const little = (bytes: number): number => {
    let value = 0
    for (let index = 0; index < bytes; index++) value += next() * 2 ** (8 * index)
    return value
  }
  const length = readLength(next)
  if (length > bytesMax) throw damaged(`it expands to more than ${bytesMax} bytes`)
  if (length > (input.length - position) * expansionMax) throw damaged('its length is a lie')
  const output = new Uint8Array(length)
  let end = 0
  let given = 0
  while (position < input.length) {
    const tag = next()
    const kind = tag & 3
    if (kind === 0) {
      const short = tag >> 2
      const count = (short < 60 ? short : little(short - 59)) + 1
      if (position + count > input.length || end + count > length) throw damaged('a literal is cut')
      output.set(input.subarray(position, position + count), end)
      position += count
      end += count
    } else {
      const count = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2)
      const back = kind === 1 ? (tag >> 5) * 256 + next() : little(kind === 2 ? 2 : 4)
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

function readLength(next: () => number): number {
  let value = 0
  for (let scale = 1; scale <= 2 ** 28; scale *= 0x80) {
    const byte = next()
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value
  }
  throw damaged('its length is malformed')
}

/** Copies `count` bytes from `back` bytes before `end`; what is copied may itself be part of it. */
export function copyBack(output: Uint8Array, end: number, back: number, count: number): void {
  const start = end - back
  if (back >= count) {
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
