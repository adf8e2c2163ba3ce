/** What Kafka's handlers ask of the broker's logs and topics, beyond what every engine can do. */

import type {
  BatchHeader,
  Chunks,
  CreateTopicRequest,
  Engine,
  KaskaError,
  OffsetBounds,
  RequestContext,
  TopicId,
  TopicInfo,
} from '@kaska/protocol'
import type { Configured, TopicConfig } from '../config/topic-settings.ts'

/** A batch as it is stored; all bytes are views that nobody changes. */
export interface StoredBatch {
  readonly header: BatchHeader
  /** The 61 bytes of the header. */
  readonly headerBytes: Uint8Array
  readonly records: Chunks
  readonly recordsLength: number
}

export interface StoredReadPart {
  readonly topic: TopicId
  readonly partition: number
  readonly offset: number
  readonly bytesMax: number
  /** The leader epoch of the last message seen, where the reader wants to hear of a truncation. */
  readonly lastEpoch?: number
}

export interface StoredReadRequest {
  readonly parts: readonly StoredReadPart[]
  readonly waitMs: number
  readonly bytesMin: number
  readonly bytesMax: number
  /** Called once with what adds a part while the read waits, and does nothing when it is over. */
  readonly late?: (join: (part: StoredReadPart) => void) => void
}

export interface StoredReadPartResult extends OffsetBounds {
  readonly error: KaskaError | undefined
  readonly diverging: { readonly epoch: number; readonly endOffset: number } | undefined
  readonly batches: readonly StoredBatch[]
}

export interface StoredReadResult {
  /** In the order of the request's parts, and behind them those that came late. */
  readonly parts: readonly StoredReadPartResult[]
  /** To be called once, when the views are no longer needed. */
  release(): void
}

export interface StampedOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface KafkaStore extends Engine {
  topicNamed(name: string): TopicInfo | undefined
  topicById(id: TopicId): TopicInfo | undefined
  /** The same as `createTopic`, but that the topic has Kafka's defaults. */
  createKafkaTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo>
  /** Another topic whose name differs from this one in nothing but dots and underscores. */
  collidingTopic(name: string): TopicInfo | undefined
  /** Gives a topic so many partitions, which have to be more than it has. Rejects with
   * UnknownTopicError, InvalidArgumentError. */
  growTopic(name: string, partitions: number, context: RequestContext): Promise<TopicInfo>
  /** What is set for a topic, and what counts where nothing is. */
  configOf(id: TopicId): Configured | undefined
  /** Replaces a topic's settings by what `change` makes of them; what it throws rejects this. Rejects with
   * UnknownTopicError, InvalidArgumentError. */
  alterTopic(
    name: string,
    change: (config: TopicConfig) => ReadonlyMap<string, string>,
    context: RequestContext,
  ): Promise<void>
  /** All topics in the order of their creation. */
  topics(): Iterable<TopicInfo>
  /** Waits for `bytesMin` bytes, a part that fails, or `waitMs`. */
  readStored(request: StoredReadRequest, context: RequestContext): Promise<StoredReadResult>
  /** Calls back whenever a read of the partition may have a new answer, until what it returns is called.
   * Throws UnknownTopicError, UnknownPartitionError. */
  watch(topic: TopicId, partition: number, changed: () => void): () => void
  /** The first message at or after the timestamp. */
  messageAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<StampedOffset | undefined>
  /** The first message with the largest timestamp of all. */
  newestMessage(
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<StampedOffset | undefined>
  /** The bounds, with the leader epochs of the first and the last batch; -1 where there is none. */
  epochBounds(
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<OffsetBounds & { readonly firstEpoch: number; readonly lastEpoch: number }>
  /**
   * Deletes the messages before `offset`, or all that there are; durable when it resolves, with the first
   * offset that is left. Rejects with OffsetOutOfRangeError, PartitionOfflineError, DiskFullError.
   */
  deleteRecords(
    topic: TopicId,
    partition: number,
    offset: number | undefined,
    context: RequestContext,
  ): Promise<number>
  /** The end of the largest epoch that is at most `epoch`; epoch -1 and the start where there is none. */
  epochEnd(
    topic: TopicId,
    partition: number,
    epoch: number,
    context: RequestContext,
  ): Promise<{ readonly epoch: number; readonly endOffset: number }>
}
