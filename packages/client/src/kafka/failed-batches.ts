/**
 * Batches that failed, and whose producers have not been told yet, or have not heard: what comes behind one, of the
 * same producer, is refused here, since whoever sent it did not know.
 *
 *   the batch that failed     what is behind it                        until
 *   a producer's first        ConnectionError; a second later          the first is sent again, or the producer
 *                             OutOfOrderSequenceError, once Kafka      goes on in another epoch, or Kafka knows
 *                             was asked and does not know it           the producer: the first was stored; an hour
 *   another                   ConnectionError                          a second has passed
 *
 * Kafka refuses what is out of order of a producer that it knows; but it takes any number from one that it
 * does not know: what is behind would be taken before what is sent again, and its numbers for those of others.
 * A producer's first is what comes before the partition has taken anything of its lately, whatever its number.
 */
import {
  type Clock,
  ConnectionError,
  OutOfOrderSequenceError,
  type ProducerIdentity,
  type SendPart,
} from '@kaska/protocol'
import { sleep } from '../abort.ts'

/** How long a producer may not know yet that a batch of its has failed. */
const toldMsMax = 1_000
/** First batches that are remembered for longer, of all producers and partitions: the newest. */
const firstsMax = 10_000
/** How long: nothing that was sent before is on its way any more. */
const firstMsMax = 3_600_000
/** Sequence numbers go round: what is up to half of them ahead is behind in time. */
const sequenceMask = 0x7fffffff
const sequencesAheadMax = 2 ** 30

interface SentBatch {
  readonly part: SendPart
  readonly producer: ProducerIdentity | undefined
}

interface Failed {
  readonly producerEpoch: number
  readonly baseSequence: number
}

interface FailedFirst extends Failed {
  readonly until: number
  /** Did Kafka not know its producer when it was asked last? */
  isUnknown: boolean
  isAsking: boolean
}

export interface FailedBatchesOptions {
  readonly clock: Clock
  readonly closing: AbortSignal
  /** Does the partition know the producer? Rejects with ConnectionError where that may be told later. */
  readonly isKnown: (part: SendPart, producer: ProducerIdentity) => Promise<boolean>
}

export class FailedBatches {
  readonly #options: FailedBatchesOptions
  /** By partition and producer, the last one that failed: for a second. */
  readonly #newest = new Map<string, Failed>()
  /** Those of them that were a producer's first, behind that second; the oldest first. */
  readonly #firsts = new Map<string, FailedFirst>()

  constructor(options: FailedBatchesOptions) {
    this.#options = options
  }

  /**
   * The batch has failed; its producer is told of it a moment after `answered` resolves. `isFirst`: the
   * partition has taken nothing of its lately.
   */
  add({ part, producer }: SentBatch, isFirst: boolean, answered: Promise<void>): void {
    if (producer === undefined) return
    const key = keyOf(part, producer)
    const failed = { producerEpoch: producer.producerEpoch, baseSequence: part.baseSequence }
    this.#newest.set(key, failed)
    const told = () => {
      if (this.#newest.get(key) !== failed) return
      this.#newest.delete(key)
      if (isFirst) this.#remember(key, failed, part, producer)
    }
    const { clock, closing } = this.#options
    void answered.then(() => sleep(clock, toldMsMax, closing)).then(told, told)
  }

  /** Why the batch is not to be sent now. One that comes in its turn takes the place of what failed. */
  refusalOf({ part, producer }: SentBatch): Error | undefined {
    if (producer === undefined) return undefined
    const key = keyOf(part, producer)
    const isBehind = (failed: Failed) => {
      if (producer.producerEpoch !== failed.producerEpoch) {
        return producer.producerEpoch < failed.producerEpoch
      }
      const ahead = (part.baseSequence - failed.baseSequence) & sequenceMask
      return ahead > 0 && ahead < sequencesAheadMax
    }
    const newest = this.#newest.get(key)
    if (newest !== undefined && isBehind(newest)) return behind()
    const first = this.#firsts.get(key)
    const isOver = first !== undefined && first.until < this.#options.clock.monotonic()
    if (first !== undefined && !isOver && isBehind(first)) {
      void this.#ask(key, first, part, producer)
      return first.isUnknown ? outOfOrder() : behind()
    }
    this.#newest.delete(key)
    this.#firsts.delete(key)
    return undefined
  }

  /** It may have been stored although its answer was lost, and that late. */
  async #ask(
    key: string,
    first: FailedFirst,
    part: SendPart,
    producer: ProducerIdentity,
  ): Promise<void> {
    if (first.isAsking) return
    first.isAsking = true
    try {
      first.isUnknown = !(await this.#options.isKnown(part, producer))
      if (!first.isUnknown) this.#forget(key, first)
    } catch (error) {
      // A cluster that does not tell has to judge by itself, from this one on.
      const { baseSequence } = part
      const isHere = this.#firsts.get(key) === first
      if (!(error instanceof ConnectionError) && isHere) {
        this.#firsts.set(key, { ...first, baseSequence, isAsking: false })
      }
    } finally {
      first.isAsking = false
    }
  }

  #forget(key: string, first: FailedFirst): void {
    if (this.#firsts.get(key) === first) this.#firsts.delete(key)
  }

  #remember(key: string, failed: Failed, part: SendPart, producer: ProducerIdentity): void {
    const until = this.#options.clock.monotonic() + firstMsMax
    const first = { ...failed, until, isUnknown: false, isAsking: false }
    this.#firsts.delete(key)
    this.#firsts.set(key, first)
    const [oldest = key] = this.#firsts.keys()
    if (this.#firsts.size > firstsMax) this.#firsts.delete(oldest)
    void this.#ask(key, first, part, producer)
  }
}

/** It may have been sent, and stored, before this time: so nobody may say that it is not in the log. */
export function behind(): ConnectionError {
  return new ConnectionError('a batch before it was not taken')
}

function outOfOrder(): OutOfOrderSequenceError {
  return new OutOfOrderSequenceError(
    "the producer's first batch has failed, and was not sent again",
  )
}

function keyOf({ topic, partition }: SendPart, { producerId }: ProducerIdentity): string {
  return `${producerId} ${partition} ${topic}`
}
