/** The batches that somebody waits for, each until its deadline: then it is given up. */
import { type Clock, type ClosedError, DeliveryTimeoutError, type Timer } from '@kaska/protocol'
import { type BatchGroup, OutgoingBatch } from './outgoing-batch.ts'
import type { PartitionSender } from './partition-sender.ts'

export interface UnsettledBatchesOptions {
  readonly clock: Clock
  readonly deliveryTimeoutMs: number
  /** A batch was given up: its messages were rejected, and it is forgotten. */
  gaveUp(batch: OutgoingBatch): void
  /** There is a first batch, or none any more. */
  changed(): void
}

export class UnsettledBatches {
  readonly #options: UnsettledBatchesOptions
  /** By their deadlines, but for the halves of a batch that was too large: they come last. */
  readonly #batches = new Set<OutgoingBatch>()
  #timer: Timer | undefined

  constructor(options: UnsettledBatchesOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#batches.size
  }

  /** Valid while batches come and go. */
  [Symbol.iterator](): Iterator<OutgoingBatch> {
    return this.#batches.values()
  }

  /** A new batch, which has `deliveryTimeoutMs` from now on. */
  create(sender: PartitionSender, group?: BatchGroup): OutgoingBatch {
    const { clock, deliveryTimeoutMs, changed } = this.#options
    const batch = new OutgoingBatch(sender, clock.monotonic() + deliveryTimeoutMs, group)
    this.#batches.add(batch)
    if (this.#batches.size === 1) changed()
    this.#timer ??= clock.after(deliveryTimeoutMs, () => this.#expire())
    return batch
  }

  /** Two stand for one batch, which is forgotten: there is no moment at which nobody waits. */
  replace(batch: OutgoingBatch, halves: readonly OutgoingBatch[]): void {
    for (const half of halves) this.#batches.add(half)
    this.forget(batch)
  }

  /** Nobody waits for the batch any more. */
  forget(batch: OutgoingBatch): void {
    if (this.#batches.delete(batch) && this.#batches.size === 0) this.#options.changed()
  }

  /** Gives up all of them. */
  close(error: ClosedError): void {
    for (const batch of [...this.#batches]) {
      batch.reject(error)
      this.forget(batch)
    }
    this.#timer?.cancel()
  }

  /** What a delivery that took too long rejects with; `cause`: what its last try failed with. */
  timeout(cause: unknown): DeliveryTimeoutError {
    const { deliveryTimeoutMs } = this.#options
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    return new DeliveryTimeoutError(
      `not acknowledged within deliveryTimeoutMs (${deliveryTimeoutMs} ms)${reason}`,
      { cause },
    )
  }

  #expire(): void {
    const { clock, gaveUp } = this.#options
    this.#timer = undefined
    const now = clock.monotonic()
    for (const batch of this.#batches) {
      if (batch.deadline > now) {
        this.#timer = clock.after(batch.deadline - now, () => this.#expire())
        break
      }
      batch.expire()
      const { call } = batch
      if (call?.batches.every(({ isExpired }) => isExpired)) call.controller.abort()
      batch.reject(this.timeout(batch.lastError))
      this.forget(batch)
      gaveUp(batch)
    }
  }
}
