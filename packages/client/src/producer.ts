/**
 * Sends messages: gathers them into batches, keeps their order, and sends again what got no answer.
 *
 * - Messages that are sent in one turn of the event loop, to any topics, leave in one request right
 *   after it. While a partition's answer is awaited, its messages gather in a batch, which leaves
 *   with the answer, or earlier when it is full.
 * - At most `sendBufferBytes` are under way at once; the rest waits as it was given, unencoded.
 * - What got no answer is sent again under the same sequence numbers until `deliveryTimeoutMs`
 *   (partition-sender.ts has the rules).
 */
import {
  type Clock,
  type ClosedError,
  ConnectionError,
  DeliveryTimeoutError,
  type Engine,
  InvalidArgumentError,
  InvalidMessageError,
  KaskaError,
  MessageTooLargeError,
  NotAuthorizedError,
  OutOfOrderSequenceError,
  ProducerFencedError,
  type ProducerIdentity,
  type Random,
  type RequestContext,
  type SendPartResult,
  type Timer,
  type TopicInfo,
  UnknownPartitionError,
  UnknownProducerError,
  UnknownTopicError,
  UnsupportedCompressionError,
  UnsupportedOperationError,
} from '@kaska/protocol'
import { sleep } from './abort.ts'
import type { OutgoingMessage, SendResult } from './message.ts'
import { BatchGroup, OutgoingBatch } from './outgoing-batch.ts'
import type { PartitionSender } from './partition-sender.ts'
import type { KeepAlive } from './seams.ts'
import { TopicSender } from './topic-sender.ts'

export interface ProducerOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly random: Random
  readonly keepAlive: KeepAlive
  readonly context: RequestContext
  readonly deliveryTimeoutMs: number
  readonly batchBytes: number
  readonly sendBufferBytes: number
  /**
   * What stands behind a name; `isStale`: what was known of it is wrong. Rejects with
   * UnknownTopicError, and with ConnectionError after `deliveryTimeoutMs`.
   */
  readonly resolveTopic: (name: string, isStale: boolean) => Promise<TopicInfo>
}

/** A send that waits until its topic is known. */
interface WaitingSend {
  start(topic: TopicSender): void
  reject(error: unknown): void
}

/** How many bytes of batches go into one request; one batch goes whatever its size. */
const requestBytesMax = 1 << 20
const pauseMsMin = 20
const pauseMsMax = 1000

export class Producer {
  readonly #options: ProducerOptions
  readonly #topics = new Map<string, TopicSender>()
  /** By name: sends that wait for their topic, in order. */
  readonly #waiting = new Map<string, WaitingSend[]>()
  /** Partitions that may have something to send. */
  readonly #ready = new Set<PartitionSender>()
  /** All batches whose messages are waited for, those that are given up first first. */
  readonly #batches = new Set<OutgoingBatch>()
  #deadlineTimer: Timer | undefined
  #identity: ProducerIdentity | undefined
  #isIntroducing = false
  /** How many looks at topics are under way, for partitions that were not known. */
  #looking = 0
  #isScheduled = false
  #underWayBytes = 0
  #isHolding = false
  #closed: ClosedError | undefined
  #idle: (() => void) | undefined
  readonly #flushNow = () => this.#flush()

  constructor(options: ProducerOptions) {
    this.#options = options
  }

