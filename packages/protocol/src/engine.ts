/**
 * What can be asked of a stream store, whatever stands behind it: the broker in this process, a
 * broker over the network, an Apache Kafka cluster. The client library is subscriptions, batching
 * and retries on top of an `Engine`; a session of the broker is frames in, `Engine` calls, frames
 * out.
 *
 * Shapes: offsets, timestamps (milliseconds since 1970) and counts are safe integers. Bytes travel
 * as lists of views, which nobody copies (contract 11) and nobody changes. Every method rejects with
 * a `KaskaError`, and with the signal's reason when the context's signal is aborted.
 */
import type { Chunks } from './bytes.ts'
import type { TopicName } from './topic-name.ts'

/** Who asks, and until when. */
export interface RequestContext {
  /** Who was authenticated; null is anonymous. */
  readonly principal: string | null
  /** What the client calls itself; '' unless it said. */
  readonly clientId: string
  /** Where it comes from: `127.0.0.1:51234`, or `in-process`. */
  readonly address: string
  readonly signal?: AbortSignal
}

/** A topic's id: 16 bytes in 22 characters of base64url, as Kafka prints it. Never given twice. */
export type TopicId = string

export interface TopicInfo {
  readonly name: string
  readonly id: TopicId
  readonly partitions: number
}

/** A topic with its settings, by Kafka's names (`max.message.bytes`, `retention.ms`, ...). */
export interface TopicDescription extends TopicInfo {
  readonly config: readonly TopicConfigEntry[]
}

export interface TopicConfigEntry {
  readonly name: string
  readonly value: string
  /** Is it the broker's default, or was it set for this topic? */
  readonly isDefault: boolean
}

export interface CreateTopicRequest {
  readonly name: TopicName
  readonly partitions: number
  readonly config: ReadonlyMap<string, string>
  /**
   * The id that the topic is to have. A request that is sent again after its answer was lost finds
   * the topic with this id, and succeeds. An engine that cannot choose ids ignores it.
   */
  readonly id?: TopicId
}

/** A page of topics in creation order. */
export interface TopicPage {
  readonly topics: readonly TopicInfo[]
  /** Where the next page begins; undefined after the last. */
  readonly next: number | undefined
}

/** Whose sequence numbers a send carries (KIP-98). */
export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** The records of one batch in Kafka's record format (magic 2), without its 61 byte header. */
export interface MessageBatch {
  /** Kafka's batch attributes: bits 0-2 compression, 3 timestamp type, 4 transaction, 5 control. */
  readonly attributes: number
  /** What the records' timestamp deltas count from. */
  readonly baseTimestamp: number
  /** The largest timestamp of a record; -1 where the sender leaves it to the broker. */
  readonly maxTimestamp: number
  readonly recordCount: number
  /** The offset of the last record minus that of the first; larger than count - 1 after compaction. */
  readonly lastOffsetDelta: number
  /** The records section, compressed as the attributes say. */
  readonly records: Chunks
  readonly recordsLength: number
  /**
   * The header under which the batch came, 61 bytes whose CRC was found to match: where the log's own says
   * the same, the CRC need not be computed again.
   */
  readonly received?: Uint8Array | undefined
}

export interface SendPart {
  readonly topic: TopicId
  readonly partition: number
  /** The sequence number of the first record: 0 to 2^31 - 1, then 0 again. -1 without a producer. */
  readonly baseSequence: number
  readonly batch: MessageBatch
}

/** One request; each part is taken as a whole or refused. At most one part a partition. */
export interface SendRequest {
  /** Undefined: without a defence against repeated sends. */
  readonly producer: ProducerIdentity | undefined
  readonly parts: readonly SendPart[]
}

export type SendPartResult =
  | {
      readonly error?: undefined
      readonly baseOffset: number
      /** Set where the topic stamps messages at the append: their timestamp. */
      readonly appendTimestamp: number | undefined
    }
  | { readonly error: Error }

