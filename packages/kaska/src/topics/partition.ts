/**
 * A partition that is in use: its log, which is opened when it is first needed, the appends that wait
 * for their turn, and the polls that wait for a message.
 *
 * An append takes its place before anything is awaited. Most are placed in the log at once. While the
 * log is still being opened, or a batch is being checked in slices, those that come wait in a queue
 * and are placed in their order:
 *
 *   append ---> queue empty, log open, batch checked at once? ---> log.append
 *                 | no                                               ^
 *                 +-> [ a ][ b ][ c ] --- one by one ----------------+
 *
 * A log that nobody uses may be closed, and is opened again when it is needed. Whoever awaits
 * something between getting the log and being done with it says so (`use`).
 */
import {
  batchHeaderBytes,
  ClosedError,
  InvalidTimestampError,
  KaskaError,
  type MessageBatch,
  type ProducerIdentity,
  type SendPart,
  type SendPartResult,
} from '@kaska/protocol'
import type { LogExtent } from '../log/log-extent.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { checkBatch } from './batch-check.ts'
import type { OpenPartitions } from './open-partitions.ts'
import type { PartitionOpener } from './partition-opener.ts'
import type { WalkSeams } from './record-walk.ts'
import type { Topic } from './topic.ts'
import { createTraffic, type Traffic } from './traffic.ts'

/** Somebody who waits for a partition to change. */
export interface PartitionWaiter {
  /** Called for each change; must not throw, and must not do much. */
  wake(partition: Partition): void
}

/** What all partitions share. */
export interface PartitionSeams extends WalkSeams {
  readonly opener: PartitionOpener
  readonly open: OpenPartitions
  /** What went through all of them. */
  readonly totals: Traffic
}

/** How long after it was read last a partition keeps what is appended in memory, in ms... */
const followedMs = 10_000
/**
 * ...and how much of it a partition keeps that nobody reads: for who comes at once. More would be kept for nobody, and
 * memory that is given back soon is still in the processor's caches when the next messages come into it.
 */
const unfollowedBytesMax = 256 * 1024

interface QueuedAppend {
  readonly part: SendPart
  readonly producer: ProducerIdentity | undefined
  /** The check, where it is under way already. */
  readonly checked: Promise<MessageBatch> | undefined
  readonly settle: (result: SendPartResult | Promise<SendPartResult>) => void
}

export class Partition {
  readonly topic: Topic
  readonly number: number
  /** Since the start: what was appended and acknowledged, and what was read. */
  readonly traffic: Traffic = createTraffic()
  readonly #seams: PartitionSeams
  readonly #queue: QueuedAppend[] = []
  #waiters: Set<PartitionWaiter> | undefined = undefined
  #log: PartitionLog | undefined = undefined
  #opening: Promise<PartitionLog> | undefined = undefined
  /** The end of a log that was closed since nobody used it; never rejects. */
  #closing: Promise<void> | undefined = undefined
  /** What the log held when it was closed, or when its directory was looked at. */
  #extent: LogExtent | undefined
  #users = 0
  #wasUsed = false
  /** Until when it counts as followed, in monotonic time, though nobody reads it or waits. */
  #followedUntil = 0
  /** Why nothing more is taken: the topic was deleted, or the broker closed. */
  #ended: KaskaError | undefined = undefined

  /** `extent`: what its log holds, where somebody has looked. */
  constructor(topic: Topic, number: number, seams: PartitionSeams, extent?: LogExtent) {
    this.topic = topic
    this.number = number
    this.#seams = seams
    this.#extent = extent
  }

  /** The log; undefined while it is not open. */
  get log(): PartitionLog | undefined {
    return this.#log
  }

  /** Why the partition is no longer there; undefined while it is. */
  get ended(): KaskaError | undefined {
    return this.#ended
  }

