/**
 * One read of any number of partitions that gives the batches as they are stored, headers included, and
 * for each partition its bounds: what a reader needs that speaks the log's own format.
 *
 *   gather all --> enough bytes, a failure, or full? --> answer
 *                    | no, and time is left
 *                    v
 *                  wait --> gather those that woke it, behind what is already held --> ...
 *
 * The parts are served in their order, each within its own bytes and all within the request's; the first
 * batch of all is given whatever its size. Once there is one, the other parts are read from the disk beside
 * each other. What is held while it waits for more is less than `bytesMin`.
 */
import {
  type Clock,
  ClosedError,
  KaskaError,
  type OffsetBounds,
  PartitionOfflineError,
  type TopicId,
} from '@kaska/protocol'
import type { StoredBatch, StoredBatches } from '../log/log-batches.ts'
import type { MemoryBudget } from '../log/memory-budget.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { Partition, PartitionWaiter } from './partition.ts'
import { messagesFrom, outOfRange } from './poll.ts'
import { Turns } from './turns.ts'
import { WakeUp } from './wake-up.ts'

export interface StoredReadPart {
  readonly topic: TopicId
  readonly partition: number
  readonly offset: number
  readonly bytesMax: number
  /** The leader epoch of the last message seen, where the reader wants to hear of a truncation. */
  readonly lastEpoch?: number
}

export interface StoredReadRequest {
  readonly parts: readonly StoredReadPart[]
  readonly waitMs: number
  /** Once there is so much, or a failure, it does not wait any longer. */
  readonly bytesMin: number
  readonly bytesMax: number
  /** Called once with what adds a part while the read waits, and does nothing when it is over. */
  readonly late?: (join: (part: StoredReadPart) => void) => void
}

export interface StoredReadPartResult extends OffsetBounds {
  /** UnknownTopicError, OffsetOutOfRangeError, PartitionOfflineError, ... */
  readonly error: KaskaError | undefined
  /** Where the log parts from what the reader has seen (KIP-320); then there are no batches. */
  readonly diverging: { readonly epoch: number; readonly endOffset: number } | undefined
  /** Ascending; the first may begin before the offset that was asked for. */
  readonly batches: readonly StoredBatch[]
}

export interface StoredReadResult {
  /** In the order of the request's parts, and behind them those that came late. */
  readonly parts: readonly StoredReadPartResult[]
  /** To be called once, when the views are no longer needed. */
  release(): void
}

export interface StoredReadSeams {
  readonly clock: Clock
  readonly budget: Pick<MemoryBudget, 'available' | 'waiting' | 'total'>
  /** Throws UnknownTopicError, UnknownPartitionError. */
  partitionOf(part: { readonly topic: TopicId; readonly partition: number }): Partition
}

/** After so many partitions it is looked whether others want a turn. */
const sliceParts = 64
/** How long a read that has something waits for memory for more. */
const patienceMs = 100
/** Reads from the disk that one request has under way. */
const readsAheadMax = 8
/** The budget that a read leaves to others when it asks for a second partition's batches. */
const roomBytes = 1024 * 1024
/** What may be held of the budget while more is waited for: one part in so many. */
const heldShare = 32

/** A part under way. */
interface Slot {
  readonly part: StoredReadPart
  partition: Partition | undefined
  readonly batches: StoredBatch[]
  bytes: number
  /** The offset behind what is held. */
  next: number
  error: KaskaError | undefined
  diverging: { readonly epoch: number; readonly endOffset: number } | undefined
  isEpochChecked: boolean
}

/** A read of one part that goes on beside those of others. */
interface ReadAhead {
  readonly slot: Slot
  /** What it may bring. */
  readonly bytesLeft: number
  readonly reading: Promise<StoredBatches>
  /** Ends its wait for memory. */
  readonly patience: AbortController
}

const noReads: readonly ReadAhead[] = []

/** Reads once: `run` is called once. */
export class StoredRead implements PartitionWaiter {
  readonly #request: StoredReadRequest
  readonly #signal: AbortSignal | undefined
  readonly #seams: StoredReadSeams
  readonly #slots: Slot[] = []
  readonly #held: StoredBatches[] = []
  readonly #bytesMin: number
  readonly #bytesMax: number
  #bytes = 0
  /** Is there more than the limits let in, or a part that failed? */
  #isOver = false
  #isListening = false
  #hasEnded = false
  readonly #woken = new Set<Partition>()
  readonly #wakeUp: WakeUp
  readonly #turns: Turns

