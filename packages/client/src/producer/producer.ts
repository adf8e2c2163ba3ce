/**
 * Sends messages: gathers them into batches, keeps their order, and sends again what got no answer.
 *
 * - Messages that are sent in one turn of the event loop, to any topics, leave in one request right
 *   after it. While a partition's answer is awaited, its messages gather in a batch, which leaves
 *   with the answer, or earlier when it is full.
 * - At most `sendBufferBytes` are under way at once; the rest waits as it was given, unencoded.
 * - What got no answer is sent again under the same sequence numbers until `deliveryTimeoutMs`
 *   (partition-sender.ts has the rules).
 *
 *   send() -> TopicSenders -> batch in its PartitionSender's queue -> BatchRequests -> Engine
 *                                                  ^                                     |
 *                                                  '--- Redelivery <-- failed, unanswered'
 */
import type {
  Clock,
  ClosedError,
  Engine,
  Random,
  RequestContext,
  SendPartResult,
} from '@kaska/protocol'
import type { OutgoingMessage, SendResult } from '../message.ts'
import type { KeepAlive } from '../seams.ts'
import { BatchRequests } from './batch-requests.ts'
import { BatchGroup, type OutgoingBatch } from './outgoing-batch.ts'
import type { PartitionSender } from './partition-sender.ts'
import { ProducerId } from './producer-id.ts'
import { Redelivery } from './redelivery.ts'
import type { TopicSender } from './topic-sender.ts'
import { deletedTopic, type ResolveTopic, TopicSenders } from './topic-senders.ts'
import { UnsettledBatches } from './unsettled-batches.ts'

export interface ProducerOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly random: Random
  readonly keepAlive: KeepAlive
  readonly context: RequestContext
  readonly deliveryTimeoutMs: number
  readonly batchBytes: number
  readonly sendBufferBytes: number
  /** Rejects with UnknownTopicError, and with ConnectionError after `deliveryTimeoutMs`. */
  readonly resolveTopic: ResolveTopic
}

export class Producer {
  readonly #batchBytes: number
  readonly #keepAlive: KeepAlive
  readonly #batches: UnsettledBatches
  readonly #topics: TopicSenders
  readonly #requests: BatchRequests
  readonly #redelivery: Redelivery
  #isHolding = false
  #closed: ClosedError | undefined
  #idle: (() => void) | undefined

