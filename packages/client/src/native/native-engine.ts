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
  ClosedError,
  type CommitEntry,
  type CreateTopicRequest,
  type Engine,
  native,
  type OffsetBounds,
  OffsetOutOfRangeError,
  type PolledBatch,
  type PollFailure,
  type PollRequest,
  type PollResult,
  type ProducerIdentity,
  type RequestContext,
  type SendPartResult,
  type SendRequest,
  type TopicDescription,
  type TopicId,
  type TopicInfo,
  type TopicName,
  type TopicPage,
} from '@kaska/protocol'
import type { NativeConnection } from './native-connection.ts'
import { NativeLink, type NativeLinkOptions } from './native-link.ts'
import { NativeSends } from './native-sends.ts'
import { NativeTopics, refOf, topicOf } from './native-topics.ts'

export type NativeEngineOptions = NativeLinkOptions

const nothing = () => {}

export class NativeEngine implements Engine {
  readonly #link: NativeLink
  readonly #topics = new NativeTopics()
  readonly #sends: NativeSends

  constructor(options: NativeEngineOptions) {
    this.#link = new NativeLink(options)
    this.#sends = new NativeSends(this.#link, this.#topics)
  }

  /** As the broker told when it was last connected to; before that, what brokers promise by themselves. */
  get capabilities(): Capabilities {
    return this.#link.identity?.capabilities ?? { kind: 'native', retriesSurviveCrash: true }
  }

  /** Makes the connection now. Rejects with ConnectionError. */
  async connect(): Promise<native.BrokerIdentity> {
    const connection = await this.#link.connected(undefined)
    return connection.identity as native.BrokerIdentity
  }

  async createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    const info = await this.#request(
      context,
      native.operation.createTopic,
      (writer) => native.writeCreateTopic(writer, request),
      native.readTopicInfo,
    )
    this.#topics.note(info.id, request.name)
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
    const connection = await this.#link.connected(context.signal)
    return this.#topics.resolve(connection, names, context.signal)
  }

  async describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription> {
    const description = await this.#request(
      context,
      native.operation.describeTopic,
      (writer) => native.writeTopicName(writer, name),
      (reader) => ({ ...native.readTopicInfo(reader), config: native.readConfigEntries(reader) }),
    )
    this.#topics.note(description.id, name)
    return description
  }

  initProducer(context: RequestContext): Promise<ProducerIdentity> {
    return this.#sends.initProducer(context)
  }

  send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    return this.#sends.send(request, context)
  }

  async poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    const { signal } = context
    const connection = this.#link.connection ?? (await this.#link.connected(signal))
    await this.#topics.prepare(connection, request.parts, signal)
    const { goneTopics } = connection
    const gone = goneTopics.size === 0 ? [] : request.parts.filter((p) => goneTopics.has(p.topic))
    if (gone.length === 0) return this.#pollOn(connection, request, signal)
    // The others do not wait: there is something to tell.
    const failures = gone.map(
      ({ topic, partition }): PollFailure => ({
        topic,
        partition,
        error: this.#topics.gone(topic),
      }),
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
    const connection = await this.#link.connected(context.signal)
    await this.#topics.prepare(connection, entries, context.signal)
    for (const { topic } of entries) this.#topics.refuseGone(connection, topic)
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
    const connection = await this.#link.connected(context.signal)
    await this.#topics.prepare(connection, [{ topic }], context.signal)
    this.#topics.refuseGone(connection, topic)
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
    this.#link.close(new ClosedError('the client was closed'))
    return Promise.resolve()
  }

  async #request<T>(
    context: RequestContext,
    operation: number,
    write: Parameters<NativeConnection['request']>[1],
    read: (...answer: Parameters<Parameters<NativeConnection['request']>[2]>) => T,
  ): Promise<T> {
    const connection = await this.#link.connected(context.signal)
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
    const connection = await this.#link.connected(context.signal)
    await this.#topics.prepare(connection, [{ topic }], context.signal)
    this.#topics.refuseGone(connection, topic)
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
