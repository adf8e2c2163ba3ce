/** What the engine needs of the store of committed offsets (groups/offset-store.ts is one). */
import type { CommitEntry, TopicId } from '@kaska/protocol'

/** Where a group stands in a partition. */
export interface CommittedOffset {
  /** Of the next message that the group wants. A Kafka client may commit a negative one. */
  readonly offset: number
  /** Of the last message that was read; -1 where the committer did not say. */
  readonly leaderEpoch: number
  /** What the committer keeps with it. */
  readonly metadata: string
  /** In wall time. */
  readonly committedAt: number
  /** What a native client has committed never expires. */
  readonly isNative: boolean
  /** When the committer wanted it to expire, in wall time; undefined: as the broker is configured. */
  readonly expiresAt: number | undefined
}

export interface CommittedOffsets {
  /**
   * Commits for a native client: all entries or none; durable when it resolves. Rejects with
   * GroupActiveError, DiskFullError, OverloadedError.
   */
  commit(group: string, entries: readonly CommitEntry[]): Promise<void>
  /** What was committed last, and is durable. */
  committed(group: string, topic: TopicId, partition: number): Promise<number | undefined>
  /** Forgets the offsets of a topic that was deleted. */
  forgetTopic(topic: TopicId): Promise<void>
}
