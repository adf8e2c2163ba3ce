/**
 * The library that people program with: one client, one engine, and through it one persistent
 * connection (contract 7) for sending, receiving or both.
 *
 * Methods that return promises reject, they never throw; `position`, `seek` and `unsubscribe` are
 * local, return at once, and throw. Every wait takes an `AbortSignal` in its last argument, and
 * rejects with the signal's reason. A partition is 0 unless said.
 *
 * Requests that find no connection, or lose it, are made again until `requestTimeoutMs`; each is safe
 * to repeat: a topic is created under an id that the client chose, a commit that a later one of this
 * client has overtaken is not made again, and what is sent carries sequence numbers (producer/producer.ts).
 */
/// <reference lib="esnext.disposable" preserve="true" />
import {
  AlreadySubscribedError,
  ClosedError,
  createTopicId,
  type Engine,
  InvalidArgumentError,
  NotSubscribedError,
  type RequestContext,
  type TopicDescription,
  type TopicId,
  type TopicInfo,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { sleep } from './abort.ts'
import type {
  ClientSettings,
  CreateTopicOptions,
  PollOptions,
  WaitOptions,
} from './client-options.ts'
import { CommitQueue } from './commit-queue.ts'
import { EngineRequests } from './engine-requests.ts'
import {
  checkName,
  checkOffset,
  checkPartition,
  checkTimestamp,
  type Message,
  type MessageInput,
  OutgoingMessage,
  type SendResult,
} from './message.ts'
import { MessageStream } from './message-stream.ts'
import { NamedTopics } from './named-topics.ts'
import { Producer } from './producer/producer.ts'
import type { ClientHost } from './seams.ts'
import { type SubscribedTopic, Subscription } from './subscription.ts'

export interface ClientParts {
  readonly engine: Engine
  /** Does the engine end with the client? One of a broker in this process does not. */
  readonly ownsEngine: boolean
  readonly host: ClientHost
  readonly settings: ClientSettings
}

export class Client implements AsyncDisposable {
  readonly #engine: Engine
  readonly #ownsEngine: boolean
  readonly #host: ClientHost
  readonly #settings: ClientSettings
  readonly #context: RequestContext
  readonly #requests: EngineRequests
  readonly #topics: NamedTopics
  readonly #producer: Producer
  readonly #commits = new CommitQueue()
  #subscription: Subscription | undefined
  #isSubscribing = false
  #closePromise: Promise<void> | undefined

  /** Use `connect`. */
  constructor({ engine, ownsEngine, host, settings }: ClientParts) {
    this.#engine = engine
    this.#ownsEngine = ownsEngine
    this.#host = host
    this.#settings = settings
    this.#context = { principal: null, clientId: settings.clientId, address: 'in-process' }
    this.#requests = new EngineRequests({ ...settings, host, context: this.#context })
    this.#topics = new NamedTopics(engine, this.#requests)
    this.#producer = new Producer({
      ...settings,
      engine,
      clock: host.clock,
      random: host.random,
      keepAlive: host.keepAlive,
      context: this.#context,
      resolveTopic: (name, isStale) => this.#topics.resolveForSend(name, isStale),
    })
  }

  /** What the client speaks to, for programs that move batches rather than messages; ends with the client. */
  get engine(): Engine {
    return this.#engine
  }

  // Topics ------------------------------------------------------------------------------------------

  /** Rejects with TopicExistsError, InvalidTopicError, InvalidArgumentError. */
  async createTopic(name: string, options: CreateTopicOptions = {}): Promise<TopicInfo> {
    const { partitions = 1, config = {}, signal } = options
    if (!Number.isInteger(partitions) || partitions < 1) {
      throw new InvalidArgumentError(`a topic has 1 partition or more, not ${String(partitions)}`)
    }
    const request = {
      name: topicNameOf(name),
      partitions,
      config: new Map(Object.entries(config)),
      id: createTopicId(this.#host.random),
    }
    const info = await this.#requests.make(signal, (context) =>
      this.#engine.createTopic(request, context),
    )
    this.#topics.set(name, info)
    return info
  }

  /** Deletes a topic with all its messages. Rejects with UnknownTopicError. */
  async deleteTopic(name: string, options: WaitOptions = {}): Promise<void> {
    const topicName = topicNameOf(name)
    let tries = 0
    await this.#requests.make(options.signal, async (context) => {
      tries++
      try {
        await this.#engine.deleteTopic(topicName, context)
      } catch (error) {
        // An earlier try may have deleted it, whose answer was lost.
        if (!(error instanceof UnknownTopicError && tries > 1)) throw error
      }
    })
    this.#topics.delete(name)
  }

  /** All topics, in creation order. */
  async topics(options: WaitOptions = {}): Promise<TopicInfo[]> {
    const topics: TopicInfo[] = []
    for (let cursor: number | undefined = 0; cursor !== undefined; ) {
      const from: number = cursor
      const page = await this.#requests.make(options.signal, (context) =>
        this.#engine.listTopics(from, context),
      )
      for (const topic of page.topics) topics.push(topic)
      cursor = page.next
    }
    return topics
  }

  async topicCount(options: WaitOptions = {}): Promise<number> {
    return await this.#requests.make(options.signal, (context) => this.#engine.topicCount(context))
  }

  /** A topic with its settings. Rejects with UnknownTopicError. */
  async describeTopic(name: string, options: WaitOptions = {}): Promise<TopicDescription> {
    const topicName = topicNameOf(name)
    return await this.#requests.make(options.signal, (context) =>
      this.#engine.describeTopic(topicName, context),
    )
  }

  // Sending -----------------------------------------------------------------------------------------

  /**
   * Sends one message; resolves when it is as safe as the broker's `--sync` says, with its place.
   * Messages sent at once leave together, and those of a partition stay in order. The message's bytes
   * must not change until the promise settles. After an abort the message may still arrive, if it had
   * left already. Rejects with UnknownTopicError, UnknownPartitionError, MessageTooLargeError,
   * DeliveryTimeoutError, ...
   */
  send(topic: string, message: MessageInput, options?: WaitOptions): Promise<SendResult> {
    try {
      this.#requests.checkOpen()
      const outgoing = new OutgoingMessage(message, this.#host.clock.now())
      const signal = options?.signal
      signal?.throwIfAborted()
      return new Promise((resolve, reject) => {
        outgoing.resolve = resolve
        outgoing.reject = reject
        if (signal !== undefined) outgoing.settleOn(signal)
        this.#producer.send(topic, outgoing)
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Sends many messages in one request; resolves with one result per message, in order. The messages
   * of a partition go in together or not at all. Rejects with SendBatchError where some partitions
   * took their part and others did not, and with the error itself where all failed.
   */
  async sendBatch(
    topic: string,
    messages: readonly MessageInput[],
    options: WaitOptions = {},
  ): Promise<SendResult[]> {
    this.#requests.checkOpen()
    options.signal?.throwIfAborted()
    const now = this.#host.clock.now()
    const outgoing = messages.map((message) => new OutgoingMessage(message, now))
    if (outgoing.length === 0) return []
    return await new Promise((resolve, reject) => {
      this.#producer.sendBatch(topic, outgoing, resolve, reject, options.signal)
    })
  }

  // Offsets -----------------------------------------------------------------------------------------

  /**
   * The bytes of a message's value; 0 is a size too. Rejects with UnknownTopicError and
   * OffsetOutOfRangeError.
   */
  async messageSize(
    topic: string,
    offset: number,
    partition = 0,
    options: WaitOptions = {},
  ): Promise<number> {
    checkOffset(offset)
    return await this.#ofPartition(topic, partition, options, (id, context) =>
      this.#engine.messageSize(id, partition, offset, context),
    )
  }

  /** The next offset to be given: one behind the last message. */
  async endOffset(topic: string, partition = 0, options: WaitOptions = {}): Promise<number> {
    return await this.#ofPartition(topic, partition, options, async (id, context) => {
      const { endOffset } = await this.#engine.offsets(id, partition, context)
      return endOffset
    })
  }

  /** The offset of the first message that is still there. */
  async startOffset(topic: string, partition = 0, options: WaitOptions = {}): Promise<number> {
    return await this.#ofPartition(topic, partition, options, async (id, context) => {
      const { startOffset } = await this.#engine.offsets(id, partition, context)
      return startOffset
    })
  }

  /** The first offset at or after that time; undefined when no message is that late. */
  async offsetAt(
    topic: string,
    timestamp: number,
    partition = 0,
    options: WaitOptions = {},
  ): Promise<number | undefined> {
    checkTimestamp(timestamp)
    return await this.#ofPartition(topic, partition, options, (id, context) =>
      this.#engine.offsetAt(id, partition, timestamp, context),
    )
  }

  /**
   * Stores an offset under a name (contract 4): by custom that of the next message to read. Rejects
   * with UnknownTopicError, and with GroupActiveError while consumers of Kafka's protocol are running in
   * the group of that name.
   */
  async commit(
    name: string,
    topic: string,
    offset: number,
    partition = 0,
    options: WaitOptions = {},
  ): Promise<void> {
    checkName(name)
    checkOffset(offset)
    await this.#commits.add(`${partition} ${topic.length} ${topic} ${name}`, (isOvertaken) =>
      this.#ofPartition(topic, partition, options, async (id, context) => {
        if (isOvertaken()) return
        await this.#engine.commit(name, [{ topic: id, partition, offset }], context)
      }),
    )
  }

  /** The offset that was committed last under the name; undefined if none was. */
  async committed(
    name: string,
    topic: string,
    partition = 0,
    options: WaitOptions = {},
  ): Promise<number | undefined> {
    checkName(name)
    return await this.#ofPartition(topic, partition, options, (id, context) =>
      this.#engine.committed(name, id, partition, context),
    )
  }

  // Receiving ---------------------------------------------------------------------------------------

  /**
   * Subscribes to all partitions of the topics, at their ends: only later messages are seen (contract
   * 3). Resolves with how many topics that were; unknown and repeated names are ignored. With 0 the
   * client stays unsubscribed. Rejects with AlreadySubscribedError.
   */
  async subscribe(topics: readonly string[], options: WaitOptions = {}): Promise<number> {
    this.#requests.checkOpen()
    if (this.#subscription !== undefined || this.#isSubscribing) {
      throw new AlreadySubscribedError('the client is subscribed already: unsubscribe first')
    }
    if (!Array.isArray(topics)) throw new InvalidArgumentError('subscribe takes a list of names')
    const names = [...new Set(topics)].map(topicNameOf)
    this.#isSubscribing = true
    try {
      const { signal } = options
      const found = await this.#requests.make(signal, (context) =>
        this.#engine.resolve(names, context),
      )
      const infos = found.filter((info) => info !== undefined)
      const subscribed = await this.#topics.endsOf(infos, signal)
      if (subscribed.length > 0) this.#subscription = this.#createSubscription(subscribed)
      return subscribed.length
    } finally {
      this.#isSubscribing = false
    }
  }

  /** Ends the subscription, and the polls that wait in it. Throws NotSubscribedError. */
  unsubscribe(): void {
    this.#requests.checkOpen()
    const subscription = this.#subscribed()
    this.#subscription = undefined
    subscription.end(new NotSubscribedError('the client was unsubscribed'))
  }

  /** The offset of the next message to be handed out. Throws NotSubscribedError. */
  position(topic: string, partition = 0): number {
    this.#requests.checkOpen()
    return this.#subscribed().position(topic, partition)
  }

  /**
   * Goes on at another offset of the partition, earlier or later. Whether there is a message shows
   * at the next poll. Throws NotSubscribedError.
   */
  seek(topic: string, offset: number, partition = 0): void {
    this.#requests.checkOpen()
    checkOffset(offset)
    this.#subscribed().seek(topic, offset, partition)
  }

  /**
   * The next message of any subscribed topic, the partitions taking turns; undefined when none comes
   * within `timeoutMs`. Calls that wait at once are served in their order.
   *
   * Rejects with NotSubscribedError; with OffsetOutOfRangeError and LogTruncatedError, unless
   * `onOutOfRange` was given (the position stays: `seek`); with UnknownTopicError when a subscribed
   * topic was deleted, which then is subscribed to no longer, while the others are; and with
   * ConnectionError when the broker is out of reach at the end of the time, or for
   * `requestTimeoutMs`: the positions stay, and the next call goes on.
   */
  poll(options: PollOptions = {}): Promise<Message | undefined> {
    try {
      this.#requests.checkOpen()
      const { timeoutMs = Number.POSITIVE_INFINITY, signal } = options
      if (!(timeoutMs >= 0)) {
        throw new InvalidArgumentError(`timeoutMs is 0 or more, not ${String(timeoutMs)}`)
      }
      return this.#subscribed().poll(timeoutMs, signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The messages of all subscribed topics, for ever, read ahead within `readAheadBytes`. What makes
   * `poll` reject ends the iteration with that error; a new one goes on at the same positions, and so
   * does one after `break`.
   */
  messages(options: WaitOptions = {}): AsyncIterableIterator<Message> {
    return new MessageStream(() => {
      this.#requests.checkOpen()
      return this.#subscribed()
    }, options.signal)
  }

  // The end -----------------------------------------------------------------------------------------

  /**
   * Waits up to 5 s (`closeTimeoutMs`) for sends under way, and ends everything else at once with
   * ClosedError, as every later call. Always resolves. A broker in this process goes on.
   */
  close(): Promise<void> {
    this.#closePromise ??= this.#close()
    return this.#closePromise
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const error = new ClosedError('the client was closed')
    this.#subscription?.end(error)
    this.#subscription = undefined
    this.#requests.close(error)
    const { clock, keepAlive } = this.#host
    const timedOut = new AbortController()
    keepAlive.hold()
    const timeout = sleep(clock, this.#settings.closeTimeoutMs, timedOut.signal).catch(() => {})
    await Promise.race([this.#producer.drained(), timeout])
    timedOut.abort()
    keepAlive.release()
    this.#producer.close(error)
    this.#requests.end(error)
    if (this.#ownsEngine) await this.#engine.close().catch(() => {})
  }

  // Shared by these -----------------------------------------------------------------------------------------

  #subscribed(): Subscription {
    if (this.#subscription !== undefined) return this.#subscription
    throw new NotSubscribedError('the client is not subscribed to any topic')
  }

  #createSubscription(topics: readonly SubscribedTopic[]): Subscription {
    const { clock, codecs, keepAlive } = this.#host
    const subscription: Subscription = new Subscription(topics, {
      ...this.#settings,
      engine: this.#engine,
      clock,
      codecs,
      keepAlive,
      context: this.#context,
      emptied: () => {
        if (this.#subscription === subscription) this.#subscription = undefined
      },
    })
    return subscription
  }

  /** A request about a partition. A topic that was deleted and created again is found once more. */
  async #ofPartition<T>(
    topic: string,
    partition: number,
    { signal }: WaitOptions,
    run: (id: TopicId, context: RequestContext) => Promise<T>,
  ): Promise<T> {
    this.#requests.checkOpen()
    checkPartition(partition)
    return await this.#topics.request(topic, signal, run)
  }
}
