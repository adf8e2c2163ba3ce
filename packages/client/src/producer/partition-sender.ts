/**
 * What is on its way into one partition, in order.
 *
 *   queue                          unacknowledged (at most 5)
 *   [ open ][ ... ] --next()-->    [ failed ][ under way ][ under way ] --answered-->
 *
 *   sending --a batch failed--> draining --all answered, pause over--> resending --all sent--> sending
 *                                   ^                                      |
 *                                   '-------------a batch failed-----------'
 *
 * Every message has a sequence number under a producer id (KIP-98), so that what is sent again is in
 * the log once. A failed batch is sent again with the same numbers, and so is all that came behind
 * it: the broker refuses them while the first one is missing (OutOfOrderSequenceError).
 *
 *   1. A batch that was refused, and so is not in the log, leaves no gap: those behind it take its
 *      numbers.
 *   2. A batch that was given up while nobody knows whether it is in the log leaves one. If it is in
 *      the log, the next batch fits; if not, the next one is refused although nothing precedes it.
 *   3. A batch that is refused although nothing precedes it, or whose producer the broker does not
 *      know (any more), is not in the log: it goes on in the producer's next epoch, from 0.
 */
import type { ProducerIdentity } from '@kaska/protocol'
import { Fifo } from '../fifo.ts'
import { addToSequence, type OutgoingBatch } from './outgoing-batch.ts'
import type { TopicSender } from './topic-sender.ts'

/** Kafka's limit too: as many batches of a producer a partition remembers. */
export const unacknowledgedMax = 5

export class PartitionSender {
  readonly topic: TopicSender
  readonly partition: number
  /** Batches that were not sent yet. */
  readonly queue = new Fifo<OutgoingBatch>()
  /** Batches that were sent at least once, in the order of their numbers; see `acknowledge`. */
  readonly unacknowledged: OutgoingBatch[] = []
  phase: 'sending' | 'draining' | 'resending' = 'sending'
  underWayCount = 0
  /** Failures since the last success. */
  failureCount = 0
  /** How long to wait before the next try. */
  pauseMs = 0
  /** Whose sequence numbers are used; undefined: a new producer's, from 0. */
  identity: ProducerIdentity | undefined
  #nextSequence = 0

  constructor(topic: TopicSender, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  /** The batch that can be sent now. */
  next(): OutgoingBatch | undefined {
    if (this.phase === 'draining') return undefined
    if (this.phase === 'resending') {
      if (this.underWayCount >= unacknowledgedMax) return undefined
      const failed = this.unacknowledged.find(isFailed)
      if (failed !== undefined) return failed
      this.phase = 'sending'
    }
    if (this.unacknowledged.length >= unacknowledgedMax) return undefined
    for (let batch = this.queue.peek(); batch !== undefined; batch = this.queue.peek()) {
      // While an answer is awaited, messages gather.
      if (!batch.isSealed && this.unacknowledged.length > 0) return undefined
      if (batch.prune()) return batch
      this.queue.shift()
      this.topic.forget(batch)
    }
    return undefined
  }

  /** The batch that `next` gave is sent now, under this identity. */
  start(batch: OutgoingBatch, identity: ProducerIdentity): void {
    if (this.identity !== identity) this.#restart(identity)
    if (this.phase === 'sending') {
      this.queue.shift()
      batch.isSealed = true
      batch.sequence = this.#nextSequence
      this.#nextSequence = addToSequence(this.#nextSequence, batch.count)
      this.unacknowledged.push(batch)
    }
    batch.sentSequence = batch.sequence
    batch.isUnderWay = true
    this.underWayCount++
    if (this.phase === 'resending' && !this.unacknowledged.some(isFailed)) {
      this.phase = 'sending'
    }
  }

  /** The batch was answered, or will not be. */
  answered(batch: OutgoingBatch): void {
    batch.isUnderWay = false
    this.underWayCount--
  }

  /**
   * The batch is in the log. It takes up room until all before it are: the partition remembers the
   * newest five of a producer, so one that has more behind it would not be known when it is sent again.
   */
  acknowledge(batch: OutgoingBatch): void {
    batch.isAcknowledged = true
    this.#advance()
  }

  /** Takes a batch out that was given up. */
  remove(batch: OutgoingBatch): void {
    const index = this.unacknowledged.indexOf(batch)
    if (index !== -1) this.unacknowledged.splice(index, 1)
    this.#advance()
  }

  /** Takes a batch out that is not in the log: rule 1. */
  removeRefused(batch: OutgoingBatch): void {
    const index = this.unacknowledged.indexOf(batch)
    if (index === -1) return
    this.unacknowledged.splice(index, 1)
    this.#number(batch.sequence, index)
    this.#advance()
  }

  /** Puts two in the place of one. */
  split(batch: OutgoingBatch): [OutgoingBatch, OutgoingBatch] {
    const halves = batch.split()
    this.unacknowledged.splice(this.unacknowledged.indexOf(batch), 1, ...halves)
    return halves
  }

  /** All batches that are left, in order; the sender is done after that. */
  takeAll(): OutgoingBatch[] {
    const sent = this.unacknowledged.splice(0).filter(({ isAcknowledged }) => !isAcknowledged)
    const batches = [...sent, ...this.queue]
    this.queue.clear()
    return batches
  }

  /** A new producer's numbers begin at 0. */
  #restart(identity: ProducerIdentity): void {
    this.identity = identity
    // Those that are in the log have their numbers under the producer before.
    const rest = this.unacknowledged.filter(({ isAcknowledged }) => !isAcknowledged)
    this.unacknowledged.splice(0, this.unacknowledged.length, ...rest)
    this.#number(0, 0)
  }

  /** The first one is always one that is waited for. */
  #advance(): void {
    while (this.unacknowledged[0]?.isAcknowledged) this.unacknowledged.shift()
  }

  #number(sequence: number, fromIndex: number): void {
    let next = sequence
    for (const batch of this.unacknowledged.slice(fromIndex)) {
      batch.sequence = next
      next = addToSequence(next, batch.count)
    }
    this.#nextSequence = next
  }
}

function isFailed({ isAcknowledged, isUnderWay }: OutgoingBatch): boolean {
  return !isUnderWay && !isAcknowledged
}
