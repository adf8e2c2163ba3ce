/**
 * What a client is subscribed to and where it stands there (contract 2: that lives here, not in the
 * broker), and the polls that wait.
 *
 *   engine.poll ----> a buffer per partition ----> the line of partitions that have messages
 *      ^  one request for all partitions,             |  each in its turn hands out one message
 *      |  those that brought nothing first            v
 *      '--- one at a time, while somebody waits    waiting polls, first come first served
 *
 * Polls that are called while others wait are served in the order of the calls. While a reader of
 * `messages()` is there, the next request is under way before the buffers are empty: whenever they
 * hold less than half of `readAheadBytes`.
 *
 * A topic may be given more partitions: now and then it is looked how many there are, and those that are
 * new are read from their start, for all of their messages came after the subscription.
 */
import {
  type Clock,
  type Codecs,
  ConnectionError,
  type Engine,
  LogTruncatedError,
  NotSubscribedError,
  OffsetOutOfRangeError,
  OverloadedError,
  type PollFailure,
  type PollPart,
  type PollResult,
  type RequestContext,
  type Timer,
  type TopicId,
  type TopicInfo,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { sleep } from './abort.ts'
import { Fifo } from './fifo.ts'
import type { Message } from './message.ts'
import { PartitionBuffer } from './partition-buffer.ts'
import type { KeepAlive } from './seams.ts'

export interface SubscriptionOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly codecs: Codecs
  readonly keepAlive: KeepAlive
  /** Who asks; a signal is added. */
  readonly context: RequestContext
  readonly onOutOfRange: 'start' | 'end' | undefined
  readonly readAheadBytes: number
  readonly expandedBytesMax: number
  readonly requestTimeoutMs: number
  /** Called when the last of its topics is gone. */
  readonly emptied: () => void
}

/** One topic that is subscribed to, and where its partitions are read from. */
export interface SubscribedTopic {
  readonly name: string
  readonly id: TopicId
  /** By partition. */
  readonly positions: readonly number[]
}

interface Waiter {
  /** In the clock's monotonic time; may be infinite. */
  readonly deadline: number
  readonly resolve: (message: Message | undefined) => void
  readonly reject: (reason: unknown) => void
  timer: Timer | undefined
}

/** The longest wait of one request: an idle connection shows a sign of life so often. */
const waitMsMax = 30_000
/** How often is looked how many partitions the topics have. */
const lookMs = 30_000
const retryPauseMs = 20
const pauseMsMax = 1000

export class Subscription {
  readonly #options: SubscriptionOptions
  readonly #topics = new Map<string, PartitionBuffer[]>()
  readonly #names = new Map<TopicId, string>()
  /** All partitions, in the order in which they are asked for. */
  readonly #order = new Set<PartitionBuffer>()
  /** Partitions that have messages, in the order in which they hand them out. */
  readonly #line = new Fifo<PartitionBuffer>()
  readonly #errors = new Fifo<Error>()
  readonly #waiters = new Fifo<Waiter>()
  #readers = 0
  #bufferedBytes = 0
  #isFetching = false
  #isHolding = false
  /** Until when the request that is under way waits at the broker. */
  #fetchDeadline = 0
  /** When it was last known how many partitions there are. */
  #lookedAt: number
  #wake = new AbortController()
  #endError: Error | undefined

  constructor(topics: readonly SubscribedTopic[], options: SubscriptionOptions) {
    this.#options = options
    this.#lookedAt = options.clock.monotonic()
    for (const { name, id, positions } of topics) {
      const partitions = positions.map(
        (position, partition) => new PartitionBuffer(name, id, partition, position),
      )
      this.#topics.set(name, partitions)
      this.#names.set(id, name)
      for (const partition of partitions) this.#order.add(partition)
    }
  }

  /** The partition's place in the topic. Throws NotSubscribedError. */
  position(topic: string, partition: number): number {
    return this.#find(topic, partition).position
  }

  seek(topic: string, offset: number, partition: number): void {
    const found = this.#find(topic, partition)
    this.#bufferedBytes -= found.bufferedBytes
    found.seek(offset)
    this.#interrupt()
  }

