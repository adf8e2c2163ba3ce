/**
 * The messages that a list holds: the newest so many, of at most so many bytes. What goes first is counted, and is
 * the log's to bring again.
 */
import type { StoredMessage } from '@kaska/protocol'

export interface KeptLimits {
  readonly countMax: number
  readonly bytesMax: number
}

export const keptLimits: KeptLimits = { countMax: 100_000, bytesMax: 64 << 20 }

/** What a message takes beside its bytes, about: the object, its views, its place in the list. */
const messageOverhead = 300

export class KeptMessages {
  readonly #limits: KeptLimits
  #messages: StoredMessage[] = []
  /** Where the first one stands; those before it are gone. */
  #head = 0
  #bytes = 0
  #dropped = 0

  constructor(limits: KeptLimits = keptLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#messages.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many are no longer kept. */
  get dropped(): number {
    return this.#dropped
  }

  at(index: number): StoredMessage | undefined {
    return index < 0 ? undefined : this.#messages[this.#head + index]
  }

  /** Takes more at the end; answers how many went at the front. The last one always stays. */
  push(messages: readonly StoredMessage[]): number {
    for (const message of messages) {
      this.#messages.push(message)
      this.#bytes += sizeOf(message)
    }
    const { countMax, bytesMax } = this.#limits
    const droppedBefore = this.#dropped
    while (this.length > countMax || (this.#bytes > bytesMax && this.length > 1)) {
      this.#bytes -= sizeOf(this.#messages[this.#head] as StoredMessage)
      this.#head++
      this.#dropped++
    }
    if (this.#head > 1000 && this.#head > this.#messages.length / 4) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
    return this.#dropped - droppedBefore
  }

  /** The place of a message; -1: it is not kept. */
  indexOf(partition: number, offset: number): number {
    for (let index = this.length - 1; index >= 0; index--) {
      const message = this.at(index)
      if (message?.offset === offset && message.partition === partition) return index
    }
    return -1
  }

  *[Symbol.iterator](): Generator<StoredMessage> {
    for (let at = this.#head; at < this.#messages.length; at++) {
      yield this.#messages[at] as StoredMessage
    }
  }
}

function sizeOf({ key, value, headers }: StoredMessage): number {
  let size = messageOverhead + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, bytes] of headers) size += 100 + name.length * 2 + (bytes?.length ?? 0)
  return size
}

/** The same with bytes of its own: it keeps nothing else of what it came with in memory. */
export function ownBytes(message: StoredMessage): StoredMessage {
  const own = (bytes: Uint8Array | null) => (bytes === null ? null : bytes.slice())
  const { topic, partition, offset, timestamp, key, value, headers } = message
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: own(key),
    value: own(value),
    headers: headers.map(([name, bytes]) => [name, own(bytes)] as const),
  }
}

/**
 * Messages of several partitions that came together, by their times. Those of one partition stay in the order of
 * their offsets, whatever their times say.
 */
export function byTime(messages: readonly StoredMessage[]): readonly StoredMessage[] {
  let isSorted = true
  for (let at = 1; at < messages.length && isSorted; at++) {
    isSorted = (messages[at - 1]?.timestamp ?? 0) <= (messages[at]?.timestamp ?? 0)
  }
  if (isSorted) return messages
  const newest = new Map<number, number>()
  const places = messages.map((message) => {
    const { partition, timestamp } = message
    const time = Math.max(timestamp, newest.get(partition) ?? Number.NEGATIVE_INFINITY)
    newest.set(partition, time)
    return { message, time }
  })
  return places.sort((one, other) => one.time - other.time).map(({ message }) => message)
}
