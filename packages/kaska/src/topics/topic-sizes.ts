/**
 * What topics hold and what went through them, without opening logs for it:
 *
 *   log open                      it knows, but for the sizes of old segments: those are looked up once
 *   open before, and closed since it said so when it was closed
 *   not used since the start      looked at in its directory once; the topic keeps that until it is used
 *   neither can tell              opened: after a crash, those that were written just before it
 *
 * The first look at 100,000 partitions takes a while, a few at a time, with turns for others. Nobody waits
 * for it longer than he wants to: what is known until then is said, and that it is not all.
 */
import { type Clock, KaskaError } from '@kaska/protocol'
import { DiskError } from '../log/disk.ts'
import { emptyExtent, type LogExtent } from '../log/log-extent.ts'
import type { Partition } from './partition.ts'
import type { Topic } from './topic.ts'
import { addTraffic, createTraffic, type Traffic } from './traffic.ts'
import { Turns } from './turns.ts'
import { messagesIn, UnusedExtents } from './unused-extents.ts'

export interface TopicFigures extends Traffic {
  /** Offsets between the start and the end of the partitions, together. */
  messages: number
  /** Of batches on the disk. */
  bytes: number
  /** False while some partitions are still being looked at: they hold what is not in these sums. */
  isWhole: boolean
}

export interface TopicSizesOptions {
  readonly clock: Clock
  /** All topics. Valid while topics come and go. */
  topics(): Iterable<Topic>
  partitionOf(topic: Topic, partition: number): Partition
  /** Undefined where only opening the log can tell. */
  extentOf(topic: Topic, partition: number): Promise<LogExtent | undefined>
}

/** Partitions that are looked at together, for one topic. */
const looksAtOnce = 16
/** How often a walk looks whether others want a turn. */
const sliceParts = 256
/** A sum over all topics is good for so long, and for so many times what it took. */
const sumMsMin = 2000
const sumTimes = 20

export class TopicSizes {
  readonly #options: TopicSizesOptions
  readonly #looking = new Map<Topic, Promise<void>>()
  readonly #turns: Turns
  #visited = 0
  #summing: Promise<void> | undefined
  /** The bytes of all topics: of the last sum, and while the first one is being made, so far. */
  #storedBytes = 0
  #hasSum = false
  #sumUntil = 0

  constructor(options: TopicSizesOptions) {
    this.#options = options
    this.#turns = new Turns(options.clock)
  }

  /** Of one topic; what the disk refuses counts as nothing. Waits so long for what is not known yet. */
  async of(topic: Topic, waitMs: number): Promise<TopicFigures> {
    const known = await this.#known(topic)
    if (known.isWhole || waitMs <= 0) return known
    await this.#atMost(waitMs, this.#look(topic))
    return await this.#known(topic)
  }

  /** Of one partition; undefined where it cannot be read. */
  async extentOf(topic: Topic, partition: number): Promise<LogExtent | undefined> {
    return await extentIn(this.#options.partitionOf(topic, partition))
  }

  /**
   * Bytes of batches on the disk, of all topics: some seconds old where there are many. Waits so long for
   * what is not known yet.
   */
  async storedBytes(waitMs: number): Promise<number> {
    const { clock } = this.#options
    if (this.#summing === undefined && clock.monotonic() >= this.#sumUntil) {
      this.#summing = this.#sumUp().finally(() => {
        this.#summing = undefined
      })
    }
    if (this.#summing !== undefined) await this.#atMost(waitMs, this.#summing)
    return this.#storedBytes
  }

  async #sumUp(): Promise<void> {
    const { clock, topics } = this.#options
    const startedAt = clock.monotonic()
    let sum = 0
    for (const topic of topics()) {
      let figures = await this.#known(topic)
      if (!figures.isWhole) {
        await this.#look(topic)
        figures = await this.#known(topic)
      }
      sum += figures.bytes
      if (++this.#visited % sliceParts === 0) await this.#turns.give()
      if (!this.#hasSum) this.#storedBytes = sum
    }
    this.#storedBytes = sum
    this.#hasSum = true
    const now = clock.monotonic()
    this.#sumUntil = now + Math.max(sumMsMin, sumTimes * (now - startedAt))
  }

  /** What can be said at once. */
  async #known(topic: Topic): Promise<TopicFigures> {
    const { unused, partitions } = topic
    const figures: TopicFigures = {
      ...createTraffic(),
      messages: unused?.messages ?? 0,
      bytes: unused?.bytes ?? 0,
      isWhole: topic.partitionsSeen === partitions,
    }
    for (const partition of topic.used?.values() ?? []) {
      addTraffic(figures, partition.traffic)
      const extent = partition.knownExtent
      if (extent === undefined) figures.isWhole = false
      else {
        figures.messages += messagesIn(extent)
        figures.bytes += extent.bytes
      }
      if (++this.#visited % sliceParts === 0) await this.#turns.give()
    }
    return figures
  }

  /** Looks at what is not known of a topic; what then still is not cannot be read. */
  #look(topic: Topic): Promise<void> {
    const looking = this.#looking.get(topic) ?? this.#lookAt(topic)
    this.#looking.set(topic, looking)
    return looking.finally(() => this.#looking.delete(topic))
  }

  async #lookAt(topic: Topic): Promise<void> {
    await this.#inTurn(topic.used?.values() ?? [], async (partition) => {
      if (partition.knownExtent === undefined) await extentIn(partition)
    })
    const { partitions, partitionsSeen } = topic
    await this.#inTurn(numbersFrom(partitionsSeen, partitions), async (number) => {
      if (topic.used?.has(number)) return
      const found = await this.#foundIn(topic, number)
      // One that is used, from now on or meanwhile, says itself what it holds.
      if (topic.used?.has(number)) return
      if (found === undefined) {
        if (topic.isOpen) await extentIn(this.#options.partitionOf(topic, number))
      } else if (found.endOffset > 0) {
        topic.unused ??= new UnusedExtents()
        topic.unused.put(number, found)
      }
    })
    topic.partitionsSeen = partitions
  }

  async #foundIn(topic: Topic, number: number): Promise<LogExtent | undefined> {
    try {
      return await this.#options.extentOf(topic, number)
    } catch (error) {
      if (error instanceof DiskError) return emptyExtent
      throw error
    }
  }

  /** Some at a time. */
  async #inTurn<T>(items: Iterable<T>, task: (item: T) => Promise<void>): Promise<void> {
    const left = items[Symbol.iterator]()
    const next = async (): Promise<void> => {
      for (let item = left.next(); item.done !== true; item = left.next()) {
        await task(item.value)
        if (++this.#visited % sliceParts === 0) await this.#turns.give()
      }
    }
    await Promise.all(Array.from({ length: looksAtOnce }, next))
  }

  #atMost(waitMs: number, task: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.after(waitMs, resolve)
      task.then(resolve, reject).finally(() => timer.cancel())
    })
  }
}

/** Undefined for what cannot be opened, was deleted meanwhile, or came up offline with nothing to read. */
async function extentIn(partition: Partition): Promise<LogExtent | undefined> {
  try {
    const extent = await partition.extent()
    return partition.log?.offline !== undefined && extent.endOffset === 0 ? undefined : extent
  } catch (error) {
    if (error instanceof KaskaError || error instanceof DiskError) return undefined
    throw error
  }
}

function* numbersFrom(first: number, end: number): IterableIterator<number> {
  for (let number = first; number < end; number++) yield number
}
