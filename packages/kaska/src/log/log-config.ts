/**
 * What a log is given: the settings of one partition, which may change while it is open, and what
 * all logs of a broker share.
 */
import type { Clock, Crc32c } from '@kaska/protocol'
import type { Checkpoints } from './checkpoints.ts'
import type { Disk } from './disk.ts'
import type { FileCache } from './file-cache.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { IndexCache } from './segment-index.ts'
import type { SyncQueue } from './sync-queue.ts'

/**
 * `always`: acknowledged and readable is what the disk has. `os`: what the operating system has.
 */
export type SyncMode = 'always' | 'os'

/** The settings of one partition, by Kafka's meanings. Bytes, and milliseconds. */
export interface LogConfig {
  /** `max.message.bytes`: the largest batch, its 61 byte header included. */
  readonly maxMessageBytes: number
  /** `segment.bytes`: a segment that would grow over it is rolled. */
  readonly segmentBytes: number
  /** `segment.ms`: a segment whose first batch is older is rolled at the next append. */
  readonly segmentMs: number
  /** `index.interval.bytes`: how much log lies between two index entries. */
  readonly indexIntervalBytes: number
  /** `retention.ms`; undefined keeps for ever. */
  readonly retentionMs: number | undefined
  /** `retention.bytes`; undefined keeps any size. */
  readonly retentionBytes: number | undefined
  /** `message.timestamp.after.max.ms`: how far a sender's clock may be ahead; undefined: any. */
  readonly timestampAfterMsMax: number | undefined
  /** `message.timestamp.type=LogAppendTime`: the broker stamps each batch when it is appended. */
  readonly stampAtAppend: boolean
}

/** Kafka's defaults but for the batch size: 64 MiB and room for the batch's own bytes. */
export const defaultLogConfig: LogConfig = {
  maxMessageBytes: 64 * 1024 * 1024 + 4096,
  segmentBytes: 1024 * 1024 * 1024,
  segmentMs: 7 * 24 * 3600 * 1000,
  indexIntervalBytes: 4096,
  retentionMs: undefined,
  retentionBytes: undefined,
  timestampAfterMsMax: undefined,
  stampAtAppend: false,
}

/** One for all logs of a broker; `DataDirectory` makes it. */
export interface LogShared {
  readonly disk: Disk
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly syncMode: SyncMode
  /** Broker-wide, one higher at each start; stamped into every batch. */
  readonly leaderEpoch: number
  /** The first leader epoch since the operating system was started (`Disk.bootId`). */
  readonly bootEpoch: number
  readonly syncQueue: SyncQueue
  readonly budget: MemoryBudget
  readonly files: FileCache
  readonly indexes: IndexCache
  readonly checkpoints: Checkpoints
  /** Makes room on a full disk for what frees space itself; false: there is none to give. */
  giveUpReserve(): Promise<boolean>
  report(event: LogEvent): void
}

/** What a person who runs the broker should hear of. `text` is one sentence that names the place. */
export interface LogEvent {
  readonly kind:
    | 'tail-cut'
    | 'offline'
    | 'index-rebuilt'
    | 'disk-full'
    | 'checkpoint-failed'
    | 'removal-failed'
  /** The log's directory. */
  readonly directory: string
  readonly text: string
}
