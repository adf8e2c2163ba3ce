/**
 * A broker over the network as an `Engine`: one persistent connection (contract 7), made when it is
 * first needed and made again after it broke, with a pause that grows while it fails.
 *
 * What was under way when the connection broke rejects with ConnectionError, and what is asked later
 * waits for the next one. Nothing is sent twice here: who calls knows what may be repeated.
 *
 * On the wire topics and the producer are known by numbers of the connection. They are given anew
 * where they are first needed: a topic's name is resolved again, and if it has another id by then,
 * the old one is answered with UnknownTopicError. So an id can be used here only once it was seen: in
 * an answer of `resolve`, `createTopic` or `describeTopic`.
 */
import {
  type Capabilities,
  type Clock,
  ClosedError,
  type CommitEntry,
  ConnectionError,
  type CreateTopicRequest,
  type Engine,
  KaskaError,
  native,
  type OffsetBounds,
  OffsetOutOfRangeError,
  type PolledBatch,
  type PollFailure,
  type PollRequest,
  type PollResult,
  type ProducerIdentity,
  ProtocolError,
  type RequestContext,
  type SendPartResult,
  type SendRequest,
  type TopicDescription,
  type TopicId,
  type TopicInfo,
  type TopicName,
  type TopicPage,
  UnknownTopicError,
} from '@kaska/protocol'
import { abortable, sleep } from './abort.ts'
import { NativeConnection } from './native-connection.ts'
import type { Dialer } from './seams.ts'

export interface NativeEngineOptions {
  readonly dialer: Dialer
  readonly clock: Clock
  readonly clientId: string
  /** How long the making of one connection may take. */
  readonly connectTimeoutMs: number
  readonly receiveBytesMax: number
  /** After how long a silence of the broker it is asked for a sign of life. */
  readonly silenceMsMax: number
}

const retryPauseMsMin = 20
const retryPauseMsMax = 1000
/** Names of one `resolve` frame. */
const resolveBytesMax = 1 << 20
/** What `ConnectionError` advises, once. */
const advice = 'is the broker running? start it with: npx kaska'

const nothing = () => {}

export class NativeEngine implements Engine {
  readonly capabilities: Capabilities = { kind: 'native', retriesSurviveCrash: true }

  readonly #options: NativeEngineOptions
  readonly #names = new Map<TopicId, TopicName>()
  #connection: NativeConnection | undefined
  #connecting: Promise<NativeConnection> | undefined
  #closed: ClosedError | undefined
  readonly #closing = new AbortController()
  #failures = 0
  /** Sends that wait for the connection, a topic's number or the producer, in order. */
  #sendTurn: Promise<void> = Promise.resolve()
  #sendsWaiting = 0

  constructor(options: NativeEngineOptions) {
    this.#options = options
  }

  /** Makes the connection now. Rejects with ConnectionError. */
  async connect(): Promise<native.BrokerIdentity> {
    const connection = await this.#connected(undefined)
    return connection.identity as native.BrokerIdentity
  }

