/** What /stats, /metrics and /connections show, beside what every engine says. */
import type { OffsetBounds, RequestContext, TopicId, TopicInfo } from '@kaska/protocol'
import type { BrokerFigures } from '../figures/broker-figures.ts'

/** Since the start. Bytes are those of whole batches. */
export interface Traffic {
  readonly messagesIn: number
  readonly bytesIn: number
  readonly messagesOut: number
  readonly bytesOut: number
}

/** As it is answered where nobody counts it. */
export const unknownTraffic: Readonly<Record<keyof Traffic, null>> = {
  messagesIn: null,
  bytesIn: null,
  messagesOut: null,
  bytesOut: null,
}

/** A partition of a topic. */
export interface Place {
  readonly topic: TopicId
  readonly partition: number
}

export interface TopicFigures {
  /** Offsets between the start and the end of the partitions, together. */
  readonly messages: number
  /** Of batches on the disk; null: not known. */
  readonly bytes: number | null
  /** False while some partitions are still being looked at, or where some cannot be. */
  readonly isWhole: boolean
  /** Null where it goes through others too. */
  readonly traffic: Traffic | null
}

/** How long and how much of a topic is kept; null: for ever, whatever its size; undefined: not known. */
export interface Retention {
  readonly retentionMs?: number | null
  readonly retentionBytes?: number | null
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

/** What is null or undefined here is not known where the logs are somebody else's. */
export interface FigureSource {
  readonly counted: BrokerFigures
  readonly uptimeMs: number
  readonly dataDirectory: string | null
  readonly sync: 'always' | 'os' | null
  readonly traffic: Traffic | null
  readonly openPartitions: number | null
  readonly budget: { readonly used: number; readonly total: number }
  /** Those that have ended, and their time added up; so many may be under way at once. */
  readonly syncs?: { readonly count: number; readonly runMs: number; readonly parallelMax: number }
  process(): ProcessFigures
  /** Null where there is none: in memory, or elsewhere. Waits so long for the sizes of logs that are not open. */
  disk(waitMs: number): Promise<DiskFigures | null>
  /** Of topics, in their order. */
  retentionOf(topics: readonly TopicInfo[], context: RequestContext): Promise<readonly Retention[]>
  /** Of partitions, in their order; logs stay closed as far as may be. Undefined where one cannot be read. */
  bounds(
    places: readonly Place[],
    context: RequestContext,
  ): Promise<readonly (OffsetBounds | undefined)[]>
  /** Of topics, in their order; logs stay closed as far as may be, and are waited for so long. Undefined:
   * the topic is gone. */
  topicFigures(
    topics: readonly TopicInfo[],
    waitMs: number,
    context: RequestContext,
  ): Promise<readonly (TopicFigures | undefined)[]>
}
