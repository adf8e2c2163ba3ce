/**
 * One poll over any number of partitions (contract 2): gathers whole batches from those that have
 * something, within the bytes that were asked for, or waits until one of them has.
 *
 *   gather --> batches or failures? --> answer
 *     ^           | neither, and time is left
 *     |           v
 *     +------- wait: woken by a partition (a message, its end), the timer, the signal
 *
 * The poll puts itself on the partitions' lists before the gathering that may precede a wait, so
 * nothing that happens in between is missed. Each ready partition gets an equal share of the bytes
 * that are left, so that a busy one does not starve the quiet ones behind it.
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
import type { MemoryBudget } from '../log/memory-budget.ts'
import type { PartitionLog, StoredBatch, StoredBatches } from '../log/partition-log.ts'
import type { Partition, PartitionWaiter } from './partition.ts'

export interface PollSeams {
  readonly clock: Clock
  readonly budget: Pick<MemoryBudget, 'available' | 'waiting'>
  /** Throws UnknownTopicError, UnknownPartitionError. */
  partitionOf(part: PollPart): Partition
}

/** How long a walk over many partitions holds the event loop at most. */
const sliceMs = 4
const sliceParts = 256
/** Reads of one poll that are under way at a time. */
const readsMax = 8
/** How long a poll that has something waits for memory for more. */
const patienceMs = 100
/** The budget that a poll leaves to others when it asks for more than one partition's batches. */
const roomBytes = 1024 * 1024

interface ReadyPart {
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
  readonly #waitedFor = new Set<Partition>()
  #isWoken = false
  #wakeUp: (() => void) | undefined = undefined
  #sliceStart = 0

  constructor(request: PollRequest, signal: AbortSignal | undefined, seams: PollSeams) {
    this.#request = request
    this.#signal = signal
    this.#seams = seams
  }