  /** The next message of any topic; undefined when there is none within the time. */
  poll(timeoutMs: number, signal: AbortSignal | undefined): Promise<Message | undefined> {
    if (this.#endError !== undefined) return Promise.reject(this.#endError)
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#waiters.length === 0) {
      try {
        const message = this.#take()
        if (message !== undefined) {
          this.#fetchSoon()
          return Promise.resolve(message)
        }
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return this.#wait(timeoutMs, signal)
  }

  /** Says that a reader of `messages()` has come, or has left: while there is one, it reads ahead. */
  addReader(count: 1 | -1): void {
    this.#readers += count
    if (this.#readers > 0) this.#fetchSoon()
    else if (this.#waiters.length === 0) this.#interrupt()
  }

  /** Ends all that waits. */
  end(error: Error): void {
    if (this.#endError !== undefined) return
    this.#endError = error
    for (const waiter of this.#waiters) this.#settle(waiter, () => waiter.reject(error))
    this.#waiters.clear()
    this.#holdOn()
    this.#interrupt()
  }

  #find(topic: string, partition: number): PartitionBuffer {
    const found = this.#topics.get(topic)?.[partition]
    if (found !== undefined) return found
    throw new NotSubscribedError(
      this.#topics.has(topic)
        ? `the topic '${topic}' has no partition ${partition}`
        : `the client is not subscribed to '${topic}'`,
    )
  }

  // Handing out -----------------------------------------------------------------------------------

  /** The next message that is here; throws what kept one from coming. */
  #take(): Message | undefined {
    const error = this.#errors.shift()
    if (error !== undefined) throw error
    const { codecs, expandedBytesMax } = this.#options
    for (;;) {
      const partition = this.#line.shift()
      if (partition === undefined) return undefined
      const bufferedBytes = partition.bufferedBytes
      let message: Message | undefined
      try {
        message = partition.shift(codecs, expandedBytesMax)
      } finally {
        this.#bufferedBytes += partition.bufferedBytes - bufferedBytes
        if (message === undefined || partition.bufferedBytes === 0) partition.isQueued = false
        else this.#line.push(partition)
      }
      if (message !== undefined) return message
    }
  }

  #wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<Message | undefined> {
    const { clock } = this.#options
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        deadline: clock.monotonic() + timeoutMs,
        resolve,
        reject,
        timer: undefined,
      }
      if (signal !== undefined) this.#removeOn(signal, waiter)
      this.#waiters.push(waiter)
      this.#holdOn()
      if (this.#isFetching && waiter.deadline < this.#fetchDeadline) {
        // The request under way waits for longer.
        waiter.timer = clock.after(timeoutMs, () => this.#expire(waiter))
      }
      this.#fetchSoon()
    })
  }

  #removeOn(signal: AbortSignal, waiter: Waiter): void {
    const abort = () => {
      this.#waiters.remove(waiter)
      waiter.timer?.cancel()
      this.#holdOn()
      waiter.reject(signal.reason)
      if (this.#waiters.length === 0 && this.#readers === 0) this.#interrupt()
    }
    signal.addEventListener('abort', abort, { once: true })
    const { resolve, reject } = waiter
    Object.assign(waiter, {
      resolve: (message: Message | undefined) => {
        signal.removeEventListener('abort', abort)
        resolve(message)
      },
      reject: (reason: unknown) => {
        signal.removeEventListener('abort', abort)
        reject(reason)
      },
    })
  }

  #expire(waiter: Waiter): void {
    this.#waiters.remove(waiter)
    this.#settle(waiter, () => waiter.resolve(undefined))
    if (this.#waiters.length === 0 && this.#readers === 0) this.#interrupt()
  }

  #settle(waiter: Waiter, settle: () => void): void {
    waiter.timer?.cancel()
    this.#holdOn()
    settle()
  }

  /** While somebody waits, the process is kept running. */
  #holdOn(): void {
    const isNeeded = this.#waiters.length > 0
    if (isNeeded === this.#isHolding) return
    this.#isHolding = isNeeded
    if (isNeeded) this.#options.keepAlive.hold()
    else this.#options.keepAlive.release()
  }

