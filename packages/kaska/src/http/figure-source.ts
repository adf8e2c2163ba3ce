/** What /stats, /metrics and /connections show, beside what every engine says. */
import type { OffsetBounds, TopicId, TopicInfo } from '@kaska/protocol'
import type { BrokerFigures } from '../figures/broker-figures.ts'

/** Since the start. Bytes are those of whole batches. */
export interface Traffic {
  readonly messagesIn: number
  readonly bytesIn: number
  readonly messagesOut: number
  readonly bytesOut: number
}

export interface TopicFigures extends Traffic {
  /** Offsets between the start and the end of the partitions, together. */
  readonly messages: number
  /** Of batches on the disk. */
  readonly bytes: number
  /** False while some partitions are still being looked at. */
  readonly isWhole: boolean
}

/** Of the process that the broker runs in. */
export interface ProcessFigures {
  readonly rssBytes: number
  readonly heapBytes: number
  /** Processor time since its start. */
  readonly cpuSeconds: number
  /** When it began, in wall time. */
  readonly startedAt: number
  /** Of the time since then, how much the event loop did not wait for something to do. */
  readonly eventLoopBusySeconds: number
  /** Files and sockets that it may have open; undefined where the system does not tell. */
  readonly openFilesMax: number | undefined
  /** How late timers were of late: what held the event loop. */
  readonly eventLoop: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
}

export interface DiskFigures {
  /** Of messages. */
  readonly usedBytes: number
  readonly freeBytes: number
}

export interface PartitionExtent extends OffsetBounds {
  /** Of batches on the disk. */
  readonly bytes: number
}

export interface FigureSource {
  readonly counted: BrokerFigures
  readonly uptimeMs: number
  readonly dataDirectory: string | null
  readonly sync: 'always' | 'os'
  readonly traffic: Traffic
  readonly topicCount: number
  readonly openPartitions: number
  readonly budget: { readonly used: number; readonly total: number }
  process(): ProcessFigures
  /** Null in memory. Waits so long for the sizes of logs that are not open. */
  disk(waitMs: number): Promise<DiskFigures | null>
  /** All topics in the order of their creation. Valid while they come and go. */
  topics(): Iterable<TopicInfo>
  /** How long and how much of a topic is kept; null: for ever, whatever its size. */
  retentionOf(topic: TopicId): {
    readonly retentionMs: number | null
    readonly retentionBytes: number | null
  }
  /** Of a partition, whose log stays closed as far as may be; undefined where it cannot be read. */
  bounds(topic: TopicId, partition: number): Promise<PartitionExtent | undefined>
  /** Of one topic; logs stay closed as far as may be, and are waited for so long. Rejects with
   * UnknownTopicError. */
  topicFigures(topic: TopicId, waitMs: number): Promise<TopicFigures>
}
