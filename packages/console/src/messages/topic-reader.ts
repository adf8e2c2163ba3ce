/**
 * Reads a topic, or one of its partitions, from where one likes: over the native protocol, with a client of its own.
 * No message between the start and the position is left out, but for those that the log holds no longer.
 *
 * A browser cannot expand every compression that Kafka's producers use: what it cannot is asked for over HTTP,
 * where the broker expands it.
 */
import {
  type Client,
  UnknownPartitionError,
  UnknownTopicError,
  UnsupportedCompressionError,
} from '@kaska/client'
import type { StoredMessage } from '@kaska/protocol'
import type { StartAt } from './start-at.ts'

/** Messages of a partition from an offset on, by another way; `nextOffset` is behind the last of them. */
export type FetchPage = (
  topic: string,
  partition: number,
  offset: number,
  signal: AbortSignal,
) => Promise<{ messages: StoredMessage[]; nextOffset: number }>

export interface TopicReaderOptions {
  readonly client: Client
  readonly topic: string
  /** Undefined: all. */
  readonly partition: number | undefined
  /** Or the offsets, by partition. */
  readonly start: StartAt | ReadonlyMap<number, number>
  readonly fetchPage: FetchPage
  readonly signal: AbortSignal
}

/** How many offsets are asked for at once. */
const askedAtOnce = 64

export class TopicReader {
  readonly #client: Client
  readonly #topic: string
  readonly #partition: number | undefined
  readonly #fetchPage: FetchPage
  #fetched: StoredMessage[] = []
  #fetchedAt = 0
  /** Where the partitions ended when the reader was opened. */
  readonly ends: ReadonlyMap<number, number>
  /** Where it began. */
  readonly starts: ReadonlyMap<number, number>

  /** Rejects with UnknownTopicError, UnknownPartitionError, and with what the client rejects with. */
  static async open(options: TopicReaderOptions): Promise<TopicReader> {
    const { client, topic, partition, start, signal } = options
    if ((await client.subscribe([topic], { signal })) === 0) {
      throw new UnknownTopicError(`there is no topic '${topic}'`)
    }
    const ends = new Map<number, number>()
    for (const each of partitionsOf(client, topic)) {
      if (partition === undefined || each === partition) {
        ends.set(each, client.position(topic, each))
      }
    }
    if (partition !== undefined && ends.size === 0) {
      throw new UnknownPartitionError(`the topic '${topic}' has no partition ${partition}`)
    }
    const starts = new Map<number, number>()
    const pending = [...ends]
    const ask = async (): Promise<void> => {
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
        const [each, end] = next
        starts.set(each, await placeOf(each, end))
      }
    }
    await Promise.all(Array.from({ length: Math.min(askedAtOnce, pending.length) }, ask))
    for (const [each, offset] of starts) {
      if (offset !== ends.get(each)) client.seek(topic, offset, each)
    }
    return new TopicReader(options, starts, ends)

    async function placeOf(each: number, end: number): Promise<number> {
      if (start instanceof Map) return Math.min(end, start.get(each) ?? end)
      const { at } = start as StartAt
      if (at === 'end') return end
      if (at === 'time') {
        const { timestamp } = start as { timestamp: number }
        return (await client.offsetAt(topic, timestamp, each, { signal })) ?? end
      }
      const first = await client.startOffset(topic, each, { signal })
      if (at === 'start') return first
      const wanted =
        at === 'last'
          ? end - (start as { count: number }).count
          : (start as { offset: number }).offset
      return Math.min(end, Math.max(first, wanted))
    }
  }

  private constructor(
    { client, topic, partition, fetchPage }: TopicReaderOptions,
    starts: ReadonlyMap<number, number>,
    ends: ReadonlyMap<number, number>,
  ) {
    this.#client = client
    this.#topic = topic
    this.#partition = partition
    this.#fetchPage = fetchPage
    this.starts = starts
    this.ends = ends
  }

  /** The offset of the next message, by partition. */
  positions(): Map<number, number> {
    const positions = new Map<number, number>()
    for (const each of partitionsOf(this.#client, this.#topic)) {
      if (this.#partition === undefined || each === this.#partition) {
        positions.set(each, this.#client.position(this.#topic, each))
      }
    }
    for (let at = this.#fetched.length - 1; at >= this.#fetchedAt; at--) {
      const { partition, offset } = this.#fetched[at] as StoredMessage
      positions.set(partition, Math.min(offset, positions.get(partition) ?? offset))
    }
    return positions
  }

  /** The next message; undefined where none came in time. Rejects with what `poll` rejects with. */
  async next(timeoutMs: number, signal: AbortSignal): Promise<StoredMessage | undefined> {
    for (;;) {
      const fetched = this.#fetched[this.#fetchedAt]
      if (fetched !== undefined) {
        this.#fetchedAt++
        return fetched
      }
      try {
        const message = await this.#client.poll({ timeoutMs, signal })
        if (message === undefined) return undefined
        if (this.#partition === undefined) return message
        if (message.partition === this.#partition) return message.copy()
      } catch (error) {
        if (!(error instanceof UnsupportedCompressionError)) throw error
        if (!(await this.#fetch(signal))) throw error
      }
    }
  }

  /** Fetches what lies at the positions by the other way; false where that brought nothing. */
  async #fetch(signal: AbortSignal): Promise<boolean> {
    let hasMoved = false
    this.#fetched = []
    this.#fetchedAt = 0
    for (const each of partitionsOf(this.#client, this.#topic)) {
      const position = this.#client.position(this.#topic, each)
      const end = await this.#client.endOffset(this.#topic, each, { signal })
      if (position >= end) continue
      if (this.#partition !== undefined && each !== this.#partition) {
        this.#client.seek(this.#topic, end, each)
        hasMoved = true
        continue
      }
      const page = await this.#fetchPage(this.#topic, each, position, signal)
      if (page.nextOffset <= position) continue
      for (const message of page.messages) this.#fetched.push(message)
      this.#client.seek(this.#topic, page.nextOffset, each)
      hasMoved = true
    }
    return hasMoved
  }
}

/** As many as the client knows of. */
function* partitionsOf(client: Client, topic: string): Generator<number> {
  for (let partition = 0; ; partition++) {
    try {
      client.position(topic, partition)
    } catch {
      return
    }
    yield partition
  }
}