  constructor(request: StoredReadRequest, signal: AbortSignal | undefined, seams: StoredReadSeams) {
    this.#request = request
    this.#signal = signal
    this.#seams = seams
    this.#turns = new Turns(seams.clock)
    this.#wakeUp = new WakeUp(seams.clock, signal)
    this.#bytesMax = Math.max(1, Math.min(request.bytesMax, seams.budget.available / 2))
    const heldMax = Math.floor(seams.budget.total / heldShare)
    this.#bytesMin = Math.min(request.bytesMin, this.#bytesMax, heldMax)
  }

  async run(): Promise<StoredReadResult> {
    const slots = this.#slots
    const { parts, waitMs, late } = this.#request
    // What is done at once is not awaited: most reads are of few parts, which are in memory.
    let waiting: Promise<void> | undefined
    try {
      for (const part of parts) {
        if (slots.length % sliceParts === sliceParts - 1) await this.#turns.give()
        slots.push(this.#slotOf(part))
      }
      late?.((part) => this.#join(part))
      if (slots.some(isUnopened)) await this.#openAll()
      waiting = this.#gather(slots)
      if (waiting !== undefined) await waiting
      const deadline = this.#seams.clock.monotonic() + waitMs
      while (!this.#isDone(deadline)) {
        if (!this.#isListening) {
          waiting = this.#listen()
          if (waiting !== undefined) await waiting
          // What came before it listened is seen now.
          waiting = this.#gather(slots)
        } else {
          if (this.#woken.size === 0) {
            await this.#wakeUp.wait(Math.max(0, deadline - this.#seams.clock.monotonic()))
          }
          waiting = this.#gather(this.#takeWoken())
        }
        if (waiting !== undefined) await waiting
      }
      return this.#result()
    } catch (error) {
      this.#release()
      throw error
    } finally {
      this.#hasEnded = true
      // The answer does not wait for this.
      void this.#leaveAll()
    }
  }

  /** Takes a part on while the others are waited for. */
  #join(part: StoredReadPart): void {
    if (this.#hasEnded) return
    const slot = this.#slotOf(part)
    this.#slots.push(slot)
    const { partition } = slot
    if (partition === undefined) this.#wakeUp.wake()
    else {
      if (this.#isListening) partition.addWaiter(this)
      this.wake(partition)
    }
  }

  #listen(): Promise<void> | undefined {
    this.#isListening = true
    // A part that comes meanwhile listens by itself.
    return this.#each([...this.#slots], ({ partition }) => partition?.addWaiter(this))
  }

  #leaveAll(): Promise<void> | undefined {
    return this.#each(this.#slots, ({ partition }) => {
      if (this.#isListening) partition?.removeWaiter(this)
      partition?.leave()
    })
  }