  async createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    const info = await this.#request(
      context,
      native.operation.createTopic,
      (writer) => native.writeCreateTopic(writer, request),
      native.readTopicInfo,
    )
    this.#names.set(info.id, request.name)
    return info
  }

  deleteTopic(name: TopicName, context: RequestContext): Promise<void> {
    return this.#request(
      context,
      native.operation.deleteTopic,
      (writer) => native.writeTopicName(writer, name),
      nothing,
    )
  }

  listTopics(cursor: number, context: RequestContext): Promise<TopicPage> {
    return this.#request(
      context,
      native.operation.listTopics,
      (writer) => writer.varint(cursor),
      native.readTopicPage,
    )
  }

  topicCount(context: RequestContext): Promise<number> {
    return this.#request(context, native.operation.topicCount, undefined, (reader) =>
      reader.varint(),
    )
  }

  async resolve(
    names: readonly TopicName[],
    context: RequestContext,
  ): Promise<readonly (TopicInfo | undefined)[]> {
    const connection = await this.#connected(context.signal)
    return this.#resolveOn(connection, names, context.signal)
  }

  async describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription> {
    const description = await this.#request(
      context,
      native.operation.describeTopic,
      (writer) => native.writeTopicName(writer, name),
      (reader) => ({ ...native.readTopicInfo(reader), config: native.readConfigEntries(reader) }),
    )
    this.#names.set(description.id, name)
    return description
  }

  initProducer(context: RequestContext): Promise<ProducerIdentity> {
    // In turn with the sends: the connection is the new producer's as soon as the broker has made it,
    // and what was sent for another one behind it would count as the new one's.
    return this.#inTurn(async () => {
      const connection = await this.#connected(context.signal)
      return { answer: await this.#registerProducer(connection, undefined, context.signal) }
    })
  }

  send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    const connection = this.#connection
    if (connection !== undefined && this.#sendsWaiting === 0 && isPrepared(connection, request)) {
      return this.#sendOn(connection, request, context)
    }
    return this.#sendInTurn(request, context)
  }

  async poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    const { signal } = context
    const connection = this.#connection ?? (await this.#connected(signal))
    await this.#prepareTopics(connection, request.parts, signal)
    const { goneTopics } = connection
    const gone = goneTopics.size === 0 ? [] : request.parts.filter((p) => goneTopics.has(p.topic))
    if (gone.length === 0) return this.#pollOn(connection, request, signal)
    // The others do not wait: there is something to tell.
    const failures = gone.map(
      ({ topic, partition }): PollFailure => ({ topic, partition, error: this.#gone(topic) }),
    )
    const parts = request.parts.filter((part) => !goneTopics.has(part.topic))
    if (parts.length === 0) return { batches: [], failures, release: nothing }
    const result = await this.#pollOn(connection, { ...request, parts, waitMs: 0 }, signal)
    return { ...result, failures: [...failures, ...result.failures] }
  }

  async messageSize(
    topic: TopicId,
    partition: number,
    offset: number,
    context: RequestContext,
  ): Promise<number> {
    if (!(offset >= 0)) {
      // No frame can say that.
      const bounds = await this.offsets(topic, partition, context)
      throw new OffsetOutOfRangeError(`there is no offset ${offset}`, bounds)
    }
    return await this.#partitionRequest(
      native.operation.messageSize,
      topic,
      partition,
      context,
      (writer) => writer.varint(offset),
      (reader) => reader.varint(),
    )
  }

  offsets(topic: TopicId, partition: number, context: RequestContext): Promise<OffsetBounds> {
    return this.#partitionRequest(
      native.operation.offsets,
      topic,
      partition,
      context,
      nothing,
      native.readOffsetBounds,
    )
  }

  offsetAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    return this.#partitionRequest(
      native.operation.offsetAt,
      topic,
      partition,
      context,
      (writer) => writer.zigzag(timestamp),
      native.readOptionalOffset,
    )
  }

  async commit(
    group: string,
    entries: readonly CommitEntry[],
    context: RequestContext,
  ): Promise<void> {
    const connection = await this.#connected(context.signal)
    await this.#prepareTopics(connection, entries, context.signal)
    for (const { topic } of entries) this.#refuseGone(connection, topic)
    const frames = entries.map((entry) => ({ ...entry, ref: refOf(connection, entry.topic) }))
    return connection.request(
      native.operation.commit,
      (writer) => {
        writer.string(group)
        native.writeCommitEntries(writer, frames)
      },
      nothing,
      context.signal,
    )
  }

  async committed(
    group: string,
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    const connection = await this.#connected(context.signal)
    await this.#prepareTopics(connection, [{ topic }], context.signal)
    this.#refuseGone(connection, topic)
    return connection.request(
      native.operation.committed,
      (writer) => {
        writer.string(group)
        native.writePartition(writer, { ref: refOf(connection, topic), partition })
      },
      native.readOptionalOffset,
      context.signal,
    )
  }

  close(): Promise<void> {
    this.#closed ??= new ClosedError('the client was closed')
    this.#closing.abort(this.#closed)
    this.#connection?.end(this.#closed)
    return Promise.resolve()
  }

  async #request<T>(
    context: RequestContext,
    operation: number,
    write: Parameters<NativeConnection['request']>[1],
    read: (...answer: Parameters<Parameters<NativeConnection['request']>[2]>) => T,
  ): Promise<T> {
    const connection = await this.#connected(context.signal)
    return connection.request(operation, write, read, context.signal)
  }

  async #partitionRequest<T>(
    operation: number,
    topic: TopicId,
    partition: number,
    context: RequestContext,
    write: NonNullable<Parameters<NativeConnection['request']>[1]>,
    read: (...answer: Parameters<Parameters<NativeConnection['request']>[2]>) => T,
  ): Promise<T> {
    const connection = await this.#connected(context.signal)
    await this.#prepareTopics(connection, [{ topic }], context.signal)
    this.#refuseGone(connection, topic)
    const ref = refOf(connection, topic)
    return connection.request(
      operation,
      (writer) => {
        native.writePartition(writer, { ref, partition })
        write(writer)
      },
      read,
      context.signal,
    )
  }

  // Connecting ------------------------------------------------------------------------------------

  #connected(signal: AbortSignal | undefined): Promise<NativeConnection> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    if (this.#connection !== undefined) return Promise.resolve(this.#connection)
    if (this.#connecting === undefined) {
      this.#connecting = this.#connect().finally(() => {
        this.#connecting = undefined
      })
    }
    return abortable(this.#connecting, signal)
  }

  async #connect(): Promise<NativeConnection> {
    const { clock, connectTimeoutMs, dialer } = this.#options
    const closing = this.#closing.signal
    if (this.#failures > 0) {
      const pauseMs = Math.min(retryPauseMsMin * 2 ** (this.#failures - 1), retryPauseMsMax)
      await sleep(clock, pauseMs, closing)
    }
    const attempt = new AbortController()
    const abort = () => attempt.abort(closing.reason)
    closing.addEventListener('abort', abort, { once: true })
    const timer = clock.after(connectTimeoutMs, () =>
      attempt.abort(new ConnectionError(`no answer for ${connectTimeoutMs} ms`)),
    )
    const connection = new NativeConnection({
      ...this.#options,
      address: dialer.address,
      ended: () => {
        if (this.#connection === connection) this.#connection = undefined
      },
    })
    try {
      const transport = await abortable(dialer.dial(connection, attempt.signal), attempt.signal)
      await abortable(connection.open(transport, this.#options.clientId), attempt.signal)
      this.#failures = 0
      this.#connection = connection
      return connection
    } catch (cause) {
      this.#failures++
      connection.end(new ConnectionError('the connection was given up'))
      throw this.#connectFailure(cause)
    } finally {
      timer.cancel()
      closing.removeEventListener('abort', abort)
    }
  }

  #connectFailure(cause: unknown): Error {
    if (cause instanceof ClosedError) return cause
    // The broker answered: it does not speak our version, or it is not Kaska.
    if (cause instanceof KaskaError && !(cause instanceof ConnectionError)) return cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new ConnectionError(
      `cannot connect to ${this.#options.dialer.address}: ${reason} (${advice})`,
      { cause },
    )
  }

  // Topics ----------------------------------------------------------------------------------------

  /** Makes sure that the broker's numbers for these topics are known, or that they are gone. */
  async #prepareTopics(
    connection: NativeConnection,
    parts: readonly { readonly topic: TopicId }[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let names: TopicName[] | undefined
    for (const { topic } of parts) {
      if (connection.refs.has(topic) || connection.goneTopics.has(topic)) continue
      const name = this.#names.get(topic)
      if (name === undefined) {
        connection.goneTopics.add(topic)
        continue
      }
      names ??= []
      names.push(name)
    }
    if (names === undefined) return
    await this.#resolveOn(connection, names, signal)
    for (const { topic } of parts) {
      if (!connection.refs.has(topic)) connection.goneTopics.add(topic)
    }
  }

  async #resolveOn(
    connection: NativeConnection,
    names: readonly TopicName[],
    signal: AbortSignal | undefined,
  ): Promise<(TopicInfo | undefined)[]> {
    const answers = await Promise.all(
      slicesOf(names).map((slice) =>
        connection.request(
          native.operation.resolve,
          (writer) => native.writeResolveRequest(writer, slice),
          (reader) => {
            const resolved = native.readResolveResponse(reader, slice.length)
            // Known before anything else of this connection's answers is read.
            return resolved.map((topic, index) => {
              if (topic === undefined) return undefined
              const name = slice[index] as TopicName
              connection.refs.set(topic.id, topic.ref)
              connection.goneTopics.delete(topic.id)
              connection.topics.set(topic.ref, topic.id)
              this.#names.set(topic.id, name)
              return { name: name.text, id: topic.id, partitions: topic.partitions }
            })
          },
          signal,
        ),
      ),
    )
    return answers.flat()
  }

  #refuseGone(connection: NativeConnection, topic: TopicId): void {
    if (connection.goneTopics.has(topic)) throw this.#gone(topic)
  }

  #gone(topic: TopicId): UnknownTopicError {
    const name = this.#names.get(topic)
    return new UnknownTopicError(
      name === undefined
        ? `no topic with the id ${topic} was seen on this connection`
        : `the topic '${name.text}' was deleted`,
    )
  }

  #pollOn(
    connection: NativeConnection,
    request: PollRequest,
    signal: AbortSignal | undefined,
  ): Promise<PollResult> {
    const parts = request.parts.map((part) => ({ ...part, ref: refOf(connection, part.topic) }))
    const { waitMs, bytesMax } = request
    return connection.request(
      native.operation.poll,
      (writer) => native.writePollRequest(writer, { parts, waitMs, bytesMax }),
      (reader) => readPollResult(reader, connection),
      signal,
    )
  }

  // Sends -----------------------------------------------------------------------------------------

  /** The way of a send that has to wait for something: those that come later wait behind it. */
  #sendInTurn(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    return this.#inTurn(async () => {
      const connection = await this.#connected(context.signal)
      await this.#prepareTopics(connection, request.parts, context.signal)
      if (request.producer !== undefined && !isSame(connection.producer, request.producer)) {
        await this.#registerProducer(connection, request.producer, context.signal)
      }
      return { answer: this.#sendOn(connection, request, context) }
    })
  }

  /** Runs `start` when it is its turn; the next one's turn comes before the answer. */
  async #inTurn<T>(start: () => Promise<{ readonly answer: T | Promise<T> }>): Promise<T> {
    const turn = this.#sendTurn
    const { promise, resolve: pass } = Promise.withResolvers<void>()
    this.#sendTurn = promise
    this.#sendsWaiting++
    let started: { readonly answer: T | Promise<T> }
    try {
      await turn
      started = await start()
    } finally {
      this.#sendsWaiting--
      pass()
    }
    return started.answer
  }

  async #registerProducer(
    connection: NativeConnection,
    producer: ProducerIdentity | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ProducerIdentity> {
    // Should nobody hear of the answer, nothing is known of the connection's producer.
    connection.producer = undefined
    const given = await connection.request(
      native.operation.initProducer,
      (writer) => native.writeProducer(writer, producer),
      (reader) => {
        const answer = native.readProducer(reader)
        if (answer === undefined) throw new ProtocolError('the broker gives no producer id')
        connection.producer = answer
        return answer
      },
      signal,
    )
    return given
  }

  #sendOn(
    connection: NativeConnection,
    request: SendRequest,
    context: RequestContext,
  ): Promise<readonly SendPartResult[]> {
    if (connection.goneTopics.size > 0) {
      const kept = request.parts.filter(({ topic }) => !connection.goneTopics.has(topic))
      if (kept.length < request.parts.length) {
        return this.#sendWithoutGone(connection, request, kept, context)
      }
    }
    const parts = request.parts.map(
      (part): native.SendPartFrame => ({
        ref: refOf(connection, part.topic),
        partition: part.partition,
        baseSequence: part.baseSequence,
        batch: part.batch,
      }),
    )
    return connection.request(
      native.operation.send,
      (writer) => native.writeSendRequest(writer, parts),
      (reader, status) =>
        native.readSendResponse(reader, parts.length, status, native.readErrorDetails),
      context.signal,
    )
  }

  async #sendWithoutGone(
    connection: NativeConnection,
    request: SendRequest,
    kept: SendRequest['parts'],
    context: RequestContext,
  ): Promise<readonly SendPartResult[]> {
    const answers =
      kept.length === 0 ? [] : await this.#sendOn(connection, { ...request, parts: kept }, context)
    return request.parts.map((part) => {
      const index = kept.indexOf(part)
      return index === -1 ? { error: this.#gone(part.topic) } : (answers[index] as SendPartResult)
    })
  }
}

