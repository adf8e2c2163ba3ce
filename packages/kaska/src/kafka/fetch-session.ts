/**
 * What a broker remembers of a client's fetch, so that neither side repeats what has not changed
 * (KIP-227): the partitions that are wanted, from where on, and what was said of each.
 *
 *   wanted ---> due ---- read, in this order ----> answered ---> idle
 *                ^  ^                                 |           |
 *                |  +-- there is more, or an error ---+           | the partition has changed,
 *                +------------------------------------------------+ or the client names it again
 *
 * Only what is due is looked at: ten thousand partitions of which one is written to cost what one costs.
 * What has given messages is due behind all others the next time, so that each has its turn.
 */
import type { kafka, TopicId } from '@kaska/protocol'

export type WantedPartition = kafka.FetchRequest['topics'][number]['partitions'][number]

/** One partition that a client wants messages of, with or without a session. */
export class FetchPart {
  /** The name or the id, as the request calls it. */
  readonly topic: string
  readonly partition: number
  wanted: WantedPartition
  /** What is watched; undefined while nothing is. */
  watched: { readonly topic: TopicId; readonly stop: () => void } | undefined = undefined
  /** Is it in the read that is under way? */
  isRead = false
  /** Has it given messages in the last answer? */
  wasServed = false
  /** What was said last; -1 after an error, so that its end is said too. */
  #endOffset = -1
  #startOffset = -1

  constructor(topic: string, wanted: WantedPartition) {
    this.topic = topic
    this.partition = wanted.partition
    this.wanted = wanted
  }

  /** Remembers what is said. Is it new? (KIP-227) */
  said({ isError, hasRecords, startOffset, endOffset }: Said): boolean {
    const isNew = endOffset !== this.#endOffset || startOffset !== this.#startOffset
    this.#endOffset = isError ? -1 : endOffset
    this.#startOffset = isError ? -1 : startOffset
    this.wasServed = hasRecords
    return isError || hasRecords || isNew
  }
}

/** What a partition's row in an answer says. */
export interface Said {
  readonly isError: boolean
  readonly hasRecords: boolean
  readonly startOffset: number
  readonly endOffset: number
}

/** A session's last epoch; the next one is 1 again. */
const epochMax = 0x7fffffff
/** What a partition takes in memory, about, without its topic's name. */
const partBytes = 640

/** The bytes of memory that a partition takes in a session, about. */
export function bytesOf(part: FetchPart): number {
  return partBytes + 2 * part.topic.length
}

export class FetchSession {
  readonly id: number
  /** Does it know topics by their ids? */
  readonly usesIds: boolean
  /** Of the connection: the session ends with it. */
  readonly owner: AbortSignal
  /** To be called when the connection has ended. */
  readonly ended: () => void
  readonly createdAt: number
  lastUsedAt: number
  /** The epoch of the next request. */
  epoch = 1
  /** Memory reserved for it. */
  bytes = 0
  isClosed = false
  readonly #parts = new Map<string, FetchPart>()
  /** In the order in which they are read. */
  readonly #due = new Set<FetchPart>()
  /** What has given messages in the read under way. */
  readonly #served: FetchPart[] = []
  #changed: ((part: FetchPart) => void) | undefined = undefined

  constructor(
    id: number,
    made: { readonly usesIds: boolean; readonly owner: AbortSignal; readonly now: number },
    ended: (session: FetchSession) => void,
  ) {
    const { usesIds, owner, now } = made
    this.id = id
    this.usesIds = usesIds
    this.owner = owner
    this.createdAt = now
    this.lastUsedAt = now
    this.ended = () => ended(this)
  }

  /** How many partitions it has. */
  get size(): number {
    return this.#parts.size
  }

  find(topic: string, partition: number): FetchPart | undefined {
    return this.#parts.get(keyOf(topic, partition))
  }

  /** The part is the session's from now on, and due. */
  add(part: FetchPart): void {
    const key = keyOf(part.topic, part.partition)
    const former = this.#parts.get(key)
    if (former !== undefined) this.#drop(former)
    this.#parts.set(key, part)
    this.#due.add(part)
  }

  /** The client wants it from elsewhere on. */
  update(part: FetchPart, wanted: WantedPartition): void {
    part.wanted = wanted
    this.#due.add(part)
  }

  forget(topic: string, partition: number): FetchPart | undefined {
    const part = this.find(topic, partition)
    if (part === undefined) return undefined
    this.#parts.delete(keyOf(topic, partition))
    this.#drop(part)
    return part
  }

  /** A request was taken: the next one has the next epoch. */
  nextEpoch(): void {
    this.epoch = this.epoch === epochMax ? 1 : this.epoch + 1
  }

  /** All that is due, in its order; calls back for what comes to be due until `readEnded`. */
  take(changed: (part: FetchPart) => void): readonly FetchPart[] {
    const parts = [...this.#due]
    this.#due.clear()
    for (const part of parts) part.isRead = true
    this.#changed = changed
    return parts
  }

  /** The read is over: nothing is called back any more. */
  readEnded(): void {
    this.#changed = undefined
  }

  /** Takes in what was read of a part. Does it have to be said? */
  settle(part: FetchPart, said: Said): boolean {
    part.isRead = false
    if (this.find(part.topic, part.partition) !== part) return false
    const { isError, hasRecords, endOffset } = said
    if (hasRecords) this.#served.push(part)
    else if (isError || endOffset !== part.wanted.fetchOffset) this.#due.add(part)
    // It could not be opened yet: nothing is known of it.
    if (!isError && endOffset < 0) return false
    return part.said(said)
  }

  /** All parts of a read are settled: those that gave messages come behind all others. */
  settled(): void {
    for (const part of this.#served.splice(0)) {
      if (this.find(part.topic, part.partition) !== part) continue
      this.#due.delete(part)
      this.#due.add(part)
    }
  }

  /** A partition that is watched has changed. Does little, and never throws. */
  wake(part: FetchPart): void {
    this.#due.add(part)
    if (part.isRead || this.#changed === undefined) return
    part.isRead = true
    this.#changed(part)
  }

  /** Watches nothing any more. */
  close(): void {
    this.isClosed = true
    this.#changed = undefined
    for (const part of this.#parts.values()) this.#drop(part)
    this.#parts.clear()
  }

  #drop(part: FetchPart): void {
    this.#due.delete(part)
    part.watched?.stop()
    part.watched = undefined
  }
}

/** Of a partition, among those of one request or session. */
export function keyOf(topic: string, partition: number): string {
  return `${partition} ${topic}`
}
