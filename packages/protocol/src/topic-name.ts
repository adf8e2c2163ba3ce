/**
 * Topic names (contract 8): 1 to 65,534 bytes of UTF-8 with no NUL inside, so that with a final NUL
 * a name has at most 2^16 - 1 bytes. Strict UTF-8: overlong forms, surrogates and truncated sequences
 * are refused; a leading byte order mark is part of the name and kept.
 */
import { type Chunks, chunksLength } from './bytes.ts'
import { InvalidTopicError, ProtocolError } from './errors.ts'

export const topicNameBytesMax = 65_534

/** A checked name: the string for look-ups, and the bytes as they came (contract 11). */
export interface TopicName {
  readonly text: string
  readonly bytes: Chunks
}

const encoder = new TextEncoder()

/** The name in a frame. The views are kept as they are, and become a string here and only here. */
export function parseTopicName(bytes: Chunks): TopicName {
  const length = chunksLength(bytes)
  if (length === 0) throw new InvalidTopicError('a topic name cannot be empty')
  if (length > topicNameBytesMax) throw tooLong(length)
  for (const chunk of bytes) {
    if (chunk.includes(0)) throw new InvalidTopicError('a topic name cannot hold a NUL')
  }
  try {
    return { text: decodeUtf8(bytes, 'the topic name'), bytes }
  } catch (cause) {
    throw new InvalidTopicError('the topic name is not valid UTF-8', { cause })
  }
}

/** The name in a JavaScript string, which has to be well-formed. */
export function topicNameOf(text: string): TopicName {
  if (typeof text !== 'string') throw new InvalidTopicError('a topic name is a string')
  if (text === '') throw new InvalidTopicError('a topic name cannot be empty')
  if (!text.isWellFormed()) {
    throw new InvalidTopicError('the topic name has half a surrogate pair: no UTF-8 stands for it')
  }
  if (text.includes('\0')) throw new InvalidTopicError('a topic name cannot hold a NUL')
  const bytes = encoder.encode(text)
  if (bytes.length > topicNameBytesMax) throw tooLong(bytes.length)
  return { text, bytes: [bytes] }
}

/** Strict UTF-8 to a string; throws ProtocolError, in which `what` names the field. */
export function decodeUtf8(bytes: Chunks, what: string): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    if (bytes.length === 1) return decoder.decode(bytes[0])
    let text = ''
    for (const chunk of bytes) text += decoder.decode(chunk, { stream: true })
    return text + decoder.decode()
  } catch {
    throw new ProtocolError(`${what} is not valid UTF-8`)
  }
}

function tooLong(length: number): InvalidTopicError {
  return new InvalidTopicError(
    `a topic name has at most ${topicNameBytesMax} bytes of UTF-8, this one has ${length}`,
  )
}
