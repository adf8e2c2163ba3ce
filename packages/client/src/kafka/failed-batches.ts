/**
 * What producers have not been told of yet, or not heard: batches of theirs that failed. What comes behind
 * one, of the same producer, is refused here, since it was sent by somebody who did not know.
 *
 *   the batch that failed     what is behind it                        until
 *   a producer's first        ConnectionError for a second, then       the first is sent again, or its
 *                             OutOfOrderSequenceError                  successor in another epoch
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
/** Failed first batches that are remembered, of all producers and partitions: the newest ones. */
const firstsMax = 10_000

interface SentBatch {
  readonly part: SendPart
  readonly producer: ProducerIdentity | undefined
}

interface Failed {
  readonly producerEpoch: number
  readonly baseSequence: number
  isTold: boolean
}

export interface FailedBatchesOptions {
  readonly clock: Clock
  readonly closing: AbortSignal
}

export class FailedBatches {
  readonly #clock: Clock
  readonly #closing: AbortSignal
  /** By partition and producer, the last batch that failed; the oldest first. */
  readonly #failed = new Map<string, Failed>()

  constructor({ clock, closing }: FailedBatchesOptions) {
    this.#clock = clock
    this.#closing = closing
  }

  /** The batch has failed; its producer is told of it a moment after `answered` resolves. */
  add(sent: SentBatch, answered: Promise<void>): void {
    const key = keyOf(sent)
    if (key === undefined || sent.producer === undefined) return
    const { producerEpoch } = sent.producer
    const failed = { producerEpoch, baseSequence: sent.part.baseSequence, isTold: false }
    this.#failed.delete(key)
    this.#failed.set(key, failed)
    if (this.#failed.size > firstsMax) this.#forgetOldest()
    const told = () => {
      failed.isTold = true
      const isKept = isFirst(sent)
      if (!isKept && this.#failed.get(key) === failed) this.#failed.delete(key)
    }
    void answered.then(() => sleep(this.#clock, toldMsMax, this.#closing)).then(told, told)
  }

  /** Why the batch is not to be sent now. One that is sent in its turn takes the place of what failed. */
  refusalOf(sent: SentBatch): Error | undefined {
    const key = keyOf(sent)
    const before = key === undefined ? undefined : this.#failed.get(key)
    if (key === undefined || before === undefined) return undefined
    if (isBehind(sent, before)) return before.isTold ? outOfOrder() : behind()
    this.#failed.delete(key)
    return undefined
  }

  #forgetOldest(): void {
    for (const [key, { isTold }] of this.#failed) {
      if (!isTold) continue
      this.#failed.delete(key)
      return
    }
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

function isBehind({ part, producer }: SentBatch, before: Failed): boolean {
  const epoch = producer?.producerEpoch ?? 0
  if (epoch !== before.producerEpoch) return epoch < before.producerEpoch
  return part.baseSequence > before.baseSequence
}

function keyOf({ part, producer }: SentBatch): string | undefined {
  return producer && `${producer.producerId} ${part.partition} ${part.topic}`
}
