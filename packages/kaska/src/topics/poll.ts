/**
 * One poll over any number of partitions (contract 2): gathers whole batches from those that have
 * something, within the bytes that were asked for, or waits until one of them has.
 *
 *   gather all --> batches or failures? --> answer
 *     |               | neither, and time is left
 *     |               v
 *     |   listen to all, gather all once more --> wait --> gather those that woke it --> ...
 *     v                                           (a message, an end, the timer, the signal)
 *   slices: after some milliseconds others have a turn
 *
 * The poll listens before it gathers for the last time, so nothing that happens in between is missed.
 * Each ready partition gets an equal share of the bytes that are left, so that a busy one does not
 * starve the quiet ones behind it.
 */
import {
  type Clock,
  ClosedError,
  KaskaError,
  LogTruncatedError,
  OffsetOutOfRangeError,
  PartitionOfflineError,
  type PolledBatch,
  type PollFailure,
  type PollPart,
  type PollRequest,
  type PollResult,
} from '@kaska/protocol'
import type { StoredBatch, StoredBatches } from '../log/log-batches.ts'
import type { MemoryBudget } from '../log/memory-budget.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Partition, PartitionWaiter } from './partition.ts'
import { Turns } from './turns.ts'
import { WakeUp } from './wake-up.ts'

export interface PollSeams {
  readonly clock: Clock
  readonly budget: Pick<MemoryBudget, 'available' | 'waiting'>
  /** Throws UnknownTopicError, UnknownPartitionError. */
  partitionOf(part: PollPart): Partition
}

/** After so many partitions it is looked whether others want a turn. */
const sliceParts = 256
/** Reads of one poll that are under way at a time. */
const readsMax = 8
/** How long a poll that has something waits for memory for more. */
const patienceMs = 100
/** The budget that a poll leaves to others when it asks for more than one partition's batches. */
const roomBytes = 1024 * 1024

/** A part of the request with what it is about: a partition, or why there is none. */
interface Target {
  readonly part: PollPart
  readonly partition: Partition | undefined
  /** Why there is no partition, or why its log cannot be opened. */
  failure: unknown
}

interface Ready {
  readonly part: PollPart
  readonly partition: Partition
  readonly log: PartitionLog
}

export class Poll implements PartitionWaiter {
  readonly #request: PollRequest
  readonly #signal: AbortSignal | undefined
  readonly #seams: PollSeams
  readonly #batches: PolledBatch[] = []
  readonly #failures: PollFailure[] = []
  readonly #held: StoredBatches[] = []
  readonly #targets: Target[] = []
  /** What it listens to; undefined until it does. */
  #listening: Map<Partition, Target> | undefined = undefined
  /** Partitions that have changed since the gathering began. */
  readonly #woken = new Set<Partition>()
  readonly #wakeUp: WakeUp
  readonly #turns: Turns
  #isOver = false

  constructor(request: PollRequest, signal: AbortSignal | undefined, seams: PollSeams) {
    this.#request = request
    this.#signal = signal
    this.#seams = seams
    this.#turns = new Turns(seams.clock)
    this.#wakeUp = new WakeUp(seams.clock, signal)
  }