export interface PollPart {
  readonly topic: TopicId
  readonly partition: number
  /** The offset of the next message wanted. */
  readonly offset: number
  /** The leader epoch of the last message seen, where the reader wants to hear of a truncation. */
  readonly lastEpoch?: number
}

/** One request for any number of topics (contract 2). The parts are served in their order. */
export interface PollRequest {
  readonly parts: readonly PollPart[]
  /** How long to wait for the first message, in milliseconds. */
  readonly waitMs: number
  /** How many bytes of batches to return; at least one batch is returned whatever its size. */
  readonly bytesMax: number
}

export interface PolledBatch extends MessageBatch {
  readonly topic: TopicId
  readonly partition: number
  readonly baseOffset: number
  readonly leaderEpoch: number
}

export interface PollFailure {
  readonly topic: TopicId
  readonly partition: number
  /** UnknownTopicError, OffsetOutOfRangeError, LogTruncatedError, PartitionOfflineError, ... */
  readonly error: Error
}

export interface PollResult {
  /**
   * Whole batches, ascending within a partition. The first of a partition may begin before the
   * offset asked for: the reader skips the records below it.
   */
  readonly batches: readonly PolledBatch[]
  readonly failures: readonly PollFailure[]
  /** To be called once when the views are no longer needed: gives their memory back. */
  release(): void
}

export interface OffsetBounds {
  /** The first offset that is still there. */
  readonly startOffset: number
  /** The next offset to be given: one behind the last message that readers may see. */
  readonly endOffset: number
}

export interface CommitEntry {
  readonly topic: TopicId
  readonly partition: number
  readonly offset: number
}

/** What an engine can promise beyond the interface. */
export interface Capabilities {
  /** What stands behind it: shown to people. */
  readonly kind: 'local' | 'native' | 'kafka'
  /** Does a send that is repeated after a crash of the server stay single? */
  readonly retriesSurviveCrash: boolean
}

export interface Engine {
  readonly capabilities: Capabilities

  /** Rejects with TopicExistsError, InvalidTopicError, InvalidArgumentError. */
  createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo>
  /** Rejects with UnknownTopicError. */
  deleteTopic(name: TopicName, context: RequestContext): Promise<void>
  /** Topics in creation order, from `cursor` (0 is the first), as many as the engine deems fit. */
  listTopics(cursor: number, context: RequestContext): Promise<TopicPage>
  topicCount(context: RequestContext): Promise<number>
  /** One entry per name, undefined where there is no such topic. */
  resolve(
    names: readonly TopicName[],
    context: RequestContext,
  ): Promise<readonly (TopicInfo | undefined)[]>
  describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription>

  /** A new producer id, durable before it is given. */
  initProducer(context: RequestContext): Promise<ProducerIdentity>
  /**
   * Appends. Takes its place in each partition before it returns, so sends take effect in the order
   * of the calls. Resolves when every part is acknowledged under the engine's durability rule.
   */
  send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]>
  /** Waits until there is a message for any part, a part fails, or `waitMs` has passed. */
  poll(request: PollRequest, context: RequestContext): Promise<PollResult>

  /** The bytes of the message's value. Rejects with OffsetOutOfRangeError. */
  messageSize(
    topic: TopicId,
    partition: number,
    offset: number,
    context: RequestContext,
  ): Promise<number>
  offsets(topic: TopicId, partition: number, context: RequestContext): Promise<OffsetBounds>
  /** The first offset whose timestamp is at or after the given one; undefined if there is none. */
  offsetAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<number | undefined>

  /**
   * All entries or none, durable when it resolves (contract 4). Rejects with GroupActiveError while Kafka
   * consumers are running under that name.
   */
  commit(group: string, entries: readonly CommitEntry[], context: RequestContext): Promise<void>
  committed(
    group: string,
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<number | undefined>

  /** Ends all that is under way with ClosedError. */
  close(): Promise<void>
}
