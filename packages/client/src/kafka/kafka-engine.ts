/**
 * An Apache Kafka cluster as an `Engine`. What a cluster cannot give exactly is in docs/kafka-cluster.md:
 * it is refused with an error, or said there.
 *
 * Requests go to whoever leads, coordinates or controls. Where that has moved, the metadata is read
 * again and the request goes there, for some seconds; then it rejects with ConnectionError, which may
 * be tried again. What was under way when a connection broke rejects with ConnectionError at once:
 * nothing that may have taken effect is sent twice here.
 */
import {
  type Capabilities,
  type Clock,
  type Codecs,
  type CommitEntry,
  ConnectionError,
  type Crc32c,
  type CreateTopicRequest,
  compressionMask,
  type Engine,
  InvalidArgumentError,
  InvalidMessageError,
  kafka,
  type MessageBatch,
  type OffsetBounds,
  OffsetOutOfRangeError,
  type PolledBatch,
  type PollRequest,
  type PollResult,
  type ProducerIdentity,
  RecordCursor,
  type RequestContext,
  type SendPartResult,
  type SendRequest,
  type TopicDescription,
  type TopicId,
  type TopicInfo,
  type TopicName,
  type TopicPage,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import { abortable } from '../abort.ts'
import { Cluster, type KnownTopic } from './cluster.ts'
import { FetchLanes } from './fetch-lanes.ts'
import { GroupOffsets } from './group-offsets.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import { errorOfCode, isMoved, Moved } from './kafka-errors.ts'
import type { BrokerAddress, KafkaDialer } from './kafka-link.ts'
import { KafkaPoller } from './kafka-poller.ts'
import { KafkaSender } from './kafka-sender.ts'
import { KafkaTopics } from './kafka-topics.ts'
import { settled } from './settled.ts'

export interface KafkaEngineOptions {
  readonly dialer: KafkaDialer
  readonly bootstrap: readonly BrokerAddress[]
  readonly clock: Clock
  readonly crc32c: Crc32c
  /** For `messageSize` of messages in compressed batches. */
  readonly codecs: Codecs
  readonly connectTimeoutMs: number
  /** What a compressed batch may expand to, where its messages are measured. */
  readonly expandedBytesMax: number
  /**
   * Does a poll's `release` free the buffers of its batches, if nobody else reads them? Not where messages are
   * given to a program, whose views they then are. False unless said.
   */
  readonly freesPolled?: boolean
}

/** What a look at one partition asks its leader for. */
const earliest = -2
const latest = -1
/** Offsets of committed transactions only, as polls see them. */
const readCommitted = 1
/** How old what is known of topics may be where nobody else would notice. */
const topicAgeMsMax = 1_000
/** How long a broker may take to look an offset up. */
const lookUpMsMax = 10_000

export class KafkaEngine implements Engine {
  readonly capabilities: Capabilities = { kind: 'kafka', retriesSurviveCrash: true }

  /** What people who look after the cluster ask of it. */
  readonly admin: KafkaAdmin

  readonly #options: KafkaEngineOptions
  readonly #cluster: Cluster
  readonly #lanes: FetchLanes
  readonly #topics: KafkaTopics
  readonly #sender: KafkaSender
  readonly #poller: KafkaPoller
  readonly #groups: GroupOffsets

  constructor(options: KafkaEngineOptions) {
    const { clock, crc32c, freesPolled = false } = options
    this.#options = options
    this.#cluster = new Cluster(options)
    this.#lanes = new FetchLanes(this.#cluster, clock)
    this.#topics = new KafkaTopics(this.#cluster)
    this.#sender = new KafkaSender({
      cluster: this.#cluster,
      clock,
      crc32c,
      isDamaged: (batch) => this.#isDamaged(batch),
    })
    this.#groups = new GroupOffsets(this.#cluster)
    this.admin = new KafkaAdmin({
      cluster: this.#cluster,
      clock,
      run: (context, work) => this.#do(context, work),
    })
    this.#poller = new KafkaPoller({
      cluster: this.#cluster,
      lanes: this.#lanes,
      clock,
      freesPolled,
      offsets: (topic, partition, context) => this.offsets(topic, partition, context),
    })
  }

  /** As the cluster calls itself; '' before `connect`. */
  get clusterId(): string {
    return this.#cluster.clusterId
  }

  /** The brokers that were there when the cluster was last asked. */
  get brokers(): readonly BrokerAddress[] {
    return [...this.#cluster.brokers.values()]
  }

  /** Connects now. Rejects with ConnectionError, NotAuthorizedError. */
  async connect(): Promise<void> {
    await this.#cluster.control()
  }

  createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    return this.#do(context, () => this.#topics.create(request))
  }

  deleteTopic(name: TopicName, context: RequestContext): Promise<void> {
    return this.#do(context, () => this.#topics.delete(name.text))
  }

  listTopics(cursor: number, context: RequestContext): Promise<TopicPage> {
    return this.#do(context, () => this.#topics.page(cursor))
  }

  topicCount(context: RequestContext): Promise<number> {
    return this.#do(context, () => this.#topics.count())
  }

  resolve(
    names: readonly TopicName[],
    context: RequestContext,
  ): Promise<readonly (TopicInfo | undefined)[]> {
    return this.#do(context, () => this.#topics.resolve(names.map(({ text }) => text)))
  }

  describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription> {
    return this.#do(context, () => this.#topics.describe(name.text))
  }

  initProducer(context: RequestContext): Promise<ProducerIdentity> {
    return this.#do(context, () => this.#settled(() => this.#introduce()))
  }

  send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    const { closed } = this.#cluster
    if (closed !== undefined) return Promise.reject(closed)
    return abortable(
      abortable(this.#sender.send(request, context), this.#cluster.closing.signal),
      context.signal,
    )
  }

  poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    return this.#poller.poll(request, context)
  }

  messageSize(
    topic: TopicId,
    partition: number,
    offset: number,
    context: RequestContext,
  ): Promise<number> {
    return this.#do(context, async () => {
      const bounds = await this.offsets(topic, partition, context)
      const isThere = offset >= bounds.startOffset && offset < bounds.endOffset
      if (!isThere) throw outOfRange(offset, bounds)
      const parts = [{ topic, partition, offset }]
      // One batch, whatever its size.
      const { batches, failures } = await this.#poller.poll(
        { parts, waitMs: 0, bytesMax: 1 },
        context,
      )
      if (failures[0] !== undefined) throw failures[0].error
      const size = batches[0] === undefined ? undefined : this.#sizeIn(batches[0], offset)
      if (size === undefined) throw outOfRange(offset, bounds)
      return size
    })
  }

  offsets(topic: TopicId, partition: number, context: RequestContext): Promise<OffsetBounds> {
    return this.#do(context, async () => {
      const [startOffset, endOffset] = await Promise.all([
        this.#listOffset(topic, partition, earliest),
        this.#listOffset(topic, partition, latest),
      ])
      return { startOffset, endOffset }
    })
  }

  offsetAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    return this.#do(context, async () => {
      // Kafka's negative times have other meanings.
      const offset = await this.#listOffset(topic, partition, Math.max(0, Math.ceil(timestamp)))
      return offset < 0 ? undefined : offset
    })
  }

  commit(group: string, entries: readonly CommitEntry[], context: RequestContext): Promise<void> {
    return this.#do(context, async () => {
      if (group === '') throw new InvalidArgumentError('a name to commit under has a character')
      await this.#settled(async () => {
        const topics = await Promise.all(entries.map((entry) => this.#topicOf(entry)))
        const known = entries.map(({ partition, offset }, index) => {
          return { topic: topics[index] as KnownTopic, partition, offset }
        })
        await this.#groups.commit(group, known)
      })
    })
  }

  committed(
    group: string,
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    return this.#do(context, async () => {
      const known = await this.#topicOf({ topic, partition })
      return await this.#settled(() => this.#groups.committed(group, known, partition))
    })
  }

  close(): Promise<void> {
    this.#cluster.close()
    this.#lanes.close()
    return Promise.resolve()
  }

  /** Everything ends with the engine, or with the caller's signal. */
  #do<T>(context: RequestContext, work: () => Promise<T>): Promise<T> {
    const { closed, closing } = this.#cluster
    if (closed !== undefined) return Promise.reject(closed)
    if (context.signal?.aborted) return Promise.reject(context.signal.reason)
    return abortable(abortable(work(), closing.signal), context.signal)
  }

  async #introduce(): Promise<ProducerIdentity> {
    const connection = await this.#cluster.admin()
    const { errorCode, producerId, producerEpoch } = await connection.request(
      kafka.initProducerIdRequest,
      kafka.initProducerIdResponse,
      { transactionalId: null, transactionTimeoutMs: 60_000 },
    )
    if (errorCode === 0) return { producerId, producerEpoch }
    const error = errorOfCode(errorCode, 'no producer id was given')
    throw isMoved(errorCode) ? new Moved(error) : error
  }

  async #topicOf({
    topic,
    partition,
  }: {
    readonly topic: TopicId
    readonly partition: number
  }): Promise<KnownTopic> {
    const known = await this.#cluster.topic(topic, topicAgeMsMax)
    if (known === undefined) {
      throw new UnknownTopicError(`no topic of the cluster has the id ${topic}`)
    }
    if (known.leaders[partition] === undefined) {
      throw new UnknownPartitionError(`'${known.name}' has no partition ${partition}`)
    }
    return known
  }

  #settled<T>(attempt: () => Promise<T>): Promise<T> {
    return settled(attempt, this.#options.clock, this.#cluster.closing.signal)
  }

  #listOffset(topic: TopicId, partition: number, timestamp: number): Promise<number> {
    return this.#settled(async () => {
      const known = await this.#topicOf({ topic, partition })
      const leader = known.leaders[partition]?.leader ?? -1
      const what = `partition ${partition} of '${known.name}'`
      try {
        if (leader < 0) throw new ConnectionError(`${what} has no leader now`)
        const connection = await this.#cluster.connection(leader, 'work')
        const answer = await connection.request(
          kafka.listOffsetsRequest,
          kafka.listOffsetsResponse,
          {
            replicaId: -1,
            isolationLevel: readCommitted,
            topics: [{ name: known.name, partitions: [{ partitionIndex: partition, timestamp }] }],
            timeoutMs: lookUpMsMax,
          },
        )
        const found = answer.topics[0]?.partitions[0]
        if (found === undefined) throw new ConnectionError(`${what} was not answered for`)
        if (found.errorCode === 0) return found.offset
        const error = errorOfCode(found.errorCode, `${what} cannot be asked`)
        if (!isMoved(found.errorCode)) throw error
        throw new ConnectionError(error.message)
      } catch (error) {
        // Nothing was changed: asking again is safe, whatever became of the question.
        if (!(error instanceof ConnectionError)) throw error
        this.#cluster.topics.delete(topic)
        throw new Moved(error)
      }
    })
  }

  /** Do a batch's records, once expanded, contradict what it says of them? */
  #isDamaged(batch: MessageBatch): boolean {
    try {
      const cursor = this.#cursorOf(batch)
      while (cursor.next()) {}
      return false
    } catch (error) {
      return error instanceof InvalidMessageError
    }
  }

  #cursorOf(batch: MessageBatch): RecordCursor {
    const { codecs, expandedBytesMax } = this.#options
    const compression = batch.attributes & compressionMask
    if (compression === 0)
      return new RecordCursor(batch.records, batch.recordsLength, batch.recordCount)
    const records = codecs(compression).decompress(batch.records, expandedBytesMax)
    return new RecordCursor([records], records.length, batch.recordCount)
  }

  /** The bytes of the value at an offset; undefined where compaction has taken it. */
  #sizeIn(batch: PolledBatch, offset: number): number | undefined {
    const cursor = this.#cursorOf(batch)
    while (cursor.next()) {
      if (batch.baseOffset + cursor.offsetDelta === offset) return Math.max(0, cursor.valueLength)
    }
    return undefined
  }
}

function outOfRange(offset: number, bounds: OffsetBounds): OffsetOutOfRangeError {
  return new OffsetOutOfRangeError(
    `the partition holds ${bounds.startOffset} to ${bounds.endOffset}, not ${offset}`,
    bounds,
  )
}