  /** Sends one message; the promise that waits for it is in the message. */
  send(topicName: string, message: OutgoingMessage): void {
    const topic = this.#topics.get(topicName)
    if (topic !== undefined && !topic.isGone) {
      this.#add(topic, message)
      return
    }
    this.#awaitTopic(topicName, {
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
      for (const { sender } of group.batches) this.#wake(sender)
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
      else this.#look(topic, { start: (found) => start(found, true), reject: fail })
    }
    this.#awaitTopic(topicName, { start: (topic) => start(topic, false), reject: fail })
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
    for (const waiting of [...this.#waiting.values()].flat()) waiting.reject(error)
    this.#waiting.clear()
    for (const batch of [...this.#batches]) {
      batch.reject(error)
      this.forget(batch)
    }
    this.#deadlineTimer?.cancel()
    this.#changed()
  }

  /** Nobody waits for the batch any more. */
  forget(batch: OutgoingBatch): void {
    if (this.#batches.delete(batch) && this.#batches.size === 0) this.#changed()
  }

  // Taking messages in ------------------------------------------------------------------------------

  #add(topic: TopicSender, message: OutgoingMessage): void {
    const { batchBytes } = this.#options
    const sender = topic.senderOf(message)
    if (sender === undefined) {
      this.#look(topic, {
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
      batch = this.#createBatch(sender)
      sender.queue.push(batch)
    }
    batch.add(message)
    if (batch.size >= batchBytes) batch.isSealed = true
    this.#wake(sender)
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
      const batch = this.#createBatch(sender, group)
      for (const message of own) batch.add(message)
      group.batches.push(batch)
      const last = sender.queue.last()
      if (last !== undefined) last.isSealed = true
      sender.queue.push(batch)
      this.#wake(sender)
    }
  }

  #createBatch(sender: PartitionSender, group?: BatchGroup): OutgoingBatch {
    const { clock, deliveryTimeoutMs } = this.#options
    const batch = new OutgoingBatch(sender, clock.monotonic() + deliveryTimeoutMs, group)
    this.#batches.add(batch)
    if (this.#batches.size === 1) this.#changed()
    this.#deadlineTimer ??= clock.after(deliveryTimeoutMs, () => this.#expire())
    return batch
  }

  #wake(sender: PartitionSender): void {
    this.#ready.add(sender)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(this.#flushNow)
  }

  // Topics ------------------------------------------------------------------------------------------