  /** Gives what is here to those who wait. */
  #serve(): void {
    for (let waiter = this.#waiters.peek(); waiter !== undefined; waiter = this.#waiters.peek()) {
      const served = waiter
      try {
        const message = this.#take()
        if (message === undefined) return
        this.#waiters.shift()
        this.#settle(served, () => served.resolve(message))
      } catch (error) {
        this.#waiters.shift()
        this.#settle(served, () => served.reject(error))
      }
    }
  }

  /** Ends the waits whose time was covered by an answer that brought nothing. */
  #serveNothing(until: number): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.deadline > until) continue
      this.#waiters.remove(waiter)
      this.#settle(waiter, () => waiter.resolve(undefined))
    }
  }

  #fail(error: unknown, isConcerned: (waiter: Waiter) => boolean): void {
    for (const waiter of [...this.#waiters]) {
      if (!isConcerned(waiter)) continue
      this.#waiters.remove(waiter)
      this.#settle(waiter, () => waiter.reject(error))
    }
  }

  // Fetching --------------------------------------------------------------------------------------

  get #isWanted(): boolean {
    if (this.#endError !== undefined || this.#order.size === 0 || this.#errors.length > 0) {
      return false
    }
    if (this.#waiters.length > 0 && this.#line.length === 0) return true
    return this.#readers > 0 && this.#bufferedBytes * 2 <= this.#options.readAheadBytes
  }

  /** Lets the request under way go: it asks for what is wanted no longer. */
  #interrupt(): void {
    if (!this.#isFetching) return
    this.#wake.abort()
    this.#wake = new AbortController()
  }

  #fetchSoon(): void {
    if (this.#isFetching || !this.#isWanted) return
    this.#isFetching = true
    void this.#fetch().finally(() => {
      this.#isFetching = false
      // Asked for between the loop's last look and this moment.
      this.#fetchSoon()
    })
  }

  async #fetch(): Promise<void> {
    const { clock, engine, context } = this.#options
    let failingSince: number | undefined
    let failures = 0
    while (this.#isWanted) {
      const asked = this.#ask(clock.monotonic())
      const { signal } = this.#wake
      let result: PollResult
      try {
        result = await engine.poll(asked.request, { ...context, signal })
      } catch (error) {
        if (signal.aborted) continue
        const now = clock.monotonic()
        failingSince ??= now
        failures++
        if (!this.#isBearable(error, failures, now - failingSince)) {
          if (this.#waiters.length > 0) this.#fail(error, () => true)
          else this.#errors.push(error as Error)
          return
        }
        // Who has no time left hears of it; the others wait on.
        if (failures > 1) this.#fail(error, ({ deadline }) => deadline <= now)
        await this.#pause(Math.min(retryPauseMs * failures, pauseMsMax), signal)
        continue
      }
      failingSince = undefined
      failures = 0
      const isEmpty = result.batches.length === 0 && result.failures.length === 0
      const hasMoved = this.#accept(result)
      // The views are the message's owner's from here on, and go with it.
      result.release()
      this.#serve()
      if (clock.monotonic() - this.#lookedAt >= lookMs) await this.#look()
      // The answer was that there is nothing at the old place: the new one is worth a look.
      if (hasMoved) continue
      const now = clock.monotonic()
      this.#serveNothing(isEmpty ? Math.max(now, asked.deadline) : now)
    }
  }

  /** Looks how many partitions the topics have by now. */
  async #look(): Promise<void> {
    const { engine, context, clock } = this.#options
    const names = Array.from(this.#topics.keys(), topicNameOf)
    // The reader hears of what fails by the next poll.
    const found = await engine.resolve(names, context).catch(() => undefined)
    if (found === undefined) return
    this.#lookedAt = clock.monotonic()
    for (const info of found) if (info !== undefined) this.#grow(info)
  }

  #grow({ name, id, partitions }: TopicInfo): void {
    const known = this.#topics.get(name)
    // Another one has its name by now: the next poll tells.
    if (known === undefined || this.#names.get(id) !== name) return
    while (known.length < partitions) {
      const added = new PartitionBuffer(name, id, known.length, 0)
      known.push(added)
      this.#order.add(added)
    }
  }

  /** May the same be asked again, after this error? */
  #isBearable(error: unknown, failures: number, failingMs: number): boolean {
    if (!(error instanceof ConnectionError || error instanceof OverloadedError)) return false
    return failures === 1 || failingMs < this.#options.requestTimeoutMs
  }

  async #pause(pauseMs: number, signal: AbortSignal): Promise<void> {
    await sleep(this.#options.clock, pauseMs, signal).catch(() => {})
  }

  /** One request for all partitions. */
  #ask(now: number): {
    request: { parts: PollPart[]; waitMs: number; bytesMax: number }
    deadline: number
  } {
    let deadline = now + waitMsMax
    for (const waiter of this.#waiters) deadline = Math.min(deadline, waiter.deadline)
    const waitMs = Math.max(0, Math.ceil(deadline - now))
    this.#fetchDeadline = deadline
    const parts: PollPart[] = []
    for (const partition of this.#order) {
      const { topic, fetchPosition: offset, fetchEpoch } = partition
      const part = { topic, partition: partition.partition, offset }
      parts.push(fetchEpoch === undefined ? part : { ...part, lastEpoch: fetchEpoch })
      partition.askedSeekCount = partition.seekCount
    }
    // In two halves, so that one can be on its way while the other is read.
    const { readAheadBytes } = this.#options
    const half = Math.ceil(readAheadBytes / 2)
    const bytesMax = Math.max(1, Math.min(half, readAheadBytes - this.#bufferedBytes))
    return { request: { parts, waitMs, bytesMax }, deadline: now + waitMs }
  }

  /** Takes an answer in; true if it moved a position. */
  #accept(result: PollResult): boolean {
    let hasMoved = false
    if (this.#endError !== undefined) return false
    for (const batch of result.batches) {
      const partition = this.#partitionOf(batch)
      if (partition === undefined) continue
      // Moved while the request was under way: the answer is for another place.
      if (partition.askedSeekCount !== partition.seekCount) continue
      // What brought something is asked for last the next time, so that nobody is starved.
      this.#order.delete(partition)
      this.#order.add(partition)
      if (!partition.take(batch)) continue
      this.#bufferedBytes += batch.recordsLength
      if (partition.isQueued) continue
      partition.isQueued = true
      this.#line.push(partition)
    }
    for (const failure of result.failures) {
      const partition = this.#partitionOf(failure)
      if (partition === undefined) continue
      if (partition.askedSeekCount !== partition.seekCount) continue
      const error = this.#handle(failure, partition)
      if (error !== undefined) this.#errors.push(error)
      else hasMoved ||= partition.askedSeekCount !== partition.seekCount
    }
    return hasMoved
  }

  #partitionOf({
    topic,
    partition,
  }: {
    topic: TopicId
    partition: number
  }): PartitionBuffer | undefined {
    const name = this.#names.get(topic)
    return name === undefined ? undefined : this.#topics.get(name)?.[partition]
  }

  /** What a failed part means; the error, if the reader is to hear of it. */
  #handle({ error }: PollFailure, partition: PartitionBuffer): Error | undefined {
    const { onOutOfRange } = this.#options
    if (error instanceof UnknownTopicError) {
      this.#removeTopic(partition)
      return error
    }
    if (error instanceof LogTruncatedError) {
      this.#bufferedBytes -= partition.bufferedBytes
      const isUnseen = partition.truncate(error.endOffset)
      this.#bufferedBytes += partition.bufferedBytes
      if (isUnseen) return undefined
      if (onOutOfRange === undefined) return error
      this.#move(partition, error.endOffset)
      return undefined
    }
    if (error instanceof OffsetOutOfRangeError && onOutOfRange !== undefined) {
      // What is buffered was there when it was fetched: it is handed out still.
      partition.skipTo(onOutOfRange === 'start' ? error.startOffset : error.endOffset)
      return undefined
    }
    if (error instanceof OverloadedError) return undefined
    return error
  }

  #move(partition: PartitionBuffer, offset: number): void {
    this.#bufferedBytes -= partition.bufferedBytes
    partition.seek(offset)
  }

  /** A deleted topic is no longer subscribed to; the others are. */
  #removeTopic({ topicName, topic }: PartitionBuffer): void {
    const partitions = this.#topics.get(topicName) ?? []
    this.#topics.delete(topicName)
    this.#names.delete(topic)
    for (const partition of partitions) {
      this.#order.delete(partition)
      this.#move(partition, partition.position)
    }
    if (this.#topics.size === 0) this.#options.emptied()
  }
}