  constructor(options: ProducerOptions) {
    const { batchBytes, clock, deliveryTimeoutMs, keepAlive, random, resolveTopic } = options
    this.#batchBytes = batchBytes
    this.#keepAlive = keepAlive
    const changed = () => this.#changed()
    const isClosed = () => this.#closed !== undefined
    const batches = new UnsettledBatches({
      clock,
      deliveryTimeoutMs,
      gaveUp: (batch) => this.#redelivery.gaveUp(batch),
      changed,
    })
    const topics = new TopicSenders({
      random,
      batches,
      resolveTopic,
      moved: (gone, topic, failure) => this.#move(gone, topic, failure),
      changed,
    })
    const producerId = new ProducerId({
      ...options,
      batches,
      given: () => this.#requests.flush(),
      refused: (error) => this.#refuseUnsent(error),
    })
    this.#batches = batches
    this.#topics = topics
    this.#requests = new BatchRequests({
      ...options,
      producerId,
      isClosed,
      answered: (batch, result) => this.#answered(batch, result),
    })
    this.#redelivery = new Redelivery({
      clock,
      batches,
      producerId,
      topics,
      isClosed,
      wake: (sender) => this.#requests.wake(sender),
    })
  }

  /** Sends one message; the promise that waits for it is in the message. */
  send(topicName: string, message: OutgoingMessage): void {
    const topic = this.#topics.get(topicName)
    if (topic !== undefined) {
      this.#add(topic, message)
      return
    }
    this.#topics.await(topicName, {
      start: (found) => {
        if (!message.isSettled) this.#add(found, message)
      },
      reject: (error) => rejectMessage(message, error),
    })
  }

  /** Sends the messages in one request, those of a partition as one batch. */
  sendBatch(
    topicName: string,
    messages: readonly OutgoingMessage[],
    resolve: (results: SendResult[]) => void,
    reject: (error: unknown) => void,
    signal: AbortSignal | undefined,
  ): void {
    const abort = () => {
      group.isSettled = true
      reject(signal?.reason)
      for (const { sender } of group.batches) this.#requests.wake(sender)
    }
    const fail = (error: unknown) => {
      signal?.removeEventListener('abort', abort)
      reject(error)
    }
    const group = new BatchGroup((outcome) => {
      signal?.removeEventListener('abort', abort)
      if (outcome instanceof Error) reject(outcome)
      else resolve(outcome)
    }, messages)
    signal?.addEventListener('abort', abort, { once: true })
    const start = (topic: TopicSender, isFresh: boolean) => {
      if (group.isSettled) return
      // A partition that is not there: no part of it is sent.
      const lost = messages.find((message) => topic.senderOf(message) === undefined)
      if (lost === undefined) this.#addGroup(topic, messages, group)
      else if (isFresh) fail(topic.noPartition(lost))
      else this.#topics.look(topic, { start: (found) => start(found, true), reject: fail })
    }
    this.#topics.await(topicName, { start: (topic) => start(topic, false), reject: fail })
  }

  /** Resolves when nothing is on its way any more. */
  drained(): Promise<void> {
    if (this.#isIdle) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle = resolve
    })
  }

  /** Gives up all that is on its way. */
  close(error: ClosedError): void {
    this.#closed = error
    this.#topics.close(error)
    this.#batches.close(error)
    this.#changed()
  }

  // Taking messages in ------------------------------------------------------------------------------

  #add(topic: TopicSender, message: OutgoingMessage): void {
    const batchBytes = this.#batchBytes
    const sender = topic.senderOf(message)
    if (sender === undefined) {
      this.#topics.look(topic, {
        start: (found) => {
          if (message.isSettled) return
          if (found.senderOf(message) === undefined)
            rejectMessage(message, found.noPartition(message))
          else this.#add(found, message)
        },
        reject: (error) => rejectMessage(message, error),
      })
      return
    }
    let batch = sender.queue.last()
    if (batch !== undefined && !batch.isSealed && batch.size + message.size > batchBytes) {
      batch.isSealed = true
    }
    if (batch === undefined || batch.isSealed) {
      batch = this.#batches.create(sender)
      sender.queue.push(batch)
    }
    batch.add(message)
    if (batch.size >= batchBytes) batch.isSealed = true
    this.#requests.wake(sender)
  }

  #addGroup(topic: TopicSender, messages: readonly OutgoingMessage[], group: BatchGroup): void {
    const bySender = new Map<PartitionSender, OutgoingMessage[]>()
    for (const message of messages) {
      const sender = topic.senderOf(message) as PartitionSender
      const own = bySender.get(sender)
      if (own === undefined) bySender.set(sender, [message])
      else own.push(message)
    }
    for (const [sender, own] of bySender) {
      const batch = this.#batches.create(sender, group)
      for (const message of own) batch.add(message)
      group.batches.push(batch)
      const last = sender.queue.last()
      if (last !== undefined) last.isSealed = true
      sender.queue.push(batch)
      this.#requests.wake(sender)
    }
  }

  // Topics and answers ------------------------------------------------------------------------------

  /** Sends what was meant for a topic that is gone to the one that has its name now. */
  #move(gone: TopicSender, topic: TopicSender | undefined, failure: unknown): void {
    for (const sender of gone.partitions) {
      this.#requests.forget(sender)
      for (const batch of sender.takeAll()) {
        this.#batches.forget(batch)
        if (topic === undefined) batch.reject(failure)
        else this.#moveBatch(batch, topic)
      }
    }
  }

  #moveBatch(batch: OutgoingBatch, topic: TopicSender): void {
    if (batch.isExpired) return
    if (batch.group === undefined) {
      for (const message of batch.messages) if (!message.isSettled) this.#add(topic, message)
      return
    }
    const sender = topic.partitions[batch.sender.partition]
    if (sender === undefined) {
      batch.reject(deletedTopic(topic.name))
      return
    }
    const moved = this.#batches.create(sender, batch.group)
    for (const message of batch.messages) moved.add(message)
    batch.group.replace(batch, moved)
    sender.queue.push(moved)
    this.#requests.wake(sender)
  }

  #answered(batch: OutgoingBatch, result: SendPartResult): void {
    const { sender } = batch
    sender.answered(batch)
    if (result.error === undefined) {
      sender.failureCount = 0
      sender.acknowledge(batch)
      batch.resolve(result.baseOffset, result.appendTimestamp)
      this.#batches.forget(batch)
    } else if (this.#closed === undefined) {
      this.#redelivery.failed(batch, result.error)
    }
    if (sender.topic.isGone) this.#topics.follow(sender.topic)
    else if (sender.phase === 'draining' && sender.underWayCount === 0) {
      this.#redelivery.recover(sender)
    }
  }

  /** There is no producer id to be had: what was never sent fails. */
  #refuseUnsent(error: unknown): void {
    for (const batch of [...this.#batches]) {
      if (batch.sender.identity !== undefined && batch.sequence !== -1) continue
      batch.reject(error)
      batch.expire()
      this.#batches.forget(batch)
      batch.sender.remove(batch)
      this.#requests.wake(batch.sender)
    }
  }

  // Idle or not -------------------------------------------------------------------------------------

  get #isIdle(): boolean {
    return this.#batches.count === 0 && this.#topics.isIdle
  }

  /** While something is on its way, the process is kept running. */
  #changed(): void {
    const isIdle = this.#isIdle
    if (isIdle === !this.#isHolding) return
    this.#isHolding = !isIdle
    if (this.#isHolding) {
      this.#keepAlive.hold()
      return
    }
    this.#keepAlive.release()
    this.#idle?.()
  }
}

function rejectMessage(message: OutgoingMessage, error: unknown): void {
  if (message.isSettled) return
  message.isSettled = true
  message.reject(error)
}
