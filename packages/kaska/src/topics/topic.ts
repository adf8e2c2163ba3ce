/** A topic as the broker keeps it: small, for there may be hundreds of thousands that nobody uses. */
import type { TopicId, TopicInfo } from '@kaska/protocol'
import type { Configured, TopicConfig, TopicDefaults } from '../config/topic-settings.ts'
import type { Partition } from './partition.ts'
import type { UnusedExtents } from './unused-extents.ts'

/**
 *   creating ---> live ---> deleting ---> deleted
 *      |           ^           |
 *      |           +-----------+  the deletion could not be recorded
 *      +--> deleted               the creation could not be recorded
 *
 * A topic that is being created is seen by nobody: it could still be lost. One that is being deleted
 * is used as before until its deletion is recorded.
 */
export type TopicState = 'creating' | 'live' | 'deleting' | 'deleted'

export class Topic implements TopicInfo {
  readonly name: string
  readonly id: TopicId
  /** Only ever grows. */
  partitions: number
  /** Topics are numbered as they are created; a number is never given twice. */
  readonly created: number
  /** What was set for this topic; shared by all that have no settings of their own. */
  config: TopicConfig
  /** What it has where `config` says nothing: that of all topics that were made as it was. */
  readonly defaults: TopicDefaults
  state: TopicState
  /**
   * Wall time at which those of its logs that are not open may have something to delete: see retention.ts.
   * To be set to 0 when that may have changed.
   */
  retentionDue = 0
  /** Those partitions that were used since the start, by their numbers. */
  used: Map<number, Partition> | undefined = undefined
  /** So many partitions, from the first one on, were looked at for what they hold: see topic-sizes.ts. */
  partitionsSeen = 0
  /** What those hold of them that were not used; undefined where that is nothing. */
  unused: UnusedExtents | undefined = undefined

  constructor(
    info: TopicInfo,
    created: number,
    { config, defaults }: Configured,
    state: TopicState,
  ) {
    this.name = info.name
    this.id = info.id
    this.partitions = info.partitions
    this.created = created
    this.config = config
    this.defaults = defaults
    this.state = state
  }

  /** May it be used? */
  get isOpen(): boolean {
    return this.state === 'live' || this.state === 'deleting'
  }
}
