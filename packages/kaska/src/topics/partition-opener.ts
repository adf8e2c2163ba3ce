/** Opens the logs of partitions, and removes those of deleted topics: a limited number at a time. */
import { KaskaError, PartitionOfflineError, type TopicId } from '@kaska/protocol'
import type { Configured } from '../config/topic-settings.ts'
import type { LogConfig } from '../log/log-config.ts'
import type { LogExtent } from '../log/log-extent.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { Gate } from './gate.ts'
import { logConfigOf } from './topic-config.ts'

/** What is needed of the data directory. */
export interface PartitionDirectory {
  openPartition(id: string, config: LogConfig, tailBytesMax: () => number): Promise<PartitionLog>
  retentionDue(id: string, config: LogConfig): Promise<number>
  partitionExtent(id: string): Promise<LogExtent | undefined>
  removePartition(id: string): Promise<void>
  syncRemovals(): Promise<void>
}

/** The topic of a log, with what is set for it now. */
type OpenedTopic = Configured & { readonly id: TopicId }

const atOnceMax = 32

export class PartitionOpener {
  readonly #directory: PartitionDirectory
  readonly #report: (line: string) => void
  readonly #gate = new Gate(atOnceMax)

  constructor(directory: PartitionDirectory, report: (line: string) => void) {
    this.#directory = directory
    this.#report = report
  }

  /**
   * `tailBytesMax`: how much of what was appended last is kept in memory. Rejects with PartitionOfflineError where
   * the disk refuses.
   */
  async open(
    topic: OpenedTopic,
    partition: number,
    tailBytesMax: () => number,
  ): Promise<PartitionLog> {
    const id = partitionId(topic.id, partition)
    try {
      const { config } = topic
      const log = await this.#gate.run(() =>
        this.#directory.openPartition(id, logConfigOf(topic), tailBytesMax),
      )
      // The settings may have been changed meanwhile.
      if (topic.config !== config) log.config = logConfigOf(topic)
      return log
    } catch (cause) {
      if (cause instanceof KaskaError) throw cause
      const text = `the log of ${id} cannot be opened: ${cause}`
      this.#report(text)
      throw new PartitionOfflineError(text, { cause })
    }
  }

  /** When a log that is not open may have something to delete. Rejects with DiskError. */
  retentionDue(
    topic: Pick<OpenedTopic, 'id'>,
    partition: number,
    config: LogConfig,
  ): Promise<number> {
    return this.#directory.retentionDue(partitionId(topic.id, partition), config)
  }

  /** What a log holds that is not open; undefined where only opening it can tell. Rejects with DiskError. */
  extent(topic: Pick<OpenedTopic, 'id'>, partition: number): Promise<LogExtent | undefined> {
    return this.#directory.partitionExtent(partitionId(topic.id, partition))
  }

  /** Closes a log that nobody uses. Never rejects. */
  async close(log: PartitionLog): Promise<void> {
    try {
      await this.#gate.run(() => log.close())
    } catch (error) {
      this.#report(`${log.directory} cannot be closed: ${error}`)
    }
  }

  /** Removes what the partitions of a deleted topic left on the disk, durably. Rejects with DiskError. */
  async remove(topic: TopicId, partitions: number): Promise<void> {
    for (let start = 0; start < partitions; start += atOnceMax) {
      const count = Math.min(atOnceMax, partitions - start)
      await Promise.all(
        Array.from({ length: count }, (_, index) =>
          this.#directory.removePartition(partitionId(topic, start + index)),
        ),
      )
    }
    await this.#directory.syncRemovals()
  }
}

function partitionId(topic: TopicId, partition: number): string {
  return `${topic}-${partition}`
}
