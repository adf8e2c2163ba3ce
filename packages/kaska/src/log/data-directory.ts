/**
 * A data directory, opened by one broker:
 *
 *   kaska.json                        format version, cluster id, node id, leader epoch
 *   lock                              held by the process that has it open
 *   reserve                           space given up when the disk is full, so that topics can be deleted
 *   state/<name>/                     a state log each: topics, offsets, producers
 *   topics/<topic id>-<partition>/    a partition's log each
 */
import type { Clock, Crc32c, Random } from '@kaska/protocol'
import type { Disk } from './disk.ts'
import type { LogConfig, LogEvent, LogShared, SyncMode } from './log-config.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { PartitionLog } from './partition-log.ts'
import type { State, StateLog } from './state-log.ts'

export interface DataDirectoryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly crc32c: Crc32c
  readonly syncMode: SyncMode
  readonly budget: MemoryBudget
  /** How many files may be open; 512. */
  readonly openFilesMax?: number
  /** How many syncs may be under way; 16. */
  readonly syncsMax?: number
  report(event: LogEvent): void
}

export class DataDirectory {
  /**
   * Locks it, checks its format, raises the leader epoch. Rejects with DataDirectoryLockedError,
   * DataDirectoryError.
   */
  static open(_options: DataDirectoryOptions): Promise<DataDirectory> {
    throw new Error('not built yet')
  }

  /** 22 characters of base64url, made at the first start. */
  readonly clusterId!: string
  readonly nodeId!: number
  readonly shared!: LogShared

  /**
   * Opens the log of a partition; `id` is `<topicId>-<partition>`. To be done when it is first needed:
   * an idle partition costs nothing.
   */
  openPartition(_id: string, _config: LogConfig): Promise<PartitionLog> {
    throw new Error('not built yet')
  }

  /** Removes what a partition left on the disk without opening it. */
  removePartition(_id: string): Promise<void> {
    throw new Error('not built yet')
  }

  /** The ids of all partitions that have a directory. */
  partitions(): Promise<string[]> {
    throw new Error('not built yet')
  }

  /** Opens a state log: the state is rebuilt by `apply` when it resolves. DataDirectoryError if damaged. */
  openState(_name: string, _state: State): Promise<StateLog> {
    throw new Error('not built yet')
  }

  /** Closes every log that is open, then unlocks. */
  close(): Promise<void> {
    throw new Error('not built yet')
  }
}
