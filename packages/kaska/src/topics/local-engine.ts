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
  InvalidMessageError,
  logAppendTimeBit,
  type OffsetBounds,
  PartitionOfflineError,
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
import type { StoredBatch } from '../log/log-batches.ts'
import type { LogExtent } from '../log/log-extent.ts'
import type { MemoryBudget } from '../log/memory-budget.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { CommittedOffsets } from './committed-offsets.ts'
import { Gate } from './gate.ts'
import { OpenPartitions } from './open-partitions.ts'
import { Partition, type PartitionSeams } from './partition.ts'
import { type PartitionDirectory, PartitionOpener } from './partition-opener.ts'
import { outOfRange, Poll, type PollSeams } from './poll.ts'
import type { ProducerIds } from './producer-ids.ts'
import { type Expander, type WalkSeams, walkRecords } from './record-walk.ts'
import type { RecordVisitor } from './record-walker.ts'
import { Retention } from './retention.ts'
import {
  StoredRead,
  type StoredReadRequest,
  type StoredReadResult,
  type StoredReadSeams,
} from './stored-read.ts'
import type { Topic } from './topic.ts'
import { describeTopicConfig, logConfigOf } from './topic-config.ts'
import { type TopicFigures, TopicSizes } from './topic-sizes.ts'
import { type TopicStore, unknownTopic } from './topic-store.ts'
import { createTraffic, type Traffic } from './traffic.ts'

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

/** Where a message is, and what it is stamped with. */
export interface StampedOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** Some 4 KiB each. */
const openPartitionsMaxDefault = 10_000

const retentionCheckMsDefault = 300_000

/** Batches that are expanded at a time: a hostile one takes 128 MiB for its window. */
const expansionsMax = 2

/** A page of the listing holds no more topics, nor more bytes of names, than this. */
const pageTopicsMax = 1000
const pageBytesMax = 1024 * 1024

/** A group's name has at most so many characters. */
const groupCharsMax = 16_384

export class LocalEngine implements Engine {
  readonly capabilities: Capabilities = { kind: 'local', retriesSurviveCrash: true }
  readonly #topics: TopicStore
  readonly #offsets: CommittedOffsets
  readonly #producerIds: ProducerIds
  readonly #opener: PartitionOpener
  readonly #options: LocalEngineOptions
  readonly #walks: WalkSeams
  readonly #partitionSeams: PartitionSeams
  readonly #pollSeams: PollSeams & StoredReadSeams
  /** Removes what topics that were deleted before this start have left. Never rejects. */
  readonly #removing: Promise<void>
  readonly #retention: Retention
  readonly #sizes: TopicSizes
  #closed: ClosedError | undefined = undefined

