/** Topic ids: 16 bytes, written as 22 characters of base64url, as Kafka's tools print them. */
import type { TopicId } from './engine.ts'
import type { Random } from './seams.ts'

export const topicIdBytes = 16

const noDigit = 64
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const digitCodes: readonly number[] = Array.from(alphabet, (character) => character.charCodeAt(0))
/** By a character's code; what is no digit has a value that no digit has. */
const digitValues: readonly number[] = Array.from({ length: 128 }, (_, code) => {
  const value = alphabet.indexOf(String.fromCharCode(code))
  return value < 0 ? noDigit : value
})

/** A new id. Never all zeros, which stands for "none" on the wire, and never with a leading `-`,
 * so that it can be a file's name and an argument. */
export function createTopicId(random: Random): TopicId {
  for (;;) {
    const id = topicIdOf(random.bytes(topicIdBytes))
    if (!id.startsWith('-') && id !== noTopicId) return id
  }
}

/** The text form of 16 bytes. */
export function topicIdOf(bytes: Uint8Array): TopicId {
  const view = new DataView(bytes.buffer, bytes.byteOffset, topicIdBytes)
  return topicIdOfWords(view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12))
}

/** The text form of four integers of 32 bits, the first one first. */
export function topicIdOfWords(a: number, b: number, c: number, d: number): TopicId {
  // In one piece: an id is made for each topic of each request, and looked up.
  return String.fromCharCode(
    digit(a >>> 26),
    digit(a >>> 20),
    digit(a >>> 14),
    digit(a >>> 8),
    digit(a >>> 2),
    digit((a << 4) | (b >>> 28)),
    digit(b >>> 22),
    digit(b >>> 16),
    digit(b >>> 10),
    digit(b >>> 4),
    digit((b << 2) | (c >>> 30)),
    digit(c >>> 24),
    digit(c >>> 18),
    digit(c >>> 12),
    digit(c >>> 6),
    digit(c),
    digit(d >>> 26),
    digit(d >>> 20),
    digit(d >>> 14),
    digit(d >>> 8),
    digit(d >>> 2),
    digit(d << 4),
  )
}

/** The character's code for the lowest six bits. */
function digit(bits: number): number {
  return digitCodes[bits & 63] as number
}

/** The 16 bytes of an id in its text form; undefined where the text is not one. No two texts stand for
 * the same id. */
export function topicIdToBytes(id: TopicId): Uint8Array | undefined {
  if (id.length !== 22) return undefined
  const bytes = new Uint8Array(18)
  for (let index = 0; index < 24; index += 4) {
    let word = 0
    for (let digit = index; digit < index + 4; digit++) {
      const value = digit < 22 ? (digitValues[id.charCodeAt(digit)] ?? noDigit) : 0
      if (value === noDigit) return undefined
      word = (word << 6) | value
    }
    const position = (index / 4) * 3
    bytes[position] = word >>> 16
    bytes[position + 1] = word >>> 8
    bytes[position + 2] = word
  }
  // Of the last character only two bits belong to the id: the others have to be 0.
  return bytes[topicIdBytes] === 0 ? bytes.subarray(0, topicIdBytes) : undefined
}

/** "No topic id". */
export const noTopicId: TopicId = 'AAAAAAAAAAAAAAAAAAAAAA'
