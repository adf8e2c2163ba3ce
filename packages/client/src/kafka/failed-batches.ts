/**
 * Batches that failed, and whose producers have not been told yet, or have not heard: what comes behind one, of the
 * same producer, is refused here, since whoever sent it did not know.
 *
 *   the batch that failed     what is behind it                        until
 *   a producer's first        ConnectionError for a second, then       the first is sent again, or the
 *                             OutOfOrderSequenceError                  producer goes on in another epoch
 *   another                   ConnectionError                          a second has passed
 *
 * Kafka refuses what is out of order of a producer that it knows; but it takes any number from one that it
 * does not know: what is behind would be taken before what is sent again, and its numbers for those of others.
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

interface SentBatch {
  readonly part: SendPart
  readonly producer: ProducerIdentity | undefined
}

interface Failed {
  readonly producerEpoch: number
  readonly baseSequence: number
}

export interface FailedBatchesOptions {
  readonly clock: Clock
  readonly closing: AbortSignal
}

export class FailedBatches {
  readonly #clock: Clock
  readonly #closing: AbortSignal
  /** By partition and producer, the last one that failed: for a second. */
  readonly #newest = new Map<string, Failed>()
  /** Those of them that were a producer's first, behind that second; the oldest first. */
  readonly #firsts = new Map<string, Failed>()

  constructor({ clock, closing }: FailedBatchesOptions) {
    this.#clock = clock
    this.#closing = closing
  }

  /** The batch has failed; its producer is told of it a moment after `answered` resolves. */
  add(sent: SentBatch, answered: Promise<void>): void {
    const { part, producer } = sent
    if (producer === undefined) return
    const key = keyOf(part, producer)
    const failed = { producerEpoch: producer.producerEpoch, baseSequence: part.baseSequence }
    this.#newest.set(key, failed)
    const told = () => {
      if (this.#newest.get(key) !== failed) return
      this.#newest.delete(key)
      if (isFirst(sent)) this.#remember(key, failed)
    }
    void answered.then(() => sleep(this.#clock, toldMsMax, this.#closing)).then(told, told)
  }

  /** Why the batch is not to be sent now. One that comes in its turn takes the place of what failed. */
  refusalOf({ part, producer }: SentBatch): Error | undefined {
    if (producer === undefined) return undefined
    const key = keyOf(part, producer)
    const isBehind = (failed: Failed) =>
      producer.producerEpoch === failed.producerEpoch
        ? part.baseSequence > failed.baseSequence
        : producer.producerEpoch < failed.producerEpoch
    const newest = this.#newest.get(key)
    if (newest !== undefined && isBehind(newest)) return behind()
    const first = this.#firsts.get(key)
    if (first !== undefined && isBehind(first)) return outOfOrder()
    this.#newest.delete(key)
    this.#firsts.delete(key)
    return undefined
  }

  #remember(key: string, first: Failed): void {
    this.#firsts.delete(key)
    this.#firsts.set(key, first)
    if (this.#firsts.size <= firstsMax) return
    const [oldest = key] = this.#firsts.keys()
    this.#firsts.delete(oldest)
  }
}

/** A producer counts its messages from 0. */
export function isFirst({ part, producer }: SentBatch): boolean {
  return producer !== undefined && part.baseSequence === 0
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