  async run(): Promise<PollResult> {
    const { clock } = this.#seams
    const { waitMs } = this.#request
    const deadline = waitMs > 0 ? clock.monotonic() + waitMs : 0
    try {
      for (;;) {
        this.#isWoken = false
        await this.#gather()
        this.#signal?.throwIfAborted()
        if (this.#batches.length > 0 || this.#failures.length > 0 || waitMs <= 0) break
        if (this.#waitedFor.size === 0 && this.#request.parts.length > 0) {
          // What came since the gathering began has woken nobody: gather once more.
          await this.#addToWaiters()
          continue
        }
        const leftMs = deadline - clock.monotonic()
        if (leftMs <= 0) break
        if (!this.#isWoken) await this.#wait(leftMs)
      }
    } catch (error) {
      this.#release()
      throw error
    } finally {
      for (const partition of this.#waitedFor) partition.removeWaiter(this)
    }
    return {
      batches: this.#batches,
      failures: this.#failures,
      release: () => this.#release(),
    }
  }

  /** Something has changed: see PartitionWaiter. */
  wake(): void {
    this.#isWoken = true
    this.#wakeUp?.()
  }

  #release(): void {
    for (const stored of this.#held.splice(0)) stored.release()
  }

  async #gather(): Promise<void> {
    const { parts } = this.#request
    const { clock } = this.#seams
    this.#sliceStart = clock.monotonic()
    const openFailures = await this.#openAll()
    const ready: ReadyPart[] = []
    for (const [index, part] of parts.entries()) {
      if (index % sliceParts === sliceParts - 1) await this.#giveWay()
      try {
        const partition = this.#seams.partitionOf(part)
        if (partition.ended !== undefined) throw partition.ended
        const log = partition.log
        if (log === undefined) throw openFailures.get(partition) ?? noLongerOpen(part)
        if (part.lastEpoch !== undefined && part.lastEpoch !== log.lastEpoch) {
          await checkTruncation(log, part, part.lastEpoch)
        }
        if (hasMessages(log, part)) ready.push({ part, partition, log })
      } catch (error) {
        this.#fail(part, error)
      }
    }
    if (ready.length > 0) await this.#read(ready)
  }

  /** Opens the logs that are not open yet. Returns why some cannot be opened. */
  async #openAll(): Promise<Map<Partition, unknown>> {
    const failures = new Map<Partition, unknown>()
    const opening: Promise<unknown>[] = []
    for (const [index, part] of this.#request.parts.entries()) {
      if (index % sliceParts === sliceParts - 1) await this.#giveWay()
      let partition: Partition
      try {
        partition = this.#seams.partitionOf(part)
      } catch {
        // The gathering that follows meets, and reports, the same error.
        continue
      }
      if (partition.log !== undefined || partition.ended !== undefined) continue
      opening.push(partition.open().catch((error) => failures.set(partition, error)))
    }
    if (opening.length > 0) await Promise.all(opening)
    return failures
  }

  async #read(ready: readonly ReadyPart[]): Promise<void> {
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
          const { part, partition } = group[index] as ReadyPart
          if (reading instanceof Promise && this.#batches.length > 0) {
            timer ??= clock.after(patienceMs, () => patience?.abort())
          }
          try {
            const stored = reading instanceof Promise ? await reading : reading
            bytesLeft -= this.#take(part, stored, bytesLeft)
          } catch (error) {
            // What ran out of patience comes with the next poll.
            if (patience?.signal.aborted && !(error instanceof KaskaError)) continue
            for (const rest of readings.slice(index + 1)) releaseUnread(rest)
            this.#fail(part, reasonOf(error, partition))
          }
        }
        await this.#giveWay()
      }
    } finally {
      timer?.cancel()
      this.#signal?.removeEventListener('abort', abort)
    }
  }

  /** Adds what was read to the answer, if there is room. Returns the bytes that it takes. */
  #take(part: PollPart, stored: StoredBatches, bytesLeft: number): number {
    const isEmpty = stored.batches.length === 0
    if (isEmpty || (this.#batches.length > 0 && stored.bytes > bytesLeft)) {
      stored.release()
      // A batch that does not fit ends the answer: its turn comes when it is the first.
      return isEmpty ? 0 : bytesLeft
    }
    this.#held.push(stored)
    for (const batch of stored.batches) this.#batches.push(polledBatch(part, batch))
    return stored.bytes
  }

  #fail({ topic, partition }: PollPart, error: unknown): void {
    // The end of the broker is not the failure of one part.
    if (!(error instanceof KaskaError) || error instanceof ClosedError) throw error
    this.#failures.push({ topic, partition, error })
  }

  async #addToWaiters(): Promise<void> {
    for (const [index, part] of this.#request.parts.entries()) {
      if (index % sliceParts === sliceParts - 1) await this.#giveWay()
      try {
        const partition = this.#seams.partitionOf(part)
        partition.addWaiter(this)
        this.#waitedFor.add(partition)
      } catch {
        // Its topic was deleted meanwhile: the gathering that follows reports it.
      }
    }
  }

  #wait(leftMs: number): Promise<void> {
    const signal = this.#signal
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#wakeUp = undefined
        timer.cancel()
        signal?.removeEventListener('abort', abort)
      }
      const abort = () => {
        end()
        reject(signal?.reason)
      }
      const timer = this.#seams.clock.after(leftMs, () => this.#wakeUp?.())
      this.#wakeUp = () => {
        end()
        resolve()
      }
      signal?.addEventListener('abort', abort)
    })
  }

  /** Lets others have a turn when this one has lasted long enough. */
  async #giveWay(): Promise<void> {
    const { clock } = this.#seams
    if (clock.monotonic() - this.#sliceStart < sliceMs) return
    await clock.yield()
    this.#sliceStart = clock.monotonic()
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

/** Is there a message at the part's offset? Throws OffsetOutOfRangeError, PartitionOfflineError. */
function hasMessages(log: PartitionLog, { offset }: PollPart): boolean {
  const { startOffset, endOffset } = log
  if (!(offset >= startOffset && offset <= endOffset)) {
    throw outOfRange(offset, { startOffset, endOffset })
  }
  if (offset < endOffset) return true
  // Nothing more will come: a reader is not to wait for it.
  if (log.offline !== undefined) throw new PartitionOfflineError(log.offline)
  return false
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

function noLongerOpen({ topic, partition }: PollPart): KaskaError {
  return new PartitionOfflineError(`partition ${topic}-${partition} is not open`)
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
