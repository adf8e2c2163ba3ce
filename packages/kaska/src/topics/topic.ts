/** A topic as the broker keeps it: small, for there may be hundreds of thousands that nobody uses. */
import type { TopicId, TopicInfo } from '@kaska/protocol'
import type { Partition } from './partition.ts'
import type { TopicConfig } from './topic-config.ts'

export class Topic implements TopicInfo {
  readonly name: string
  readonly id: TopicId
  readonly partitions: number
  /** Topics are numbered as they are created; a number is never given twice. */
  readonly created: number
  /** What was set for this topic; shared by all that have no settings of their own. */
  config: TopicConfig
  isDeleted = false
  /** Those partitions that were used since the start, by their numbers. */
  used: Map<number, Partition> | undefined = undefined

  constructor(info: TopicInfo, created: number, config: TopicConfig) {
    this.name = info.name
    this.id = info.id
    this.partitions = info.partitions
    this.created = created
    this.config = config
  }
}