/** Can the send leave at once? */
function isPrepared(connection: NativeConnection, request: SendRequest): boolean {
  if (request.producer !== undefined && !isSame(connection.producer, request.producer)) return false
  for (const { topic } of request.parts) {
    if (!connection.refs.has(topic) && !connection.goneTopics.has(topic)) return false
  }
  return true
}

function isSame(one: ProducerIdentity | undefined, other: ProducerIdentity): boolean {
  return (
    one !== undefined &&
    one.producerId === other.producerId &&
    one.producerEpoch === other.producerEpoch
  )
}

function refOf(connection: NativeConnection, topic: TopicId): number {
  return connection.refs.get(topic) as number
}

/** Names in groups of which each fits into a frame well. */
function slicesOf(names: readonly TopicName[]): TopicName[][] {
  const slices: TopicName[][] = []
  let slice: TopicName[] = []
  let bytes = 0
  for (const name of names) {
    if (slice.length === 0 || bytes > resolveBytesMax) {
      slice = []
      slices.push(slice)
      bytes = 0
    }
    slice.push(name)
    for (const view of name.bytes) bytes += view.length
  }
  return slices
}

function readPollResult(
  reader: Parameters<typeof native.readPollResponse>[0],
  connection: NativeConnection,
): PollResult {
  const answer = native.readPollResponse(reader)
  const batches: PolledBatch[] = []
  for (const batch of answer.batches) {
    const { partition, baseOffset, leaderEpoch, attributes, baseTimestamp, maxTimestamp } = batch
    const { recordCount, lastOffsetDelta, records, recordsLength } = batch
    batches.push({
      topic: topicOf(connection, batch.ref),
      partition,
      baseOffset,
      leaderEpoch,
      attributes,
      baseTimestamp,
      maxTimestamp,
      recordCount,
      lastOffsetDelta,
      records,
      recordsLength,
    })
  }
  const failures = answer.failures.map(
    ({ ref, partition, error }): PollFailure => ({
      topic: topicOf(connection, ref),
      partition,
      error,
    }),
  )
  return { batches, failures, release: nothing }
}

function topicOf(connection: NativeConnection, ref: number): TopicId {
  const topic = connection.topics.get(ref)
  if (topic === undefined) throw new ProtocolError(`the broker speaks of topic number ${ref}`)
  return topic
}