  /** Calls back for each slot; undefined where that was done at once. */
  #each(slots: readonly Slot[], visit: (slot: Slot) => void): Promise<void> | undefined {
    if (slots.length >= sliceParts) return this.#eachInTurns(slots, visit)
    for (const slot of slots) visit(slot)
    return undefined
  }

  async #eachInTurns(slots: readonly Slot[], visit: (slot: Slot) => void): Promise<void> {
    for (const [index, slot] of slots.entries()) {
      if (index % sliceParts === sliceParts - 1) await this.#turns.give()
      visit(slot)
    }
  }

  wake(partition: Partition): void {
    this.#woken.add(partition)
    this.#wakeUp.wake()
  }

  /** The slots of the partitions that woke it. */
  #takeWoken(): readonly Slot[] {
    const woken = this.#slots.filter(({ partition }) => partition && this.#woken.has(partition))
    this.#woken.clear()
    return woken
  }

  #isDone(deadline: number): boolean {
    this.#signal?.throwIfAborted()
    if (this.#isOver || (this.#bytes > 0 && this.#bytes >= this.#bytesMin)) return true
    return this.#bytesMin <= 0 || this.#seams.clock.monotonic() >= deadline
  }

  #result(): StoredReadResult {
    const parts = this.#slots.map(({ partition, batches, error, diverging }) => {
      const { startOffset = -1, endOffset = -1 } = partition?.log ?? {}
      return { error, diverging, batches, startOffset, endOffset }
    })
    return { parts, release: () => this.#release() }
  }

  #release(): void {
    for (const stored of this.#held.splice(0)) stored.release()
  }

  #slotOf(part: StoredReadPart): Slot {
    const slot: Slot = {
      part,
      partition: undefined,
      batches: [],
      bytes: 0,
      next: part.offset,
      error: undefined,
      diverging: undefined,
      isEpochChecked: part.lastEpoch === undefined,
    }
    try {
      const partition = this.#seams.partitionOf(part)
      partition.enter()
      slot.partition = partition
    } catch (error) {
      this.#fail(slot, error)
    }
    return slot
  }

  async #openAll(): Promise<void> {
    let opening: Promise<unknown>[] = []
    for (const slot of this.#slots) {
      const { partition } = slot
      if (partition === undefined || partition.log !== undefined) continue
      opening.push(partition.open().catch((error: unknown) => this.#fail(slot, error)))
      if (opening.length < sliceParts) continue
      await Promise.all(opening)
      opening = []
      await this.#turns.give()
    }
    if (opening.length > 0) await Promise.all(opening)
  }

  /** Takes what there is; undefined where that was done at once. */
  #gather(slots: readonly Slot[]): Promise<void> | undefined {
    if (slots.length >= sliceParts) return this.#gatherInTurns(slots, 0)
    for (const [index, slot] of slots.entries()) {
      if (!this.#gatherFromMemory(slot, noReads)) return this.#gatherInTurns(slots, index)
    }
    return undefined
  }

  async #gatherInTurns(slots: readonly Slot[], start: number): Promise<void> {
    const reads: ReadAhead[] = []
    try {
      for (let index = start; index < slots.length; index++) {
        if (index % sliceParts === sliceParts - 1) await this.#turns.give()
        const slot = slots[index] as Slot
        if (this.#gatherFromMemory(slot, reads)) continue
        try {
          await this.#gatherFromDisk(slot, reads)
        } catch (failure) {
          this.#failedIn(slot, failure)
        }
      }
    } finally {
      if (reads.length > 0) await this.#takeAll(reads)
    }
  }

  /** False: it takes a look at the disk to know what there is. */
  #gatherFromMemory(slot: Slot, reads: readonly ReadAhead[]): boolean {
    const { partition, part, error, diverging } = slot
    if (partition === undefined || error !== undefined || diverging !== undefined) return true
    try {
      if (partition.ended !== undefined) throw partition.ended
      const log = partition.log
      if (log === undefined) return true
      if (!slot.isEpochChecked) {
        if (part.lastEpoch !== log.lastEpoch) return false
        slot.isEpochChecked = true
      }
      if (!hasMore(log, slot.next)) return true
      const bytesLeft = this.#bytes === 0 ? this.#firstBytes(slot) : this.#roomFor(slot, reads)
      if (bytesLeft <= 0 && reads.length > 0) return false
      const stored = bytesLeft <= 0 ? undefined : log.readMemory(slot.next, bytesLeft)
      if (stored !== undefined) this.#take(slot, stored, bytesLeft)
      else if (bytesLeft <= 0) this.#isOver = true
      else return false
    } catch (failure) {
      this.#failedIn(slot, failure)
    }
    return true
  }

  async #gatherFromDisk(slot: Slot, reads: ReadAhead[]): Promise<void> {
    const log = slot.partition?.log
    if (log === undefined) return
    if (!slot.isEpochChecked) await this.#checkEpoch(slot, log, slot.part.lastEpoch ?? -1)
    if (slot.diverging !== undefined || !hasMore(log, slot.next)) return
    if (this.#bytes === 0) await this.#readFirst(slot, log)
    else await this.#readAhead(slot, log, reads)
  }

  /** Memory is waited for with empty hands only: reads that hold some and want more could wait for each other for ever. */
  async #readFirst(slot: Slot, log: PartitionLog): Promise<void> {
    const bytesLeft = this.#firstBytes(slot)
    // The batches' CRCs go along to a reader that looks at them itself.
    this.#take(slot, await log.read(slot.next, bytesLeft, this.#signal, 'once'), bytesLeft)
  }

  #firstBytes({ part, bytes }: Slot): number {
    return Math.max(1, Math.min(part.bytesMax - bytes, this.#bytesMax))
  }

  /** Begins a read beside others, or takes from memory; what is read ahead is taken first where it leaves no room. */
  async #readAhead(slot: Slot, log: PartitionLog, reads: ReadAhead[]): Promise<void> {
    if (reads.length >= readsAheadMax || this.#roomFor(slot, reads) <= 0) await this.#takeAll(reads)
    const bytesLeft = this.#roomFor(slot, reads)
    if (bytesLeft <= 0) {
      this.#isOver = true
      return
    }
    const patience = new AbortController()
    const reading = log.read(slot.next, bytesLeft, patience.signal, 'once')
    if (!(reading instanceof Promise)) {
      this.#take(slot, reading, bytesLeft)
      return
    }
    // Heard of when it is taken.
    reading.catch(() => {})
    reads.push({ slot, bytesLeft, reading, patience })
  }

  /** How many bytes may be read for a slot beside what is read ahead; 0 where memory is short too. */
  #roomFor({ part, bytes }: Slot, reads: readonly ReadAhead[]): number {
    const { budget } = this.#seams
    const ahead = reads.reduce((sum, { bytesLeft }) => sum + bytesLeft, 0)
    const room = Math.min(part.bytesMax - bytes, this.#bytesMax - this.#bytes - ahead)
    const isShort = budget.waiting > 0 || budget.available < ahead + room + roomBytes
    return isShort ? 0 : room
  }

  /** Takes what is read ahead, in its order, and waits for it with little patience. */
  async #takeAll(reads: ReadAhead[]): Promise<void> {
    const taken = reads.splice(0)
    if (taken.length === 0) return
    const timer = this.#seams.clock.after(patienceMs, () => {
      for (const { patience } of taken) patience.abort()
    })
    const results = await Promise.allSettled(taken.map(({ reading }) => reading))
    timer.cancel()
    let broken: { readonly error: unknown } | undefined
    for (const [index, result] of results.entries()) {
      const { slot, bytesLeft, patience } = taken[index] as ReadAhead
      if (result.status === 'fulfilled') {
        this.#take(slot, result.value, bytesLeft)
      } else if (patience.signal.aborted && !(result.reason instanceof KaskaError)) {
        // What ran out of patience comes with the next read.
        this.#isOver = true
      } else {
        try {
          this.#failedIn(slot, result.reason)
        } catch (error) {
          broken = { error }
        }
      }
    }
    if (broken !== undefined) throw broken.error
  }

  #take(slot: Slot, stored: StoredBatches, bytesLeft: number): void {
    const last = stored.batches.at(-1)
    if (last === undefined || (this.#bytes > 0 && stored.bytes > bytesLeft)) {
      stored.release()
      if (last !== undefined) this.#isOver = true
      return
    }
    this.#held.push(stored)
    for (const batch of stored.batches) slot.batches.push(batch)
    slot.partition?.delivered(messagesFrom(slot.next, stored.batches), stored.bytes)
    slot.bytes += stored.bytes
    slot.next = last.header.baseOffset + last.header.lastOffsetDelta + 1
    this.#bytes += stored.bytes
  }

  async #checkEpoch(slot: Slot, log: PartitionLog, epoch: number): Promise<void> {
    slot.isEpochChecked = true
    if (epoch === log.lastEpoch) return
    const end = await log.endOffsetForEpoch(epoch)
    if (end.endOffset >= slot.part.offset && end.epoch >= epoch) return
    // An epoch in which nothing was appended leaves no trace, and takes nothing away.
    if (end.endOffset >= slot.part.offset && slot.part.offset <= log.startOffset) return
    slot.diverging = end
    this.#isOver = true
  }

  #failedIn(slot: Slot, failure: unknown): void {
    const ended = slot.partition?.ended
    this.#fail(slot, failure instanceof ClosedError && ended !== undefined ? ended : failure)
  }

  #fail(slot: Slot, error: unknown): void {
    // The end of the broker is not the failure of one part.
    if (!(error instanceof KaskaError) || error instanceof ClosedError) throw error
    slot.error = error
    this.#isOver = true
  }
}

/** Has its log to be opened before it can be read? */
function isUnopened({ partition }: Slot): boolean {
  return partition !== undefined && partition.log === undefined
}

/** Is there a batch from this offset on? Throws OffsetOutOfRangeError, PartitionOfflineError. */
function hasMore(log: PartitionLog, offset: number): boolean {
  const { startOffset, endOffset, offline } = log
  if (offset >= startOffset && offset < endOffset) return true
  // At the end of an offline log nothing will ever come, and its bounds are not the log's.
  if (offline !== undefined) throw new PartitionOfflineError(`${log.directory}: ${offline}`)
  if (offset !== endOffset) throw outOfRange(offset, { startOffset, endOffset })
  return false
}
