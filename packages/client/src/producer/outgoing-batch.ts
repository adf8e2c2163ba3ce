/**
 * Messages that go into one partition as one batch.
 *
 *   queued --sent--> under way --acknowledged or refused--> settled
 *    ^ messages        |    ^
 *    | come in   no    v    | sent again: the same bytes
 *                answer, failed
 */
import { type MessageBatch, RecordsBuilder, SendBatchError } from '@kaska/protocol'
import type { OutgoingMessage, SendResult } from '../message.ts'
import type { PartitionSender } from './partition-sender.ts'

export class OutgoingBatch {
  readonly sender: PartitionSender
  /** In the clock's monotonic time: given up then. */
  readonly deadline: number
  /** The `sendBatch` that it is a part of: such a batch is never split nor added to. */
  readonly group: BatchGroup | undefined
  messages: OutgoingMessage[] = []
  /** About how many bytes the messages take. */
  size = 0
  /** Does it take no more messages? */
  isSealed: boolean
  /** The sequence number of the first message; -1 before the batch was sent. */
  sequence = -1
  /** The one that it was last sent with. */
  sentSequence = -1
  isUnderWay = false
  /** In the log; it keeps its place in the row while one before it is not acknowledged. */
  isAcknowledged = false
  /** Was it given up? It is forgotten once no answer is awaited. */
  isExpired = false
  /** Was it sent without an answer? Then it may be in the log. */
  isFateUnknown = false
  lastError: unknown
  /** The call that it is under way with, where that can be called off. */
  call: { readonly batches: readonly OutgoingBatch[]; controller: AbortController } | undefined
  #encoded: MessageBatch | undefined

  constructor(sender: PartitionSender, deadline: number, group?: BatchGroup) {
    this.sender = sender
    this.deadline = deadline
    this.group = group
    this.isSealed = group !== undefined
  }

  get count(): number {
    return this.messages.length
  }

  add(message: OutgoingMessage): void {
    this.messages.push(message)
    this.size += message.size
  }

  /** Drops the messages that were given up before they were sent; false: nothing is left. */
  prune(): boolean {
    if (this.group !== undefined) return !this.group.isSettled
    if (this.messages.some(({ isSettled }) => isSettled)) {
      this.messages = this.messages.filter(({ isSettled }) => !isSettled)
    }
    return this.messages.length > 0
  }

  /** Gives it up: what is sent from now on must not join what nobody waits for. */
  expire(): void {
    this.isExpired = true
    this.isSealed = true
  }

  /** The records; made once. */
  encode(): MessageBatch {
    if (this.#encoded !== undefined) return this.#encoded
    const builder = new RecordsBuilder()
    for (const message of this.messages) builder.append(message)
    const recordsLength = builder.length
    this.#encoded = {
      attributes: 0,
      baseTimestamp: builder.baseTimestamp,
      maxTimestamp: builder.maxTimestamp,
      recordCount: builder.recordCount,
      lastOffsetDelta: builder.recordCount - 1,
      records: builder.finish(),
      recordsLength,
    }
    return this.#encoded
  }

  /** The batch in two; the sequence numbers stay those that the messages have. */
  split(): [OutgoingBatch, OutgoingBatch] {
    const middle = this.count >>> 1
    const halves = [this.messages.slice(0, middle), this.messages.slice(middle)].map((messages) => {
      const half = new OutgoingBatch(this.sender, this.deadline)
      for (const message of messages) half.add(message)
      half.isSealed = true
      half.isFateUnknown = this.isFateUnknown
      half.lastError = this.lastError
      return half
    })
    const [first, second] = halves as [OutgoingBatch, OutgoingBatch]
    first.sequence = this.sequence
    second.sequence = addToSequence(this.sequence, first.count)
    return [first, second]
  }

  /** The batch is in the log. */
  resolve(baseOffset: number, appendTimestamp: number | undefined): void {
    if (this.group !== undefined) {
      this.group.resolve(this, baseOffset, appendTimestamp)
      return
    }
    const { partition } = this.sender
    for (let index = 0; index < this.messages.length; index++) {
      const message = this.messages[index] as OutgoingMessage
      if (message.isSettled) continue
      message.isSettled = true
      const timestamp = appendTimestamp ?? message.timestamp
      message.resolve({ partition, offset: baseOffset + index, timestamp })
    }
  }

  reject(error: unknown): void {
    if (this.group !== undefined) {
      this.group.reject(this, error)
      return
    }
    for (const message of this.messages) {
      if (message.isSettled) continue
      message.isSettled = true
      message.reject(error)
    }
  }
}

/** The sequence number `count` messages later: they go to 2^31 - 1, then from 0 again. */
export function addToSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31
}

/** The batches of one `sendBatch`, one a partition. */
export class BatchGroup {
  readonly batches: OutgoingBatch[] = []
  /** Does nobody wait any more? */
  isSettled = false
  readonly #settled: (outcome: SendResult[] | Error) => void
  readonly #messages: readonly OutgoingMessage[]
  readonly #outcomes = new Map<OutgoingBatch, BatchOutcome>()

  /** `settled` is called once, when every batch has an outcome: with one result per message, or
   * with what kept all or some of them out of the log. */
  constructor(
    settled: (outcome: SendResult[] | Error) => void,
    messages: readonly OutgoingMessage[],
  ) {
    this.#settled = settled
    this.#messages = messages
  }

  /** The batch goes on as another one. */
  replace(batch: OutgoingBatch, by: OutgoingBatch): void {
    const index = this.batches.indexOf(batch)
    if (index !== -1) this.batches[index] = by
  }

  resolve(batch: OutgoingBatch, baseOffset: number, appendTimestamp: number | undefined): void {
    this.#settle(batch, { baseOffset, appendTimestamp })
  }

  reject(batch: OutgoingBatch, error: unknown): void {
    this.#settle(batch, { error: error as Error })
  }

  #settle(batch: OutgoingBatch, outcome: BatchOutcome): void {
    if (this.isSettled || this.#outcomes.has(batch)) return
    this.#outcomes.set(batch, outcome)
    if (this.#outcomes.size < this.batches.length) return
    this.isSettled = true
    this.#settled(this.#result())
  }

  #result(): SendResult[] | Error {
    const results = new Map<OutgoingMessage, SendBatchError['results'][number]>()
    const errors: Error[] = []
    for (const [batch, outcome] of this.#outcomes) {
      const { partition } = batch.sender
      if (outcome.error !== undefined) errors.push(outcome.error)
      batch.messages.forEach((message, index) => {
        if (outcome.error !== undefined) {
          results.set(message, { partition, error: outcome.error })
          return
        }
        const timestamp = outcome.appendTimestamp ?? message.timestamp
        results.set(message, { partition, offset: outcome.baseOffset + index, timestamp })
      })
    }
    const inOrder = this.#messages.map((message) => results.get(message))
    const [cause] = errors
    if (cause === undefined) return inOrder as SendResult[]
    if (errors.length === this.#outcomes.size) return cause
    return new SendBatchError(
      `${errors.length} of ${this.#outcomes.size} partitions refused their part: ${cause.message}`,
      inOrder as SendBatchError['results'],
      { cause },
    )
  }
}

type BatchOutcome =
  | {
      readonly error?: undefined
      readonly baseOffset: number
      readonly appendTimestamp: number | undefined
    }
  | { readonly error: Error }
