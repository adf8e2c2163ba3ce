/**
 * The header by which a mirrored message tells where it came from: the place to go on is read back from
 * the target itself, and what has no such header was written by somebody else.
 *
 *     kaska-mirror: <offset>                          every message
 *     kaska-mirror: <offset> <topic id> <sequence>    the last one of a batch
 *
 * All in ASCII: the message's offset at the source, the id of the source's topic, and under which number
 * the batch was sent. A log ends with a batch's last message, so what is needed to go on stands there.
 */
import type { TopicId } from '@kaska/protocol'

export const mirrorHeaderName = 'kaska-mirror'

/** How a batch was sent (KIP-98). */
export interface BatchOrigin {
  readonly topic: TopicId
  /** Of the batch's last message. */
  readonly sequence: number
}

export interface MessageOrigin {
  /** At the source. */
  readonly offset: number
  /** Of a batch's last message alone. */
  readonly batch: BatchOrigin | undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const pattern = /^(\d{1,16})(?: ([\w-]{22}) (\d{1,10}))?$/
/** What a value may take: an answer for the sizes of batches. */
export const mirrorValueBytesMax = 50

export function encodeOrigin(offset: number, batch?: BatchOrigin): Uint8Array {
  if (batch === undefined) return encoder.encode(String(offset))
  return encoder.encode(`${offset} ${batch.topic} ${batch.sequence}`)
}

/** Where a message came from; undefined where no mirror has written it. */
export function originOf(
  headers: readonly (readonly [name: string, value: Uint8Array | null])[],
): MessageOrigin | undefined {
  const [, value] = headers.findLast(([name]) => name === mirrorHeaderName) ?? []
  if (value === undefined || value === null || value.length > mirrorValueBytesMax) return undefined
  const [, offset, topic, sequence] = pattern.exec(decoder.decode(value)) ?? []
  if (offset === undefined) return undefined
  const batch = topic === undefined ? undefined : { topic, sequence: Number(sequence) }
  return { offset: Number(offset), batch }
}