  #awaitTopic(name: string, send: WaitingSend): void {
    const waiting = this.#waiting.get(name)
    if (waiting !== undefined) {
      waiting.push(send)
      return
    }
    const topic = this.#topics.get(name)
    if (topic !== undefined && !topic.isGone) {
      send.start(topic)
      return
    }
    this.#waiting.set(name, [send])
    this.#changed()
    // A topic that is gone is resolved again when its senders are done.
    if (topic === undefined) void this.#resolve(name, undefined)
  }

  /** Finds out what stands behind the name, and starts what waits for it. */
  async #resolve(name: string, gone: TopicSender | undefined): Promise<void> {
    const { random, resolveTopic } = this.#options
    let topic: TopicSender | undefined
    let failure: unknown
    try {
      const info = await resolveTopic(name, gone !== undefined)
      if (info.id === gone?.id) throw deletedTopic(name)
      topic = new TopicSender(this, info, random.bytes(1)[0] ?? 0)
    } catch (error) {
      failure = error instanceof ConnectionError ? this.#timeout(error) : error
    }
    if (this.#closed !== undefined) return
    this.#topics.delete(name)
    if (topic !== undefined) this.#topics.set(name, topic)
    if (gone !== undefined) this.#move(gone, topic, failure)
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.delete(name)
    for (const send of waiting) {
      if (topic === undefined) send.reject(failure)
      else send.start(topic)
    }
    this.#changed()
  }

  /** A partition is not known: looks whether the topic has grown, or is another one by now. */
  #look(topic: TopicSender, send: WaitingSend): void {
    this.#looking++
    this.#changed()
    void this.#options
      .resolveTopic(topic.name, true)
      .then(
        (info) => {
          if (this.#closed !== undefined) send.reject(this.#closed)
          else if (info.id !== topic.id) this.#replace(topic, send)
          else {
            topic.grow(info.partitions)
            send.start(topic)
          }
        },
        (error) => send.reject(error instanceof ConnectionError ? this.#timeout(error) : error),
      )
      .finally(() => {
        this.#looking--
        this.#changed()
      })
  }

  /** Another topic has the name: `send` goes there, behind what is on its way to the old one. */
  #replace(topic: TopicSender, send: WaitingSend): void {
    if (this.#topics.get(topic.name) === topic) {
      const isKnown = topic.isGone
      this.#leave(topic)
      if (!isKnown) this.#follow(topic)
    }
    this.#awaitTopic(topic.name, send)
  }

  /** The broker does not know the topic any more. */
  #leave(topic: TopicSender): void {
    if (topic.isGone) return
    topic.isGone = true
    if (!this.#waiting.has(topic.name)) this.#waiting.set(topic.name, [])
  }

  /** Goes on with what has the name now, when no answer is awaited. */
  #follow(topic: TopicSender): void {
    if (topic.partitions.some(({ underWayCount }) => underWayCount > 0)) return
    void this.#resolve(topic.name, topic)
  }

  /** Sends what was meant for a topic that is gone to the one that has its name now. */
  #move(gone: TopicSender, topic: TopicSender | undefined, failure: unknown): void {
    for (const sender of gone.partitions) {
      this.#ready.delete(sender)
      for (const batch of sender.takeAll()) {
        this.forget(batch)
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
    const moved = this.#createBatch(sender, batch.group)
    for (const message of batch.messages) moved.add(message)
    batch.group.replace(batch, moved)
    sender.queue.push(moved)
    this.#wake(sender)
  }

  // Sending -----------------------------------------------------------------------------------------

  #flush(): void {
    this.#isScheduled = false
    if (this.#closed !== undefined) return
    for (;;) {
      const batches = this.#collect()
      if (batches.length === 0) return
      this.#dispatch(batches)
    }
  }

  /** The batches of the next request: at most one a partition, all under one identity. */
  #collect(): OutgoingBatch[] {
    const batches: OutgoingBatch[] = []
    let identity: ProducerIdentity | undefined
    let bytes = 0
    for (const sender of this.#ready) {
      const batch = sender.next()
      if (batch === undefined || sender.topic.isGone) {
        this.#ready.delete(sender)
        continue
      }
      const isCrowded = this.#underWayBytes > 0 || bytes > 0
      if (isCrowded && this.#underWayBytes + bytes + batch.size > this.#options.sendBufferBytes) {
        break
      }
      const found = this.#identityOf(sender)
      if (found === undefined) break
      if (identity !== undefined && identity !== found) continue
      if (batches.length > 0 && bytes + batch.size > requestBytesMax) break
      if (batch.group !== undefined && sender.phase === 'sending') {
        if (!this.#isGroupReady(batch.group, found)) {
          this.#ready.delete(sender)
          continue
        }
        if (batches.length > 0) break
        return [...batch.group.batches]
      }
      identity = found
      bytes += batch.size
      batches.push(batch)
    }
    return batches
  }

  /** Can all of its batches leave together? Each partition that becomes free looks again. */
  #isGroupReady(group: BatchGroup, identity: ProducerIdentity): boolean {
    return group.batches.every(
      (batch) => batch.sender.next() === batch && this.#identityOf(batch.sender) === identity,
    )
  }

  #identityOf(sender: PartitionSender): ProducerIdentity | undefined {
    if (sender.identity !== undefined && sender.unacknowledged.length > 0) return sender.identity
    if (this.#identity === undefined) void this.#introduce()
    return this.#identity
  }

  #dispatch(batches: readonly OutgoingBatch[]): void {
    const { context, engine } = this.#options
    const [first] = batches
    const producer = first === undefined ? undefined : this.#identityOf(first.sender)
    if (producer === undefined) return
    let bytes = 0
    const parts = batches.map((batch) => {
      const { sender } = batch
      const isFirstTime = batch.sequence === -1
      sender.start(batch, producer)
      if (isFirstTime && batch.group === undefined) sender.topic.turn(sender.partition)
      bytes += batch.size
      return {
        topic: sender.topic.id,
        partition: sender.partition,
        baseSequence: batch.sequence,
        batch: batch.encode(),
      }
    })
    this.#underWayBytes += bytes
    // While the connection is in doubt, what is given up is not to leave later on.
    const isInDoubt = batches.some(({ sender }) => sender.failureCount > 0)
    const call = isInDoubt ? { batches, controller: new AbortController() } : undefined
    for (const batch of batches) batch.call = call
    const callContext =
      call === undefined ? context : { ...context, signal: call.controller.signal }
    engine.send({ producer, parts }, callContext).then(
      (results) => {
        this.#underWayBytes -= bytes
        for (let index = 0; index < batches.length; index++) {
          const result = results[index] ?? { error: new InvalidMessageError('no answer') }
          this.#answered(batches[index] as OutgoingBatch, result)
        }
        this.#wakeAll(batches)
      },
      (error: unknown) => {
        this.#underWayBytes -= bytes
        for (const batch of batches) this.#answered(batch, { error: error as Error })
        this.#wakeAll(batches)
      },
    )
  }

  #wakeAll(batches: readonly OutgoingBatch[]): void {
    for (const { sender } of batches) if (sender.phase !== 'draining') this.#ready.add(sender)
    // Those that found no room look again too; who waited for an answer may send more before that.
    if (this.#ready.size > 0) this.#schedule()
  }

  #answered(batch: OutgoingBatch, result: SendPartResult): void {
    const { sender } = batch
    sender.answered(batch)
    if (result.error === undefined) {
      sender.failureCount = 0
      sender.acknowledge(batch)
      batch.resolve(result.baseOffset, result.appendTimestamp)
      this.forget(batch)
    } else if (this.#closed === undefined) {
      batch.lastError = result.error
      this.#failed(batch, result.error)
    }
    if (sender.topic.isGone) this.#follow(sender.topic)
    else if (sender.phase === 'draining' && sender.underWayCount === 0) this.#recover(sender)
  }

  #failed(batch: OutgoingBatch, error: Error): void {
    const { sender } = batch
    if (error instanceof UnknownTopicError) {
      batch.isFateUnknown = false
      sender.phase = 'draining'
      this.#leave(sender.topic)
      return
    }
    if (error instanceof OutOfOrderSequenceError || error instanceof UnknownProducerError) {
      batch.isFateUnknown = false
      // Behind one that failed it is only out of its turn.
      const isFirst = sender.unacknowledged[0] === batch && batch.sentSequence === batch.sequence
      if (isFirst) this.#renew(sender)
      else this.#retry(sender, 0)
      return
    }
    if (error instanceof ProducerFencedError && !batch.isFateUnknown) {
      this.#renew(sender)
      return
    }
    if (error instanceof ConnectionError || batch.call?.controller.signal.aborted) {
      batch.isFateUnknown = true
      this.#retry(sender, pauseMsMin)
      return
    }
    if (error instanceof KaskaError && error.retriable) {
      this.#retry(sender, Math.min(pauseMsMin * 2 ** sender.failureCount, pauseMsMax))
      return
    }
    if (error instanceof MessageTooLargeError && batch.count > 1 && batch.group === undefined) {
      this.forget(batch)
      for (const half of sender.split(batch)) this.#batches.add(half)
      this.#retry(sender, 0)
      return
    }
    if (isRefusal(error) && !batch.isFateUnknown) sender.removeRefused(batch)
    else sender.remove(batch)
    batch.reject(error)
    this.forget(batch)
  }

  // Trying again ------------------------------------------------------------------------------------

  #retry(sender: PartitionSender, pauseMs: number): void {
    sender.phase = 'draining'
    sender.pauseMs = Math.max(sender.pauseMs, pauseMs)
  }

  /**
   * Goes on from number 0, in the next epoch of the producer (KIP-360): what may still be on its way in
   * this one, over a connection that was given up, is refused once the partition has seen the next.
   */
  #renew(sender: PartitionSender): void {
    if (sender.identity === this.#identity) this.#identity = nextEpoch(sender.identity)
    sender.identity = undefined
    this.#retry(sender, sender.failureCount === 0 ? 0 : pauseMsMin)
  }

  /** Nothing of the partition is under way: sends again what failed, after a pause. */
  #recover(sender: PartitionSender): void {
    // Whatever the reason, a third failure in a row is no reason to hurry.
    const pauseMs = sender.failureCount < 3 ? sender.pauseMs : Math.max(sender.pauseMs, pauseMsMin)
    sender.pauseMs = 0
    sender.failureCount++
    if (pauseMs === 0) {
      this.#resend(sender)
      return
    }
    this.#options.clock.after(pauseMs, () => {
      if (sender.phase === 'draining' && this.#closed === undefined) this.#resend(sender)
    })
  }

  #resend(sender: PartitionSender): void {
    for (const batch of [...sender.unacknowledged]) {
      if (batch.isExpired && !batch.isAcknowledged) this.#drop(batch)
    }
    sender.phase = sender.unacknowledged.length === 0 ? 'sending' : 'resending'
    this.#wake(sender)
  }

  /** Takes a batch that was given up out of its row. */
  #drop(batch: OutgoingBatch): void {
    if (batch.isFateUnknown) batch.sender.remove(batch)
    else batch.sender.removeRefused(batch)
  }

  /** Asks for a producer id, until there is one or nobody waits any more. */
  async #introduce(): Promise<void> {
    if (this.#isIntroducing) return
    this.#isIntroducing = true
    const { clock, context, engine } = this.#options
    let failureCount = 0
    while (this.#identity === undefined && this.#batches.size > 0) {
      try {
        this.#identity = await engine.initProducer(context)
      } catch (error) {
        if (!(error instanceof KaskaError && error.retriable)) {
          this.#giveUp(error)
          break
        }
        for (const batch of this.#batches) batch.lastError = error
        const pauseMs = Math.min(pauseMsMin * 2 ** failureCount++, pauseMsMax)
        await sleep(clock, pauseMs, undefined)
      }
    }
    this.#isIntroducing = false
    // Without an id nothing can be sent: whoever comes next asks for one again.
    if (this.#identity !== undefined) this.#flush()
  }

  /** There is no producer id to be had: what was never sent fails. */
  #giveUp(error: unknown): void {
    for (const batch of [...this.#batches]) {
      if (batch.sender.identity !== undefined && batch.sequence !== -1) continue
      batch.reject(error)
      batch.isExpired = true
      // What is sent from now on must not join what nobody waits for.
      batch.isSealed = true
      this.forget(batch)
      batch.sender.remove(batch)
      this.#wake(batch.sender)
    }
  }

  #expire(): void {
    const { clock } = this.#options
    this.#deadlineTimer = undefined
    const now = clock.monotonic()
    for (const batch of this.#batches) {
      if (batch.deadline > now) {
        this.#deadlineTimer = clock.after(batch.deadline - now, () => this.#expire())
        break
      }
      batch.isExpired = true
      // What is sent from now on must not join what nobody waits for.
      batch.isSealed = true
      const { call } = batch
      if (call?.batches.every(({ isExpired }) => isExpired)) call.controller.abort()
      batch.reject(this.#timeout(batch.lastError))
      this.forget(batch)
      if (!batch.isUnderWay && batch.sender.phase === 'resending') this.#drop(batch)
      // It leaves the queue when its turn comes.
      this.#wake(batch.sender)
    }
  }

  #timeout(cause: unknown): DeliveryTimeoutError {
    const { deliveryTimeoutMs } = this.#options
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    return new DeliveryTimeoutError(
      `not acknowledged within deliveryTimeoutMs (${deliveryTimeoutMs} ms)${reason}`,
      { cause },
    )
  }

  // Idle or not -------------------------------------------------------------------------------------

  get #isIdle(): boolean {
    return this.#batches.size === 0 && this.#waiting.size === 0 && this.#looking === 0
  }

  /** While something is on its way, the process is kept running. */
  #changed(): void {
    const { keepAlive } = this.#options
    const isIdle = this.#isIdle
    if (isIdle === !this.#isHolding) return
    this.#isHolding = !isIdle
    if (this.#isHolding) {
      keepAlive.hold()
      return
    }
    keepAlive.release()
    this.#idle?.()
  }
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

/** An epoch is an int16; undefined after the last: a new id has to be asked for. */
function nextEpoch(identity: ProducerIdentity | undefined): ProducerIdentity | undefined {
  if (identity === undefined || identity.producerEpoch >= 0x7fff) return undefined
  return { producerId: identity.producerId, producerEpoch: identity.producerEpoch + 1 }
}

function rejectMessage(message: OutgoingMessage, error: unknown): void {
  if (message.isSettled) return
  message.isSettled = true
  message.reject(error)
}

function deletedTopic(name: string): UnknownTopicError {
  return new UnknownTopicError(`the topic '${name}' was deleted`)
}
