/**
 * What topics hold and what went through them, without opening logs for it:
 *
 *   log open                      it knows
 *   open before, and closed since it said so when it was closed
 *   not used since the start      looked at in its directory once; the topic keeps the sum until one of its
 *                                 partitions is used
 *   neither can tell              opened: after a crash, those that were written just before it
 *
 * The first look at 100,000 partitions takes some seconds, a few at a time, with turns for others.
 */
import { type Clock, KaskaError } from '@kaska/protocol'
import { DiskError } from '../log/disk.ts'
import { emptyExtent, type LogExtent } from '../log/log-extent.ts'
import type { Partition } from './partition.ts'
import type { Topic } from './topic.ts'
import { addTraffic, createTraffic, type Traffic } from './traffic.ts'

export interface TopicFigures extends Traffic {
  /** Offsets between the start and the end of the partitions, together. */
  readonly messages: number
  /** Of batches on the disk. */
  readonly bytes: number
}

/** What the partitions hold that were not used when it was looked at. */
export interface UnusedSize {
  readonly partitions: number
  readonly usedCount: number
  readonly messages: number
  readonly bytes: number
}

export interface TopicSizesOptions {
  readonly clock: Clock
  /** All topics. Valid while topics come and go. */
  topics(): Iterable<Topic>
  partitionOf(topic: Topic, partition: number): Partition
  /** Undefined where only opening the log can tell. */
  extentOf(topic: Topic, partition: number): Promise<LogExtent | undefined>
}

/** Directories that are looked at together. */
const looksAtOnce = 16
/** How long a walk holds the event loop at most. */
const sliceMs = 4
/** A sum over all topics is good for so long, and for so many times what it took. */
const sumMsMin = 2000
const sumTimes = 20

export class TopicSizes {
  readonly #options: TopicSizesOptions
  #sliceStart = 0
  #sum: Promise<number> | undefined
  #sumUntil = 0

  constructor(options: TopicSizesOptions) {
    this.#options = options
  }

  /** Of one topic. What the disk refuses counts as nothing. */
  async of(topic: Topic): Promise<TopicFigures> {
    const traffic = createTraffic()
    const unused = await this.#unused(topic)
    let { messages, bytes } = unused
    for (const partition of topic.used?.values() ?? []) {
      addTraffic(traffic, partition.traffic)
      const extent = (await extentIn(partition)) ?? emptyExtent
      messages += extent.endOffset - extent.startOffset
      bytes += extent.bytes
      await this.#giveWay()
    }
    return { messages, bytes, ...traffic }
  }

  /** Of one partition; undefined where it cannot be read. */
  async extentOf(topic: Topic, partition: number): Promise<LogExtent | undefined> {
    return await extentIn(this.#options.partitionOf(topic, partition))
  }

  /** Bytes of batches on the disk, of all topics: some seconds old where there are many. */
  async storedBytes(): Promise<number> {
    const { clock } = this.#options
    const startedAt = clock.monotonic()
    if (this.#sum === undefined || startedAt >= this.#sumUntil) {
      this.#sumUntil = Number.POSITIVE_INFINITY
      this.#sum = this.#sumUp().finally(() => {
        const now = clock.monotonic()
        this.#sumUntil = now + Math.max(sumMsMin, sumTimes * (now - startedAt))
      })
    }
    return await this.#sum
  }

  async #sumUp(): Promise<number> {
    let sum = 0
    for (const topic of this.#options.topics()) {
      sum += (await this.of(topic)).bytes
      await this.#giveWay()
    }
    return sum
  }

  async #unused(topic: Topic): Promise<Pick<UnusedSize, 'messages' | 'bytes'>> {
    for (;;) {
      const { partitions, unused } = topic
      const usedCount = topic.used?.size ?? 0
      if (unused?.partitions === partitions && unused.usedCount === usedCount) return unused
      const size = await this.#measure(topic, partitions)
      // Who is used meanwhile is counted by what it says itself.
      if (size === undefined || (topic.used?.size ?? 0) !== usedCount) continue
      topic.unused = { partitions, usedCount, ...size }
    }
  }

  /** Undefined: some had to be opened, and are used from now on. */
  async #measure(
    topic: Topic,
    partitions: number,
  ): Promise<Pick<UnusedSize, 'messages' | 'bytes'> | undefined> {
    const { partitionOf } = this.#options
    const look = (of: Topic, number: number) =>
      this.#options.extentOf(of, number).catch((error) => {
        if (error instanceof DiskError) return emptyExtent
        throw error
      })
    let messages = 0
    let bytes = 0
    let isWhole = true
    const unused = numbersWithout(topic, partitions)
    for (let numbers = take(unused); numbers.length > 0; numbers = take(unused)) {
      await this.#giveWay()
      const extents = await Promise.all(numbers.map((number) => look(topic, number)))
      for (const [index, extent] of extents.entries()) {
        if (extent === undefined && topic.isOpen) {
          await extentIn(partitionOf(topic, numbers[index] as number))
          isWhole = false
        }
        messages += extent === undefined ? 0 : extent.endOffset - extent.startOffset
        bytes += extent?.bytes ?? 0
      }
    }
    return isWhole ? { messages, bytes } : undefined
  }

  async #giveWay(): Promise<void> {
    const { clock } = this.#options
    if (clock.monotonic() - this.#sliceStart < sliceMs) return
    await clock.yield()
    this.#sliceStart = clock.monotonic()
  }
}

/** Undefined for what cannot be opened, or was deleted meanwhile. */
async function extentIn(partition: Partition): Promise<LogExtent | undefined> {
  try {
    return await partition.extent()
  } catch (error) {
    if (error instanceof KaskaError || error instanceof DiskError) return undefined
    throw error
  }
}

function* numbersWithout({ used }: Topic, partitions: number): IterableIterator<number> {
  for (let number = 0; number < partitions; number++) if (used?.has(number) !== true) yield number
}

function take(numbers: Iterator<number>): number[] {
  const taken: number[] = []
  while (taken.length < looksAtOnce) {
    const { done, value } = numbers.next()
    if (done === true) break
    taken.push(value)
  }
  return taken
}