  /** Opens the log where it is not open yet. Rejects with UnknownTopicError, ClosedError, or why it
   * cannot be opened: then the next call tries again. */
  open(): Promise<PartitionLog> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    this.#opening ??= this.#openLog()
    return this.#opening
  }

  /** What the log holds, where that is known already. */
  get knownExtent(): LogExtent | undefined {
    return this.#log === undefined ? this.#extent : this.#log.knownExtent
  }

  /** What the log holds; it is opened only where nothing else can tell. Rejects as `open`, with DiskError. */
  async extent(): Promise<LogExtent> {
    for (;;) {
      if (this.#log !== undefined) return await this.#log.extent()
      await this.#closing
      if (this.#opening !== undefined) await this.#opening
      else if (this.#extent !== undefined) return this.#extent
      else {
        const found = await this.#seams.opener.extent(this.topic, this.number)
        if (this.#opening !== undefined) continue
        if (found === undefined) await this.open()
        else this.#extent = found
      }
    }
  }

  /** Counts what a reader was given. */
  delivered(messages: number, bytes: number): void {
    const { traffic } = this
    const { totals } = this.#seams
    traffic.messagesOut += messages
    traffic.bytesOut += bytes
    totals.messagesOut += messages
    totals.bytesOut += bytes
  }

  /** Keeps the log open while the task runs, and opens it where it is not. */
  async use<T>(task: (log: PartitionLog) => Promise<T>): Promise<T> {
    this.#users++
    this.#wasUsed = true
    try {
      return await task(this.#log ?? (await this.open()))
    } finally {
      this.#users--
    }
  }

  /** A reader comes: keeps the log open, once it is, until `leave`. */
  enter(): void {
    this.#users++
    this.#wasUsed = true
  }

  leave(): void {
    this.#users--
    this.#followedUntil = this.#seams.clock.monotonic() + followedMs
  }

  /**
   * Applies the retention to the log; returns the wall time at which there may be something to delete
   * again. A log that is opened for it is closed afterwards, unless somebody else has come to use it.
   * Rejects as `open` does, and as `PartitionLog.applyRetention`.
   */
  async retain(): Promise<number> {
    const wasOpen = this.#log !== undefined
    let due = 0
    this.#users++
    try {
      const log = this.#log ?? (await this.open())
      due = (await log.applyRetention(this.#seams.clock.now())).due
      return due
    } finally {
      this.#users--
      if (!wasOpen && this.rest(due)) this.#seams.open.remove(this)
    }
  }

  /**
   * Closes the log if nobody uses it, or has used it since this was asked last. `retentionDue`: when it may
   * have something to delete, if that is known.
   */
  rest(retentionDue = 0): boolean {
    const log = this.#log
    const wasUsed = this.#wasUsed
    this.#wasUsed = false
    // Who only waits for a change needs no log: it is told of what follows the next opening.
    const isBusy = this.#users > 0 || this.#queue.length > 0
    // To open an offline log again would be to try its recovery: that is for a start to do.
    if (wasUsed || isBusy || log === undefined || log.offline !== undefined) return false
    this.#log = undefined
    this.#opening = undefined
    this.topic.retentionDue = Math.min(this.topic.retentionDue, retentionDue)
    this.#closing = this.#seams.opener.close(log).then(() => {
      // Closed, it has nothing under way any more. What it cannot tell, its directory does.
      this.#extent = log.knownExtent
      this.#closing = undefined
    })
    return true
  }

  /** Appends in the order of the calls. What is wrong with the batch is in the result. */
  append(part: SendPart, producer: ProducerIdentity | undefined): Promise<SendPartResult> {
    const log = this.#log
    this.#wasUsed = true
    if (log === undefined || this.#queue.length > 0) return this.#enqueue(part, producer, undefined)
    try {
      const checked = this.#check(log, part.batch)
      if (checked instanceof Promise) return this.#enqueue(part, producer, checked)
      return this.#place(log, checked, part, producer)
    } catch (error) {
      return this.#failure(error)
    }
  }

  /** Calls `waiter.wake(this)` whenever a poll of this partition may have a new answer. Whoever wants to
   * read then says `enter`: a waiter does not keep the log open. */
  addWaiter(waiter: PartitionWaiter): void {
    this.#waiters ??= new Set()
    this.#waiters.add(waiter)
  }

  removeWaiter(waiter: PartitionWaiter): void {
    this.#waiters?.delete(waiter)
    if (this.#waiters?.size === 0) this.#waiters = undefined
  }

  /** Takes nothing more: what waits is answered with the error. The log is the caller's to end. */
  end(error: KaskaError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    this.#wake()
  }

  /** Ends the partition and removes its log. False: it was not open, and may have left something. */
  async delete(error: KaskaError): Promise<boolean> {
    this.end(error)
    await this.#closing
    const log = await this.#opening?.catch(() => undefined)
    if (log === undefined) return false
    await log.delete()
    return true
  }

  async #openLog(): Promise<PartitionLog> {
    try {
      await this.#closing
      const log = await this.#seams.opener.open(this.topic, this.number, () => this.#tailBytesMax)
      // The end of a log that is closed since nobody uses it is no news.
      log.onAdvance(() => {
        if (this.#log === log) this.#wake()
      })
      this.#log = log
      this.#extent = undefined
      this.#seams.open.add(this)
      return log
    } catch (error) {
      this.#opening = undefined
      throw error
    } finally {
      this.#wake()
    }
  }

  /** How much of what was appended last is kept in memory. */
  get #tailBytesMax(): number {
    const isFollowed =
      this.#waiters !== undefined ||
      this.#users > 0 ||
      this.#seams.clock.monotonic() < this.#followedUntil
    return isFollowed ? Number.POSITIVE_INFINITY : unfollowedBytesMax
  }

  #check(log: PartitionLog, batch: MessageBatch): MessageBatch | Promise<MessageBatch> {
    if (this.#ended !== undefined) throw this.#ended
    return checkBatch(batch, log.config.maxMessageBytes, this.#seams)
  }

  /** Gives the batch its place, at once; the promise is that of the acknowledgement. */
  #place(
    log: PartitionLog,
    batch: MessageBatch,
    { baseSequence }: SendPart,
    producer: ProducerIdentity | undefined,
  ): Promise<SendPartResult> {
    if (this.#ended !== undefined) throw this.#ended
    this.#checkTimestamp(log, batch)
    const { baseOffset, appendTimestamp, acknowledged, duplicate } = log.append({
      ...batch,
      producerId: producer?.producerId ?? -1,
      producerEpoch: producer?.producerEpoch ?? -1,
      baseSequence: producer === undefined ? -1 : baseSequence,
    })
    return acknowledged.then(
      () => {
        if (duplicate !== true) this.#appended(batch)
        return { baseOffset, appendTimestamp }
      },
      (error) => this.#failure(error),
    )
  }

  #appended({ recordCount, recordsLength }: MessageBatch): void {
    const bytes = batchHeaderBytes + recordsLength
    const { traffic } = this
    const { totals } = this.#seams
    traffic.messagesIn += recordCount
    traffic.bytesIn += bytes
    totals.messagesIn += recordCount
    totals.bytesIn += bytes
  }

  /** Throws InvalidTimestampError. What the broker stamps itself may come with any timestamp. */
  #checkTimestamp({ config }: PartitionLog, { maxTimestamp }: MessageBatch): void {
    const { timestampAfterMsMax: aheadMsMax, stampAtAppend } = config
    if (aheadMsMax === undefined || stampAtAppend) return
    const aheadMs = maxTimestamp - this.#seams.clock.now()
    if (aheadMs <= aheadMsMax) return
    throw new InvalidTimestampError(
      `a timestamp is ${aheadMs} ms ahead, the topic's message.timestamp.after.max.ms is ${aheadMsMax}`,
    )
  }

  #enqueue(
    part: SendPart,
    producer: ProducerIdentity | undefined,
    checked: Promise<MessageBatch> | undefined,
  ): Promise<SendPartResult> {
    return new Promise((settle) => {
      this.#queue.push({ part, producer, checked, settle })
      if (this.#queue.length === 1) void this.#drain()
    })
  }

  /** Places what is queued, one by one. Never rejects. */
  async #drain(): Promise<void> {
    for (;;) {
      const queued = this.#queue[0]
      if (queued === undefined) return
      const { part, producer } = queued
      let result: Promise<SendPartResult>
      try {
        const log = this.#log ?? (await this.open())
        const checked = await (queued.checked ?? this.#check(log, part.batch))
        result = this.#place(log, checked, part, producer)
      } catch (error) {
        result = this.#failure(error)
      }
      this.#queue.shift()
      queued.settle(result)
    }
  }

  /** The result for a part that was refused; a mistake of our own rejects instead. */
  #failure(error: unknown): Promise<SendPartResult> {
    if (!(error instanceof KaskaError)) return Promise.reject(error)
    // A log that is deleted knows only that it was closed.
    const isEnd = error instanceof ClosedError && this.#ended !== undefined
    return Promise.resolve({ error: isEnd ? (this.#ended as KaskaError) : error })
  }

  #wake(): void {
    if (this.#waiters === undefined) return
    for (const waiter of this.#waiters) waiter.wake(this)
  }
}
