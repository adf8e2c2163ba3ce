/** What the engine needs of the store of committed offsets (groups/offset-store.ts is one). */
import type { CommitEntry, TopicId } from '@kaska/protocol'

export interface CommittedOffsets {
  /** All entries or none; durable when it resolves. Rejects with DiskFullError. */
  commit(group: string, entries: readonly CommitEntry[]): Promise<void>
  /** What was committed last, and is durable. */
  committed(group: string, topic: TopicId, partition: number): Promise<number | undefined>
  /** Forgets the offsets of a topic that was deleted. */
  forgetTopic(topic: TopicId): Promise<void>
}
