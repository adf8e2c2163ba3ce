/**
 * Many messages as one piece of bytes and one list of numbers: so that they can be handed to a worker, which takes
 * the bytes over. Each message is, in numbers:
 *
 *     partition, offset, timestamp, key, value, count of headers, then (name, value) of each header
 *
 * where a field is its length in bytes, -1 for null, and the bytes follow each other in the same order.
 */
import type { StoredMessage } from '@kaska/protocol'

export interface PackedMessages {
  readonly topic: string
  readonly numbers: Float64Array<ArrayBuffer>
  readonly bytes: Uint8Array<ArrayBuffer>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function packMessages(messages: readonly StoredMessage[]): PackedMessages {
  const fields: Uint8Array[] = []
  const numbers: number[] = []
  let length = 0
  const add = (field: Uint8Array | null): void => {
    numbers.push(field === null ? -1 : field.length)
    if (field === null) return
    fields.push(field)
    length += field.length
  }
  for (const { partition, offset, timestamp, key, value, headers } of messages) {
    numbers.push(partition, offset, timestamp)
    add(key)
    add(value)
    numbers.push(headers.length)
    for (const [name, bytes] of headers) {
      add(encoder.encode(name))
      add(bytes)
    }
  }
  const bytes = new Uint8Array(length)
  let position = 0
  for (const field of fields) {
    bytes.set(field, position)
    position += field.length
  }
  return { topic: messages[0]?.topic ?? '', numbers: Float64Array.from(numbers), bytes }
}

/** The messages again; their bytes are views. */
export function unpackMessages({ topic, numbers, bytes }: PackedMessages): StoredMessage[] {
  let at = 0
  let position = 0
  const next = (): number => numbers[at++] as number
  const field = (): Uint8Array | null => {
    const length = next()
    if (length < 0) return null
    position += length
    return bytes.subarray(position - length, position)
  }
  const messages: StoredMessage[] = []
  while (at < numbers.length) {
    const [partition, offset, timestamp] = [next(), next(), next()]
    const key = field()
    const value = field()
    const headers = Array.from({ length: next() }, () => {
      const name = decoder.decode(field() ?? new Uint8Array(0))
      return [name, field()] as const
    })
    messages.push({ topic, partition, offset, timestamp, key, value, headers })
  }
  return messages
}
