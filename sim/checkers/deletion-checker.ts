/**
 * What must hold for what is deleted at the front of a partition:
 *
 *   1  who was told that the log begins at an offset never finds that it begins before
 *   2  it begins no later than somebody asked for, but for what the topic's retention lets go:
 *   3  by age, only messages that are older than it says; by size, only as long as so much is left
 */
import type { PlannedTopic } from '../plan.ts'
import type { MessageChecker } from './message-checker.ts'
import { Violation } from './violation.ts'

/** What a message takes in the log beside its value, at most: headers, keys, a batch of its own. */
const overheadBytesMax = 250

interface Front {
  /** The least that the log may begin at. */
  floor: number
  /** The furthest that somebody asked for. */
  asked: number
}

export class DeletionChecker {
  readonly #messages: MessageChecker
  readonly #topics: Map<string, PlannedTopic>
  readonly #isFirm: boolean
  readonly #hasJumps: boolean
  readonly #now: () => number
  readonly #fronts = new Map<string, Front>()
  readonly counts = { asked: 0, told: 0, retained: 0 }

  constructor(options: {
    messages: MessageChecker
    topics: readonly PlannedTopic[]
    /** May a start be read before it is durable? On a full disk it may. */
    isFirm: boolean
    /** Does the wall clock jump? Then nobody can say how old a message is. */
    hasJumps: boolean
    now: () => number
  }) {
    this.#messages = options.messages
    this.#topics = new Map(options.topics.map((topic) => [topic.name, topic]))
    this.#isFirm = options.isFirm
    this.#hasJumps = options.hasJumps
    this.#now = options.now
  }

  /** May messages of this topic be deleted at all? */
  isTrimmed(topic: string): boolean {
    return this.#topics.get(topic)?.isTrimmed ?? false
  }

  asking(topic: string, partition: number, offset: number): void {
    const front = this.#frontOf(topic, partition)
    front.asked = Math.max(front.asked, offset)
    this.counts.asked++
  }

  /** The last deletion that was asked for was acknowledged. */
  told(topic: string, partition: number, startOffset: number): void {
    const front = this.#frontOf(topic, partition)
    front.floor = Math.max(front.floor, startOffset)
    // Of one of all that there is, it is known now how much that was.
    if (front.asked === Number.POSITIVE_INFINITY) front.asked = front.floor
    this.counts.told++
  }

  /** What a start must not be below: to be asked for when the read begins. */
  floorOf(topic: string, partition: number): number {
    return this.#frontOf(topic, partition).floor
  }

  /** Somebody read where the partition begins. */
  startRead(topic: string, partition: number, startOffset: number, floor: number): void {
    const name = `${topic}/${partition}`
    if (startOffset < floor) {
      throw new Violation(`${name} begins at ${startOffset}: it was said to begin at ${floor}`)
    }
    const front = this.#frontOf(topic, partition)
    if (startOffset > front.asked) this.#checkRetention(topic, partition, startOffset)
    if (this.#isFirm) front.floor = Math.max(front.floor, startOffset)
  }

  #checkRetention(topic: string, partition: number, startOffset: number): void {
    const { asked } = this.#frontOf(topic, partition)
    const config = this.#topics.get(topic)?.config ?? {}
    const retentionMs = Number(config['retention.ms'] ?? -1)
    const retentionBytes = Number(config['retention.bytes'] ?? -1)
    const place = `${topic}/${partition}`
    if (retentionMs < 0 && retentionBytes < 0) {
      throw new Violation(`${place} begins at ${startOffset}: nobody deleted more than ${asked}`)
    }
    this.counts.retained++
    if (retentionBytes >= 0) {
      // Somebody may have deleted more of it since.
      const left = this.#messages.bytesFrom(topic, partition, startOffset, overheadBytesMax)
      if (left >= retentionBytes) return
    }
    const now = this.#now()
    for (let offset = asked; offset < startOffset; offset++) {
      const sentAt = this.#messages.sentAt({ topic, partition, offset })
      if (sentAt === undefined || this.#hasJumps) continue
      if (retentionMs < 0 || now - sentAt <= retentionMs) {
        throw new Violation(`${place} begins at ${startOffset}: offset ${offset} is to be kept`)
      }
    }
  }

  #frontOf(topic: string, partition: number): Front {
    const name = `${topic}/${partition}`
    let front = this.#fronts.get(name)
    if (front === undefined) {
      front = { floor: 0, asked: 0 }
      this.#fronts.set(name, front)
    }
    return front
  }
}
