/**
 * What a partition remembers of its producers (KIP-98, KIP-360), so that a batch that is sent again
 * is not stored again, and none is stored behind a gap.
 *
 *   a batch of producer (id, epoch) with sequences first..last
 *     id unknown            first = 0: taken;  else UnknownProducerError: the sender starts anew
 *     older epoch           ProducerFencedError
 *     newer epoch           first = 0: taken;  else OutOfOrderSequenceError
 *     one of the last five  not taken: answered with the offset that it has
 *     next after the last   taken
 *     anything else         OutOfOrderSequenceError
 *
 * Sequences count records, 0 to 2^31 - 1 and then 0 again. Kafka takes any first sequence from an
 * unknown id; here it is an error, since a batch whose predecessor was refused (a full disk) would else
 * slip in before it. Producers are forgotten 24 hours after their last batch, and the longest unused
 * ones beyond a number. These hours are those of running brokers: a wall clock that jumps must not make
 * a broker forget a producer that is about to send a batch again.
 */
import { OutOfOrderSequenceError, ProducerFencedError, UnknownProducerError } from '@kaska/protocol'

/** Where a producer's batch lies. */
export interface ProducerBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
  /** The batch's largest timestamp, which is its time of append where the topic stamps. */
  readonly timestamp: number
}

/** What is known of one producer; replaced, never changed. */
export interface ProducerEntry {
  readonly epoch: number
  /** The clock's monotonic time of its last batch, whole milliseconds; negative: before this start. */
  readonly lastSeen: number
  /** At least one, at most five, in order. */
  readonly batches: readonly ProducerBatch[]
}

/** The fields of a batch that this is about. */
export interface ProducerFields {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly lastOffsetDelta: number
  readonly maxTimestamp: number
}

const batchesMax = 5
const sequenceCount = 2 ** 31

export const producerExpiryMs = 24 * 3600 * 1000
export const producersMax = 10_000

export class ProducerState {
  /** By id, the longest unused first. */
  readonly #producers = new Map<number, ProducerEntry>()

  get size(): number {
    return this.#producers.size
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#producers.get(producerId)
  }

  entries(): Iterable<[number, ProducerEntry]> {
    return this.#producers
  }

  /** The batch that this one repeats; undefined if it is to be appended. Throws as the head says. */
  check(batch: Omit<ProducerFields, 'maxTimestamp'>): ProducerBatch | undefined {
    const entry = this.#producers.get(batch.producerId)
    const name = `producer ${batch.producerId}`
    if (entry === undefined) {
      if (batch.baseSequence === 0) return undefined
      throw new UnknownProducerError(
        `${name} is not known here, and its sequence is ${batch.baseSequence}, not 0`,
      )
    }
    if (batch.producerEpoch < entry.epoch) {
      throw new ProducerFencedError(
        `${name} has epoch ${entry.epoch} now; this batch is of epoch ${batch.producerEpoch}`,
      )
    }
    if (batch.producerEpoch > entry.epoch) {
      if (batch.baseSequence === 0) return undefined
      throw new OutOfOrderSequenceError(
        `${name} begins epoch ${batch.producerEpoch} with sequence ${batch.baseSequence}, not 0`,
      )
    }
    const lastSequence = sequenceAfter(batch.baseSequence, batch.lastOffsetDelta)
    for (const known of entry.batches) {
      if (known.firstSequence === batch.baseSequence && known.lastSequence === lastSequence) {
        return known
      }
    }
    const newest = entry.batches.at(-1) as ProducerBatch
    const expected = sequenceAfter(newest.lastSequence, 1)
    if (batch.baseSequence === expected) return undefined
    throw new OutOfOrderSequenceError(
      `${name} sent sequence ${batch.baseSequence}; ${expected} is the next one`,
    )
  }

  /** Notes a batch that takes its place; returns the entry before, for `restore`. */
  append(batch: ProducerFields, baseOffset: number, now: number): ProducerEntry | undefined {
    const before = this.#producers.get(batch.producerId)
    const appended: ProducerBatch = {
      firstSequence: batch.baseSequence,
      lastSequence: sequenceAfter(batch.baseSequence, batch.lastOffsetDelta),
      baseOffset,
      lastOffset: baseOffset + batch.lastOffsetDelta,
      timestamp: batch.maxTimestamp,
    }
    let batches: ProducerBatch[]
    if (before === undefined || before.epoch !== batch.producerEpoch) {
      batches = [appended]
    } else {
      batches = before.batches.slice(before.batches.length === batchesMax ? 1 : 0)
      batches.push(appended)
    }
    this.#set(batch.producerId, { epoch: batch.producerEpoch, lastSeen: now, batches })
    return before
  }

  /** Takes an `append` back: the last ones first. */
  restore(producerId: number, before: ProducerEntry | undefined): void {
    if (before === undefined) this.#producers.delete(producerId)
    else this.#producers.set(producerId, before)
  }

  /** Puts an entry in as it was saved. */
  load(producerId: number, entry: ProducerEntry): void {
    this.#set(producerId, entry)
  }

  /** Forgets those that have sent nothing for 24 hours. */
  expire(now: number): void {
    for (const [producerId, entry] of this.#producers) {
      if (entry.lastSeen < now - producerExpiryMs) this.#producers.delete(producerId)
    }
  }

  #set(producerId: number, entry: ProducerEntry): void {
    this.#producers.delete(producerId)
    this.#producers.set(producerId, entry)
    if (this.#producers.size <= producersMax) return
    for (const oldest of this.#producers.keys()) {
      this.#producers.delete(oldest)
      return
    }
  }
}

function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % sequenceCount
}
