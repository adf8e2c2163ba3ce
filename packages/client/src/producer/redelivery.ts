/**
 * What becomes of a batch that was not acknowledged: it is sent again, with all that came behind it in
 * its partition, when no answer of the partition is awaited any more (partition-sender.ts has the
 * rules), or it is refused for good.
 */
import {
  type Clock,
  ConnectionError,
  InvalidArgumentError,
  InvalidMessageError,
  KaskaError,
  MessageTooLargeError,
  NotAuthorizedError,
  OutOfOrderSequenceError,
  ProducerFencedError,
  UnknownPartitionError,
  UnknownProducerError,
  UnknownTopicError,
  UnsupportedCompressionError,
  UnsupportedOperationError,
} from '@kaska/protocol'
import { retryPauseMs, retryPauseMsMin } from '../retry-pause.ts'
import type { OutgoingBatch } from './outgoing-batch.ts'
import type { PartitionSender } from './partition-sender.ts'
import type { ProducerId } from './producer-id.ts'
import type { TopicSenders } from './topic-senders.ts'
import type { UnsettledBatches } from './unsettled-batches.ts'

export interface RedeliveryOptions {
  readonly clock: Clock
  readonly batches: UnsettledBatches
  readonly producerId: ProducerId
  readonly topics: TopicSenders
  readonly isClosed: () => boolean
  /** The partition may have something to send. */
  wake(sender: PartitionSender): void
}

export class Redelivery {
  readonly #options: RedeliveryOptions

  constructor(options: RedeliveryOptions) {
    this.#options = options
  }

  /** The batch was answered with the error, or has lost its answer. */
  failed(batch: OutgoingBatch, error: Error): void {
    const { batches, topics } = this.#options
    const { sender } = batch
    batch.lastError = error
    if (error instanceof UnknownTopicError) {
      batch.isFateUnknown = false
      sender.phase = 'draining'
      topics.leave(sender.topic)
      return
    }
    if (error instanceof OutOfOrderSequenceError || error instanceof UnknownProducerError) {
      batch.isFateUnknown = false
      // Behind one that failed it is only out of its turn.
      const isFirst = sender.unacknowledged[0] === batch && batch.sentSequence === batch.sequence
      if (isFirst) this.#renew(sender)
      else retry(sender, 0)
      return
    }
    if (error instanceof ProducerFencedError && !batch.isFateUnknown) {
      this.#renew(sender)
      return
    }
    if (error instanceof ConnectionError || batch.call?.controller.signal.aborted) {
      batch.isFateUnknown = true
      retry(sender, retryPauseMsMin)
      return
    }
    if (error instanceof KaskaError && error.retriable) {
      retry(sender, retryPauseMs(sender.failureCount))
      return
    }
    if (error instanceof MessageTooLargeError && batch.count > 1 && batch.group === undefined) {
      batches.replace(batch, sender.split(batch))
      retry(sender, 0)
      return
    }
    if (isRefusal(error) && !batch.isFateUnknown) sender.removeRefused(batch)
    else sender.remove(batch)
    batch.reject(error)
    batches.forget(batch)
  }

  /** Nothing of the partition is under way: sends again what failed, after a pause. */
  recover(sender: PartitionSender): void {
    // Whatever the reason, a third failure in a row is no reason to hurry.
    const pauseMs =
      sender.failureCount < 3 ? sender.pauseMs : Math.max(sender.pauseMs, retryPauseMsMin)
    sender.pauseMs = 0
    sender.failureCount++
    if (pauseMs === 0) {
      this.#resend(sender)
      return
    }
    this.#options.clock.after(pauseMs, () => {
      if (sender.phase === 'draining' && !this.#options.isClosed()) this.#resend(sender)
    })
  }

  /** The batch was given up: it leaves its row, at once or when its turn comes. */
  gaveUp(batch: OutgoingBatch): void {
    if (!batch.isUnderWay && batch.sender.phase === 'resending') drop(batch)
    this.#options.wake(batch.sender)
  }

  /**
   * Goes on from number 0, in the next epoch of the producer (KIP-360): what may still be on its way in
   * this one, over a connection that was given up, is refused once the partition has seen the next.
   */
  #renew(sender: PartitionSender): void {
    this.#options.producerId.renew(sender.identity)
    sender.identity = undefined
    retry(sender, sender.failureCount === 0 ? 0 : retryPauseMsMin)
  }

  #resend(sender: PartitionSender): void {
    for (const batch of [...sender.unacknowledged]) {
      if (batch.isExpired && !batch.isAcknowledged) drop(batch)
    }
    sender.phase = sender.unacknowledged.length === 0 ? 'sending' : 'resending'
    this.#options.wake(sender)
  }
}

function retry(sender: PartitionSender, pauseMs: number): void {
  sender.phase = 'draining'
  sender.pauseMs = Math.max(sender.pauseMs, pauseMs)
}

/** Takes a batch that was given up out of its row. */
function drop(batch: OutgoingBatch): void {
  if (batch.isFateUnknown) batch.sender.remove(batch)
  else batch.sender.removeRefused(batch)
}

/** Errors that say for sure that the batch is not in the log. */
function isRefusal(error: Error): boolean {
  return (
    error instanceof MessageTooLargeError ||
    error instanceof InvalidMessageError ||
    error instanceof InvalidArgumentError ||
    error instanceof UnknownPartitionError ||
    error instanceof UnsupportedCompressionError ||
    error instanceof UnsupportedOperationError ||
    error instanceof NotAuthorizedError
  )
}