  async run(): Promise<PollResult> {
    try {
      const targets = this.#targets
      await this.#findTargets(targets)
      await this.#gather(targets)
      if (this.#isDone(this.#request.waitMs)) return this.#result()
      const deadline = this.#seams.clock.monotonic() + this.#request.waitMs
      await this.#listen(targets)
      await this.#gather(targets)
      for (;;) {
        const leftMs = deadline - this.#seams.clock.monotonic()
        if (this.#isDone(leftMs)) return this.#result()
        if (this.#woken.size === 0) await this.#wakeUp.wait(leftMs)
        const woken = Array.from(this.#woken, (partition) => this.#listening?.get(partition) ?? [])
        this.#woken.clear()
        await this.#gather(woken.flat())
      }
    } catch (error) {
      this.#release()
      throw error
    } finally {
      this.#isOver = true
      for (const { partition } of this.#targets) partition?.leave()
      if (this.#listening !== undefined) void this.#stopListening(this.#listening)
    }
  }

  /** Something about the partition has changed: see PartitionWaiter. */
  wake(partition: Partition): void {
    if (this.#isOver) return
    this.#woken.add(partition)
    this.#wakeUp.wake()
  }

  #isDone(leftMs: number): boolean {
    this.#signal?.throwIfAborted()
    return this.#batches.length > 0 || this.#failures.length > 0 || leftMs <= 0
  }

  #result(): PollResult {
    return {
      batches: this.#batches,
      failures: this.#failures,
      release: () => this.#release(),
    }
  }

  #release(): void {
    for (const stored of this.#held.splice(0)) stored.release()
  }

  /** Finds the partitions, and opens the logs that are not open yet. */
  async #findTargets(targets: Target[]): Promise<void> {
    const opening: Promise<unknown>[] = []
    for (const part of this.#request.parts) {
      if (targets.length % sliceParts === sliceParts - 1) await this.#turns.give()
      const target = this.#findTarget(part)
      targets.push(target)
      const { partition } = target
      if (partition === undefined || partition.log !== undefined) continue
      const fail = (error: unknown) => {
        target.failure = error
      }
      opening.push(partition.open().catch(fail))
    }
    if (opening.length > 0) await Promise.all(opening)
  }

  #findTarget(part: PollPart): Target {
    try {
      const partition = this.#seams.partitionOf(part)
      partition.enter()
      return { part, partition, failure: undefined }
    } catch (failure) {
      return { part, partition: undefined, failure }
    }
  }

  async #gather(targets: readonly Target[]): Promise<void> {
    const ready: Ready[] = []
    for (const [index, target] of targets.entries()) {
      if (index % sliceParts === sliceParts - 1) await this.#turns.give()
      const { part, partition } = target
      try {
        const log = partition?.log
        if (partition?.ended !== undefined) throw partition.ended
        if (partition === undefined || log === undefined) throw target.failure
        checkOnline(log, part)
        const { lastEpoch } = part
        if (lastEpoch !== undefined && lastEpoch !== log.lastEpoch) {
          await checkTruncation(log, part, lastEpoch)
        }
        if (hasMessages(log, part)) ready.push({ part, partition, log })
      } catch (error) {
        this.#fail(part, error)
      }
    }
    if (ready.length > 0) await this.#read(ready)
  }

  async #read(ready: readonly Ready[]): Promise<void> {
    const { clock, budget } = this.#seams
    let bytesLeft = Math.max(1, Math.min(this.#request.bytesMax, budget.available / 2))
    // Memory is waited for with empty hands only: polls that hold some and want more could wait for
    // each other for ever. So once there is something, the rest of the reads gets little time.
    const patience = ready.length > 1 ? new AbortController() : undefined
    const abort = () => patience?.abort(this.#signal?.reason)
    if (patience !== undefined) this.#signal?.addEventListener('abort', abort)
    const signal = patience?.signal ?? this.#signal
    let timer: { cancel(): void } | undefined
    try {
      for (let start = 0; start < ready.length && bytesLeft > 0; ) {
        const isTight = budget.waiting > 0 || budget.available < 2 * bytesLeft + roomBytes
        if (isTight && this.#batches.length > 0) return
        const group = ready.slice(start, start + (isTight ? 1 : readsMax))
        const share = Math.max(1, Math.floor(bytesLeft / (ready.length - start)))
        const readings = group.map(({ part, log }) => startRead(log, part.offset, share, signal))
        start += group.length
        for (const [index, reading] of readings.entries()) {
          const { part, partition } = group[index] as Ready
          if (reading instanceof Promise && this.#batches.length > 0) {
            timer ??= clock.after(patienceMs, () => patience?.abort())
          }
          try {
            const stored = reading instanceof Promise ? await reading : reading
            bytesLeft -= this.#take(part, partition, stored, bytesLeft)
          } catch (error) {
            // What ran out of patience comes with the next poll.
            if (patience?.signal.aborted && !(error instanceof KaskaError)) continue
            try {
              this.#fail(part, reasonOf(error, partition))
            } catch (fatal) {
              for (const rest of readings.slice(index + 1)) releaseUnread(rest)
              throw fatal
            }
          }
        }
        await this.#turns.give()
      }
    } finally {
      timer?.cancel()
      this.#signal?.removeEventListener('abort', abort)
    }
  }

  /** Adds what was read to the answer, if there is room. Returns the bytes that it takes. */
  #take(part: PollPart, partition: Partition, stored: StoredBatches, bytesLeft: number): number {
    const isEmpty = stored.batches.length === 0
    if (isEmpty || (this.#batches.length > 0 && stored.bytes > bytesLeft)) {
      stored.release()
      // A batch that does not fit ends the answer: its turn comes when it is the first.
      return isEmpty ? 0 : bytesLeft
    }
    this.#held.push(stored)
    for (const batch of stored.batches) this.#batches.push(polledBatch(part, batch))
    partition.delivered(messagesFrom(part.offset, stored.batches), stored.bytes)
    return stored.bytes
  }

  #fail({ topic, partition }: PollPart, error: unknown): void {
    // The end of the broker is not the failure of one part.
    if (!(error instanceof KaskaError) || error instanceof ClosedError) throw error
    this.#failures.push({ topic, partition, error })
  }

  async #listen(targets: readonly Target[]): Promise<void> {
    const listening = new Map<Partition, Target>()
    this.#listening = listening
    for (const target of targets) {
      if (target.partition === undefined) continue
      target.partition.addWaiter(this)
      listening.set(target.partition, target)
      if (listening.size % sliceParts === 0) await this.#turns.give()
    }
  }

  /** The answer does not wait for this. */
  async #stopListening(listening: ReadonlyMap<Partition, Target>): Promise<void> {
    let count = 0
    for (const partition of listening.keys()) {
      partition.removeWaiter(this)
      if (++count % sliceParts === 0) await this.#turns.give()
    }
  }
}

/** A failed read is a rejection, however it failed. */
function startRead(
  log: PartitionLog,
  offset: number,
  bytesMax: number,
  signal: AbortSignal | undefined,
): StoredBatches | Promise<StoredBatches> {
  try {
    const reading = log.read(offset, bytesMax, signal)
    // It is awaited later, and may have failed by then.
    if (reading instanceof Promise) reading.catch(() => {})
    return reading
  } catch (error) {
    const failed = Promise.reject(error)
    failed.catch(() => {})
    return failed
  }
}

/** A log that was deleted knows only that it was closed. */
function reasonOf(error: unknown, { ended }: Partition): unknown {
  return error instanceof ClosedError ? (ended ?? error) : error
}

function releaseUnread(reading: StoredBatches | Promise<StoredBatches>): void {
  if (reading instanceof Promise) reading.then(releaseUnread, () => {})
  else reading.release()
}

/**
 * Of a partition that is offline only what can be read is served. Its reader is not to wait for what
 * never comes, nor to take the bounds of what can be read for those of the log: the
 * rest may be there again once it is online.
 */
function checkOnline({ offline, startOffset, endOffset }: PartitionLog, part: PollPart): void {
  if (offline === undefined || (part.offset >= startOffset && part.offset < endOffset)) return
  throw new PartitionOfflineError(
    `partition ${part.topic}-${part.partition} is offline: ${offline}`,
  )
}

/** Is there a message at the part's offset? Throws OffsetOutOfRangeError. */
function hasMessages(log: PartitionLog, { offset }: PollPart): boolean {
  const { startOffset, endOffset } = log
  if (!(offset >= startOffset && offset <= endOffset)) {
    throw outOfRange(offset, { startOffset, endOffset })
  }
  return offset < endOffset
}

/** Throws LogTruncatedError where the log no longer holds what the reader has seen (KIP-320). */
async function checkTruncation(log: PartitionLog, part: PollPart, epoch: number): Promise<void> {
  const { endOffset } = await log.endOffsetForEpoch(epoch)
  if (endOffset >= part.offset) return
  throw new LogTruncatedError(
    `the log was cut back to offset ${endOffset}, the reader has come to ${part.offset}`,
    { endOffset },
  )
}

/** How many messages there are in the batches from the offset on. */
export function messagesFrom(offset: number, batches: readonly StoredBatch[]): number {
  let messages = 0
  for (const { header } of batches) {
    const after = header.baseOffset + header.lastOffsetDelta + 1 - offset
    messages += Math.min(header.recordCount, after)
  }
  return messages
}

/** The error for an offset outside of what a partition holds. */
export function outOfRange(
  offset: number,
  bounds: { startOffset: number; endOffset: number },
): OffsetOutOfRangeError {
  const { startOffset, endOffset } = bounds
  return new OffsetOutOfRangeError(
    `offset ${offset} is outside of what there is: ${startOffset} to ${endOffset}`,
    { startOffset, endOffset },
  )
}

function polledBatch({ topic, partition }: PollPart, batch: StoredBatch): PolledBatch {
  const { header, records, recordsLength } = batch
  return {
    topic,
    partition,
    baseOffset: header.baseOffset,
    leaderEpoch: header.partitionLeaderEpoch,
    attributes: header.attributes,
    baseTimestamp: header.baseTimestamp,
    maxTimestamp: header.maxTimestamp,
    recordCount: header.recordCount,
    lastOffsetDelta: header.lastOffsetDelta,
    records,
    recordsLength,
  }
}
