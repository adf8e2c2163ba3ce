/**
 * The engine over this broker's own logs: what the sessions of all protocols, and clients in the same
 * process, call.
 *
 * It owns no state but the partitions that are in use; the topics, the committed offsets and the
 * producer ids have stores of their own. Views go in and out by identity (contract 11).
 */
import {
  type Capabilities,
  type Clock,
  ClosedError,
  type Codecs,
  type CommitEntry,
  type CreateTopicRequest,
  type Engine,
  InvalidArgumentError,
  type OffsetBounds,
  type PollPart,
  type PollRequest,
  type PollResult,
  type ProducerIdentity,
  type RequestContext,
  type SendPart,
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
import type { Configured, TopicConfig } from '../config/topic-settings.ts'
import type { LogExtent } from '../log/log-extent.ts'
import type { MemoryBudget } from '../log/memory-budget.ts'
import { checkGroup, checkPoll } from './call-checks.ts'
import type { CommittedOffsets } from './committed-offsets.ts'
import { Gate } from './gate.ts'
import { Leftovers } from './leftovers.ts'
import {
  boundsOf,
  type EpochBounds,
  epochBoundsOf,
  MessageLookup,
  type StampedOffset,
} from './message-lookup.ts'
import { OpenPartitions } from './open-partitions.ts'
import { type PartitionDirectory, PartitionOpener } from './partition-opener.ts'
import { outOfRange, Poll, type PollSeams } from './poll.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { Expander, WalkSeams } from './record-walk.ts'
import { Retention } from './retention.ts'
import {
  StoredRead,
  type StoredReadRequest,
  type StoredReadResult,
  type StoredReadSeams,
} from './stored-read.ts'
import type { Topic } from './topic.ts'
import { TopicCatalog } from './topic-catalog.ts'
import { type TopicFigures, TopicSizes } from './topic-sizes.ts'
import type { TopicStore } from './topic-store.ts'
import { createTraffic, type Traffic } from './traffic.ts'
import { UsedPartitions } from './used-partitions.ts'

export interface LocalEngineOptions {
  readonly directory: PartitionDirectory
  readonly topics: TopicStore
  readonly offsets: CommittedOffsets
  readonly producerIds: ProducerIds
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly codecs: Codecs
  readonly expander: Expander
  /** What a compressed batch may expand to; 128 MiB unless given. */
  readonly expandedBytesMax?: number
  /** How many partitions that nobody uses may have their logs open; 10,000 unless given. */
  readonly openPartitionsMax?: number
  /** How often is looked for messages that are no longer to be kept; every 5 minutes unless given. */
  readonly retentionCheckMs?: number
  /** What a person who runs the broker should hear of. */
  report(line: string): void
}

/** Some 4 KiB each. */
const openPartitionsMaxDefault = 10_000

const retentionCheckMsDefault = 300_000

/** Batches that are expanded at a time: a hostile one takes 128 MiB for its window. */
const expansionsMax = 2

export class LocalEngine implements Engine {
  readonly capabilities: Capabilities = { kind: 'local', retriesSurviveCrash: true }
  readonly #topics: TopicStore
  readonly #offsets: CommittedOffsets
  readonly #producerIds: ProducerIds
  readonly #totals = createTraffic()
  readonly #open: OpenPartitions
  readonly #partitions: UsedPartitions
  readonly #lookup: MessageLookup
  readonly #readSeams: PollSeams & StoredReadSeams
  readonly #leftovers: Leftovers
  readonly #catalog: TopicCatalog
  readonly #retention: Retention
  readonly #sizes: TopicSizes
  #closed: ClosedError | undefined = undefined

  constructor(options: LocalEngineOptions) {
    const { clock, codecs, expander, report, topics } = options
    this.#topics = topics
    this.#offsets = options.offsets
    this.#producerIds = options.producerIds
    this.#open = new OpenPartitions(options.openPartitionsMax ?? openPartitionsMaxDefault)
    const opener = new PartitionOpener(options.directory, report)
    const walks: WalkSeams = {
      clock,
      codecs,
      expander,
      expansions: new Gate(expansionsMax),
      expandedBytesMax: options.expandedBytesMax ?? 128 * 1024 * 1024,
    }
    const partitions = new UsedPartitions(topics, {
      ...walks,
      opener,
      open: this.#open,
      totals: this.#totals,
    })
    this.#partitions = partitions
    this.#lookup = new MessageLookup(walks)
    this.#readSeams = {
      clock,
      budget: options.budget,
      partitionOf: ({ topic, partition }: Pick<PollPart, 'topic' | 'partition'>) =>
        partitions.of(topic, partition),
    }
    const all = () => topics.from(0)
    const partitionOf = (topic: Topic, partition: number) => partitions.of(topic.id, partition)
    this.#sizes = new TopicSizes({
      clock,
      topics: all,
      partitionOf,
      extentOf: (topic, partition) => opener.extent(topic, partition),
    })
    this.#leftovers = new Leftovers(topics, opener, report)
    this.#catalog = new TopicCatalog({
      topics,
      partitions,
      offsets: options.offsets,
      leftovers: this.#leftovers,
    })
    this.#retention = new Retention({
      clock,
      checkMs: options.retentionCheckMs ?? retentionCheckMsDefault,
      topics: all,
      partitionOf,
      dueOf: (topic, partition, config) => opener.retentionDue(topic, partition, config),
      report,
    })
  }

  /** What was appended and read since the start, of all topics together. */
  get traffic(): Readonly<Traffic> {
    return this.#totals
  }

  /** What a topic holds, and what went through it; waits so long for what is not known yet. Rejects with
   * UnknownTopicError. */
  async topicFigures(id: TopicId, waitMs: number): Promise<TopicFigures> {
    return await this.#sizes.of(this.#partitions.topicOf(id), waitMs)
  }

  /** What a partition holds, where that can be read: see topic-sizes.ts. */
  async extentOf(id: TopicId, partition: number): Promise<LogExtent | undefined> {
    const topic = this.#topics.byId(id)
    if (topic === undefined || !(partition < topic.partitions)) return undefined
    return await this.#sizes.extentOf(topic, partition)
  }

  /** Bytes of messages on the disk, of all topics: see topic-sizes.ts. */
  storedBytes(waitMs: number): Promise<number> {
    return this.#sizes.storedBytes(waitMs)
  }

  /** How many partitions have their logs open. */
  get openPartitions(): number {
    return this.#open.count
  }

  async createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    this.#enter(context)
    return await this.#catalog.create(request)
  }

  /** Makes a topic for a Kafka client: it has Kafka's defaults. */
  async createKafkaTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    this.#enter(context)
    return await this.#catalog.create(request, 'kafka')
  }

  async deleteTopic(name: TopicName, context: RequestContext): Promise<void> {
    this.#enter(context)
    await this.#catalog.delete(name)
  }

  async listTopics(cursor: number, context: RequestContext): Promise<TopicPage> {
    this.#enter(context)
    return this.#catalog.list(cursor)
  }

  async topicCount(context: RequestContext): Promise<number> {
    this.#enter(context)
    return this.#topics.count
  }

  async resolve(
    names: readonly TopicName[],
    context: RequestContext,
  ): Promise<readonly (TopicInfo | undefined)[]> {
    this.#enter(context)
    return await this.#catalog.resolve(names)
  }

  async describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription> {
    this.#enter(context)
    return await this.#catalog.describe(name)
  }

  /** Replaces a topic's settings; its logs obey at once. */
  async configureTopic(
    name: TopicName,
    config: ReadonlyMap<string, string>,
    context: RequestContext,
  ): Promise<void> {
    await this.alterTopic(name.text, () => config, context)
  }

  /** Replaces a topic's settings by what `change` makes of them. What it throws rejects this. */
  async alterTopic(
    name: string,
    change: (config: TopicConfig) => ReadonlyMap<string, string>,
    context: RequestContext,
  ): Promise<void> {
    this.#enter(context)
    await this.#catalog.alter(name, change)
  }

  async initProducer(context: RequestContext): Promise<ProducerIdentity> {
    this.#enter(context)
    return await this.#producerIds.next()
  }

  send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    try {
      this.#enter(context)
      const { parts, producer } = request
      const [first] = parts
      if (parts.length === 1 && first !== undefined) {
        return this.#sendPart(first, producer).then((result) => [result])
      }
      return allOf(parts.map((part) => this.#sendPart(part, producer)))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    try {
      this.#enter(context)
      checkPoll(request)
      return new Poll(request, context.signal, this.#readSeams).run()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async messageSize(
    topic: TopicId,
    partition: number,
    offset: number,
    context: RequestContext,
  ): Promise<number> {
    this.#enter(context)
    return await this.#partitions
      .of(topic, partition)
      .use((log) => this.#lookup.sizeOf(log, offset, context.signal))
  }

  async offsets(topic: TopicId, partition: number, context: RequestContext): Promise<OffsetBounds> {
    this.#enter(context)
    return await this.#partitions.of(topic, partition).use(async (log) => boundsOf(log))
  }

  async offsetAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    this.#enter(context)
    if (!Number.isSafeInteger(timestamp)) {
      throw new InvalidArgumentError(`${timestamp} is not a timestamp`)
    }
    const found = await this.#messageFrom(topic, partition, timestamp, context)
    return found?.offset
  }

  /** The topic of this name, as it is now; undefined where there is none. */
  topicNamed(name: string): TopicInfo | undefined {
    return this.#topics.get(name)
  }

  /** The topic with this id, as it is now; undefined where there is none. */
  topicById(id: TopicId): TopicInfo | undefined {
    return this.#topics.byId(id)
  }

  /** What is set for a topic, and what counts where nothing is. */
  configOf(id: TopicId): Configured | undefined {
    return this.#topics.byId(id)
  }

  /** Another topic whose name differs from this one in nothing but dots and underscores. */
  collidingTopic(name: string): TopicInfo | undefined {
    return this.#topics.colliding(name)
  }

  /** Gives a topic so many partitions, which have to be more than it has. */
  async growTopic(name: string, partitions: number, context: RequestContext): Promise<TopicInfo> {
    this.#enter(context)
    return await this.#catalog.grow(name, partitions)
  }

  /** All topics in the order of their creation. Valid while topics come and go. */
  topics(): IterableIterator<TopicInfo> {
    return this.#topics.from(0)
  }

  /** Reads batches as they are stored: see stored-read.ts. */
  readStored(request: StoredReadRequest, context: RequestContext): Promise<StoredReadResult> {
    try {
      this.#enter(context)
      return new StoredRead(request, context.signal, this.#readSeams).run()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Calls back whenever a read of the partition may have a new answer, until what is returned is called;
   * that does not keep the log open. Throws UnknownTopicError, UnknownPartitionError. */
  watch(topic: TopicId, partition: number, changed: () => void): () => void {
    const watched = this.#partitions.of(topic, partition)
    const waiter = { wake: changed }
    watched.addWaiter(waiter)
    return () => watched.removeWaiter(waiter)
  }

  /** The first message at or after the timestamp; undefined if there is none. */
  async messageAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<StampedOffset | undefined> {
    this.#enter(context)
    return await this.#messageFrom(topic, partition, timestamp, context)
  }

  /** The first message with the largest timestamp of all; undefined where there is none. */
  async newestMessage(
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<StampedOffset | undefined> {
    this.#enter(context)
    return await this.#partitions
      .of(topic, partition)
      .use((log) => this.#lookup.newest(log, context.signal))
  }

  /** The bounds of a partition, with the leader epochs of its first and its last batch; -1: none. */
  async epochBounds(
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<EpochBounds> {
    this.#enter(context)
    return await this.#partitions
      .of(topic, partition)
      .use((log) => epochBoundsOf(log, context.signal))
  }

  /** The end of the largest epoch that is at most `epoch` (KIP-101): see PartitionLog. */
  async epochEnd(
    topic: TopicId,
    partition: number,
    epoch: number,
    context: RequestContext,
  ): Promise<{ readonly epoch: number; readonly endOffset: number }> {
    this.#enter(context)
    return await this.#partitions.of(topic, partition).use((log) => log.endOffsetForEpoch(epoch))
  }

  async commit(
    group: string,
    entries: readonly CommitEntry[],
    context: RequestContext,
  ): Promise<void> {
    this.#enter(context)
    checkGroup(group)
    for (const { topic, partition, offset } of entries) {
      this.#partitions.check(topic, partition)
      if (!(Number.isSafeInteger(offset) && offset >= 0)) {
        throw new InvalidArgumentError(`${offset} is not an offset`)
      }
    }
    if (entries.length > 0) await this.#offsets.commit(group, entries)
  }

  async committed(
    group: string,
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    this.#enter(context)
    checkGroup(group)
    this.#partitions.check(topic, partition)
    return await this.#offsets.committed(group, topic, partition)
  }

  /** Deletes what the settings of the topics no longer keep; also done every now and then. */
  async applyRetention(): Promise<void> {
    await this.#retention.run()
  }

  /**
   * Deletes the messages before `offset`, or all that there are; returns the first offset that is left.
   * Durable when it resolves. OffsetOutOfRangeError, UnknownTopicError, UnknownPartitionError,
   * PartitionOfflineError, DiskFullError.
   */
  async deleteRecords(
    topic: TopicId,
    partition: number,
    offset: number | undefined,
    context: RequestContext,
  ): Promise<number> {
    this.#enter(context)
    return await this.#partitions.of(topic, partition).use(async (log) => {
      const { startOffset, endOffset } = log
      const before = offset ?? endOffset
      if (!(before >= 0 && before <= endOffset)) {
        throw outOfRange(before, { startOffset, endOffset })
      }
      await log.deleteBefore(before)
      return log.startOffset
    })
  }

  async close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = new ClosedError('the broker was closed')
      this.#leftovers.end()
      this.#partitions.end(this.#closed)
    }
    await this.#retention.close()
    await this.#leftovers.removed()
  }

  #enter({ signal }: RequestContext): void {
    if (this.#closed !== undefined) throw this.#closed
    signal?.throwIfAborted()
  }

  #messageFrom(
    topic: TopicId,
    partition: number,
    timestamp: number,
    { signal }: RequestContext,
  ): Promise<StampedOffset | undefined> {
    return this.#partitions
      .of(topic, partition)
      .use((log) => this.#lookup.from(log, timestamp, signal))
  }

  #sendPart(part: SendPart, producer: ProducerIdentity | undefined): Promise<SendPartResult> {
    try {
      return this.#partitions.of(part.topic, part.partition).append(part, producer)
    } catch (error) {
      if (error instanceof UnknownTopicError || error instanceof UnknownPartitionError) {
        return Promise.resolve({ error })
      }
      throw error
    }
  }
}

/** Settles when all have: who asked may let go of the batches' bytes then, and not earlier. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