  constructor(options: LocalEngineOptions) {
    this.#options = options
    this.#topics = options.topics
    this.#offsets = options.offsets
    this.#producerIds = options.producerIds
    this.#opener = new PartitionOpener(options.directory, options.report)
    this.#walks = {
      clock: options.clock,
      codecs: options.codecs,
      expander: options.expander,
      expansions: new Gate(expansionsMax),
      expandedBytesMax: options.expandedBytesMax ?? 128 * 1024 * 1024,
    }
    this.#partitionSeams = {
      ...this.#walks,
      opener: this.#opener,
      open: new OpenPartitions(options.openPartitionsMax ?? openPartitionsMaxDefault),
      totals: createTraffic(),
    }
    this.#pollSeams = {
      clock: options.clock,
      budget: options.budget,
      partitionOf: ({ topic, partition }: Pick<PollPart, 'topic' | 'partition'>) =>
        this.#partitionOf(topic, partition),
    }
    this.#sizes = new TopicSizes({
      clock: options.clock,
      topics: () => this.#topics.from(0),
      partitionOf: (topic, partition) => this.#partitionOf(topic.id, partition),
      extentOf: (topic, partition) => this.#opener.extent(topic, partition),
    })
    this.#removing = this.#removeLeftovers()
    this.#retention = new Retention({
      clock: options.clock,
      checkMs: options.retentionCheckMs ?? retentionCheckMsDefault,
      topics: () => this.#topics.from(0),
      partitionOf: (topic, partition) => this.#partitionOf(topic.id, partition),
      dueOf: (topic, partition, config) => this.#opener.retentionDue(topic, partition, config),
      report: options.report,
    })
  }

  /** What was appended and read since the start, of all topics together. */
  get traffic(): Readonly<Traffic> {
    return this.#partitionSeams.totals
  }

  /** What a topic holds, and what went through it; waits so long for what is not known yet. Rejects with
   * UnknownTopicError. */
  async topicFigures(id: TopicId, waitMs: number): Promise<TopicFigures> {
    const topic = this.#topics.byId(id)
    if (topic === undefined) throw new UnknownTopicError(`there is no topic with the id '${id}'`)
    return await this.#sizes.of(topic, waitMs)
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

  /** How many topics there are. */
  get topicsNow(): number {
    return this.#topics.count
  }

  /** How many partitions have their logs open. */
  get openPartitions(): number {
    return this.#partitionSeams.open.count
  }

  async createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    this.#enter(context)
    return infoOf(await this.#topics.create(request))
  }

  /** Makes a topic for a Kafka client: it has Kafka's defaults. */
  async createKafkaTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    this.#enter(context)
    return infoOf(await this.#topics.create(request, 'kafka'))
  }

  async deleteTopic(name: TopicName, context: RequestContext): Promise<void> {
    this.#enter(context)
    const topic = await this.#topics.delete(name.text)
    const error = new UnknownTopicError(`the topic with the id ${topic.id} was deleted`)
    const used = [...(topic.used?.values() ?? [])]
    topic.used = undefined
    // All of them at once: what waits for any of them is answered now.
    for (const partition of used) partition.end(error)
    for (const partition of used) await partition.delete(error)
    await this.#offsets.forgetTopic(topic.id)
    await this.#removeLeftover(topic)
  }

  async listTopics(cursor: number, context: RequestContext): Promise<TopicPage> {
    this.#enter(context)
    const topics: TopicInfo[] = []
    let bytes = 0
    for (const topic of this.#topics.from(cursor)) {
      if (topics.length === pageTopicsMax || bytes > pageBytesMax) {
        return { topics, next: topic.created }
      }
      topics.push(infoOf(topic))
      // At most three bytes of UTF-8 a code unit.
      bytes += 3 * topic.name.length
    }
    return { topics, next: undefined }
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
    const found: (TopicInfo | undefined)[] = []
    for (const { text } of names) {
      // A topic whose creation was asked for before is there.
      const change = this.#topics.changeOf(text)
      if (change !== undefined) await change
      const topic = this.#topics.get(text)
      found.push(topic === undefined ? undefined : infoOf(topic))
    }
    return found
  }

  async describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription> {
    this.#enter(context)
    await this.#topics.changeOf(name.text)
    const topic = this.#topics.get(name.text)
    if (topic === undefined) throw unknownTopic(name.text)
    return { ...infoOf(topic), config: describeTopicConfig(topic) }
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
    const topic = await this.#topics.configure(name, change)
    const logConfig = logConfigOf(topic)
    topic.retentionDue = 0
    for (const { log } of topic.used?.values() ?? []) if (log !== undefined) log.config = logConfig
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
      return new Poll(request, context.signal, this.#pollSeams).run()
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
    return await this.#partitionOf(topic, partition).use(async (log) => {
      const { startOffset, endOffset, offline } = log
      if (!(offset >= startOffset && offset < endOffset)) {
        if (offline !== undefined) throw new PartitionOfflineError(offline)
        throw outOfRange(offset, { startOffset, endOffset })
      }
      const stored = await log.read(offset, 1, context.signal)
      try {
        const batch = stored.batches.find(
          ({ header }) => header.baseOffset + header.lastOffsetDelta >= offset,
        )
        if (batch === undefined) throw outOfRange(offset, { startOffset, endOffset })
        return await this.#valueSize(batch, offset)
      } finally {
        stored.release()
      }
    })
  }

  async offsets(topic: TopicId, partition: number, context: RequestContext): Promise<OffsetBounds> {
    this.#enter(context)
    return await this.#partitionOf(topic, partition).use(async (log) => {
      const { startOffset, endOffset, offline } = log
      // Nothing of it can be read: it would look like an empty one.
      if (offline !== undefined && endOffset === 0) throw new PartitionOfflineError(offline)
      return { startOffset, endOffset }
    })
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
    const partitionInUse = this.#partitionOf(topic, partition)
    return (await partitionInUse.use((log) => this.#stampedFrom(log, timestamp, context)))?.offset
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
    return infoOf(await this.#topics.grow(name, partitions))
  }

  /** All topics in the order of their creation. Valid while topics come and go. */
  topics(): IterableIterator<TopicInfo> {
    return this.#topics.from(0)
  }

  /** Reads batches as they are stored: see stored-read.ts. */
  readStored(request: StoredReadRequest, context: RequestContext): Promise<StoredReadResult> {
    try {
      this.#enter(context)
      return new StoredRead(request, context.signal, this.#pollSeams).run()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Calls back whenever a read of the partition may have a new answer, until what is returned is called;
   * that does not keep the log open. Throws UnknownTopicError, UnknownPartitionError. */
  watch(topic: TopicId, partition: number, changed: () => void): () => void {
    const watched = this.#partitionOf(topic, partition)
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
    const inUse = this.#partitionOf(topic, partition)
    return await inUse.use((log) => this.#stampedFrom(log, timestamp, context))
  }

  /** The first message with the largest timestamp of all; undefined where there is none. */
  async newestMessage(
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<StampedOffset | undefined> {
    this.#enter(context)
    return await this.#partitionOf(topic, partition).use(async (log) => {
      const timestamp = await log.maxTimestamp()
      return timestamp === undefined ? undefined : await this.#stampedFrom(log, timestamp, context)
    })
  }

  /** The bounds of a partition, with the leader epochs of its first and its last batch; -1: none. */
  async epochBounds(
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<OffsetBounds & { readonly firstEpoch: number; readonly lastEpoch: number }> {
    this.#enter(context)
    return await this.#partitionOf(topic, partition).use(async (log) => {
      const { startOffset, endOffset, offline, lastEpoch } = log
      if (offline !== undefined && endOffset === 0) throw new PartitionOfflineError(offline)
      if (startOffset === endOffset) {
        return { startOffset, endOffset, firstEpoch: lastEpoch, lastEpoch }
      }
      const stored = await log.read(startOffset, 1, context.signal)
      const firstEpoch = stored.batches[0]?.header.partitionLeaderEpoch ?? -1
      stored.release()
      return { startOffset, endOffset, firstEpoch, lastEpoch }
    })
  }

  /** The end of the largest epoch that is at most `epoch` (KIP-101): see PartitionLog. */
  async epochEnd(
    topic: TopicId,
    partition: number,
    epoch: number,
    context: RequestContext,
  ): Promise<{ readonly epoch: number; readonly endOffset: number }> {
    this.#enter(context)
    return await this.#partitionOf(topic, partition).use((log) => log.endOffsetForEpoch(epoch))
  }

  async commit(
    group: string,
    entries: readonly CommitEntry[],
    context: RequestContext,
  ): Promise<void> {
    this.#enter(context)
    checkGroup(group)
    for (const { topic, partition, offset } of entries) {
      this.#checkPartition(topic, partition)
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
    this.#checkPartition(topic, partition)
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
    return await this.#partitionOf(topic, partition).use(async (log) => {
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
      for (const topic of this.#topics.from(0)) {
        for (const partition of topic.used?.values() ?? []) partition.end(this.#closed)
      }
    }
    await this.#retention.close()
    await this.#removing
  }

  #enter({ signal }: RequestContext): void {
    if (this.#closed !== undefined) throw this.#closed
    signal?.throwIfAborted()
  }

  /** Throws UnknownTopicError, UnknownPartitionError. */
  #checkPartition(id: TopicId, partition: number): Topic {
    const topic = this.#topics.byId(id)
    if (topic === undefined) throw new UnknownTopicError(`there is no topic with the id '${id}'`)
    if (!(Number.isInteger(partition) && partition >= 0 && partition < topic.partitions)) {
      throw new UnknownPartitionError(
        `there is no partition ${partition}: the topic has ${topic.partitions}, from 0 on`,
      )
    }
    return topic
  }

  #partitionOf(id: TopicId, number: number): Partition {
    const topic = this.#checkPartition(id, number)
    topic.used ??= new Map()
    let partition = topic.used.get(number)
    if (partition === undefined) {
      partition = new Partition(topic, number, this.#partitionSeams, topic.unused?.take(number))
      topic.used.set(number, partition)
    }
    return partition
  }

  #sendPart(part: SendPart, producer: ProducerIdentity | undefined): Promise<SendPartResult> {
    try {
      return this.#partitionOf(part.topic, part.partition).append(part, producer)
    } catch (error) {
      if (error instanceof UnknownTopicError || error instanceof UnknownPartitionError) {
        return Promise.resolve({ error })
      }
      throw error
    }
  }

  /** The bytes of a message's value. */
  async #valueSize(batch: StoredBatch, offset: number): Promise<number> {
    const wanted = offset - batch.header.baseOffset
    let size: number | undefined
    await this.#walk(batch, (offsetDelta, _timestampDelta, valueLength) => {
      if (offsetDelta === wanted) size = Math.max(0, valueLength)
      return offsetDelta >= wanted
    })
    if (size === undefined) throw new InvalidMessageError(`there is no message at offset ${offset}`)
    return size
  }

  async #stampedFrom(
    log: PartitionLog,
    timestamp: number,
    context: RequestContext,
  ): Promise<StampedOffset | undefined> {
    const offset = await log.offsetAt(timestamp)
    if (offset === undefined) return undefined
    const stored = await log.read(offset, 1, context.signal)
    try {
      const [batch] = stored.batches
      return batch === undefined ? undefined : await this.#stampedWithin(batch, offset, timestamp)
    } finally {
      stored.release()
    }
  }

  /** The log knows of a compressed batch only that the message lies in it: which one is it? */
  async #stampedWithin(
    batch: StoredBatch,
    from: number,
    timestamp: number,
  ): Promise<StampedOffset> {
    const { baseOffset, baseTimestamp, attributes, maxTimestamp } = batch.header
    const leaderEpoch = batch.header.partitionLeaderEpoch
    if ((attributes & logAppendTimeBit) !== 0) {
      return { offset: from, timestamp: maxTimestamp, leaderEpoch }
    }
    let found: StampedOffset = { offset: from, timestamp: maxTimestamp, leaderEpoch }
    await this.#walk(batch, (offsetDelta, timestampDelta) => {
      found = {
        offset: baseOffset + offsetDelta,
        timestamp: baseTimestamp + timestampDelta,
        leaderEpoch,
      }
      return found.offset >= from && found.timestamp >= timestamp
    })
    return found
  }

  /** Stored bytes are not trusted: rejects with InvalidMessageError. */
  async #walk(
    { header, records, recordsLength }: StoredBatch,
    visit: RecordVisitor,
  ): Promise<void> {
    const { attributes, recordCount } = header
    await walkRecords({ attributes, records, recordsLength, recordCount }, visit, this.#walks)
  }

  /** Removes what topics that were deleted before this start have left. */
  async #removeLeftovers(): Promise<void> {
    for (const leftover of this.#topics.leftovers()) {
      if (this.#closed !== undefined) return
      await this.#removeLeftover(leftover)
    }
  }

  /** What cannot be removed now is removed at the next start. Never rejects. */
  async #removeLeftover({ id, partitions }: Pick<Topic, 'id' | 'partitions'>): Promise<void> {
    try {
      await this.#opener.remove(id, partitions)
      this.#topics.leftNothing(id)
    } catch (cause) {
      this.#options.report(`what the deleted topic ${id} left cannot be removed: ${cause}`)
    }
  }
}

/** Settles when all have: who asked may let go of the batches' bytes then, and not earlier. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}

function infoOf({ name, id, partitions }: Topic): TopicInfo {
  return { name, id, partitions }
}

function checkPoll({ bytesMax, waitMs, parts }: PollRequest): void {
  if (!(bytesMax >= 0)) throw new InvalidArgumentError(`${bytesMax} is not a number of bytes`)
  if (!(waitMs >= 0)) throw new InvalidArgumentError(`${waitMs} is not a time to wait`)
  for (const { offset } of parts) {
    if (!Number.isSafeInteger(offset)) {
      throw new InvalidArgumentError(`${offset} is not an offset`)
    }
  }
}

function checkGroup(group: string): void {
  if (typeof group !== 'string' || group === '') {
    throw new InvalidArgumentError('a name to commit under is a string, and not empty')
  }
  if (!group.isWellFormed() || group.length > groupCharsMax) {
    throw new InvalidArgumentError(
      `a name to commit under is well-formed, and has at most ${groupCharsMax} characters`,
    )
  }
}
