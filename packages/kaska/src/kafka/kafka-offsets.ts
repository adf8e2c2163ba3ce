/** What Kafka's handlers ask of the store of committed offsets (groups/offset-store.ts is one). */
import type { kafka, TopicId } from '@kaska/protocol'

/** Who commits. */
export interface OffsetCommitter {
  readonly memberId: string
  readonly generationId: number
  readonly groupInstanceId: string | null
}

/** What is committed in a partition. */
export interface CommittedPartition {
  readonly topic: TopicId
  readonly partition: number
  /** A safe integer, perhaps a negative one. */
  readonly offset: number
  /** -1: not said. */
  readonly leaderEpoch: number
  readonly metadata: string
  /** How long it is to be kept; undefined: as the broker is configured. */
  readonly retentionMs?: number | undefined
}

export type DurableOffset = Pick<CommittedPartition, 'offset' | 'leaderEpoch' | 'metadata'>

export interface KafkaOffsets {
  /** Kafka's code for whether it may commit now; GROUP_ID_NOT_FOUND for members of no group. */
  checkCommit(group: string, committer: OffsetCommitter): kafka.KafkaErrorCode
  /** Takes effect before it returns, all or none. Rejects with DiskFullError, OverloadedError. */
  commitFor(group: string, commits: readonly CommittedPartition[]): Promise<void>
  /**
   * Runs what commits for the group in slices: until it is over, `slicing` says so. Settles as `run`
   * does.
   */
  inSlices(group: string, run: () => Promise<void>): Promise<void>
  /** Resolves when what commits for the group in slices is over; undefined: nothing does. */
  slicing(group: string): Promise<void> | undefined
  /** Resolves when the fate of all that is under way for the group is known. Never rejects. */
  settled(group: string): Promise<void>
  /** What is durable now. */
  durable(group: string, topic: TopicId, partition: number): DurableOffset | undefined
  /** All of a group that is durable now, topic by topic. Valid while commits come. */
  allDurable(group: string): Iterable<{
    readonly topic: TopicId
    readonly partition: number
    readonly value: DurableOffset
  }>
  /** Kafka's code for whether offsets of the group may be deleted. */
  checkDelete(group: string): kafka.KafkaErrorCode
  isSubscribed(group: string, topic: string): boolean
  /** Forgets what is committed there, durably. Rejects with DiskFullError. */
  deleteOffsets(
    group: string,
    partitions: readonly { readonly topic: TopicId; readonly partition: number }[],
  ): Promise<void>
}
