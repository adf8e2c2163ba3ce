/**
 * What HTTP asks of a broker that keeps the logs itself, beyond what every engine can do: changes of
 * topics, and consumer groups. Where an engine stands for somebody else's logs there is none of it, and
 * what needs it is answered with 501.
 */
import {
  type kafka,
  type RequestContext,
  type TopicId,
  type TopicInfo,
  UnsupportedOperationError,
} from '@kaska/protocol'
import type { Configured, TopicConfig } from '../config/topic-settings.ts'

export interface BrokerParts {
  readonly topics: TopicChanges
  readonly groups: GroupReads
  readonly offsets: OffsetChanges
}

export interface TopicChanges {
  /** Replaces a topic's settings by what `change` makes of them; what it throws rejects this. */
  alterTopic(
    name: string,
    change: (config: TopicConfig) => ReadonlyMap<string, string>,
    context: RequestContext,
  ): Promise<void>
  /** Gives a topic so many partitions, which have to be more than it has. */
  growTopic(name: string, partitions: number, context: RequestContext): Promise<TopicInfo>
  /** Deletes what is before the offset, or all; resolves with the first offset that is left. */
  deleteRecords(
    topic: TopicId,
    partition: number,
    offset: number | undefined,
    context: RequestContext,
  ): Promise<number>
  topicNamed(name: string): TopicInfo | undefined
  topicById(id: TopicId): TopicInfo | undefined
  /** What is set for a topic, and what counts where nothing is. */
  configOf(id: TopicId): Configured | undefined
}

/** A member of a group, as a rebalance left it. */
export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly assignment: Uint8Array
}

export interface GroupReads {
  /** All groups, those that have offsets and nothing else among them. Valid while they come and go. */
  list(): Iterable<{
    readonly name: string
    readonly state: string
    readonly protocolType: string
  }>
  /** Undefined: there is no such group. */
  describe(name: string):
    | {
        readonly state: string
        readonly protocolType: string
        readonly protocolName: string
        readonly members: readonly GroupMember[]
      }
    | undefined
  hasMembers(name: string): boolean
  /** Forgets a group that nobody is in, with its offsets, durably. */
  delete(name: string): Promise<kafka.KafkaErrorCode>
}

/** What a group has committed in a partition. */
export interface CommittedValue {
  readonly offset: number
  readonly metadata: string
  /** In wall time. */
  readonly committedAt: number
  /** What a native client has committed never expires. */
  readonly isNative: boolean
}

export interface CommittedRow {
  readonly topic: TopicId
  readonly partition: number
  readonly value: CommittedValue
}

export interface OffsetChanges {
  /** All of a group that is durable now, topic by topic. Valid while commits come. */
  allDurable(group: string): Iterable<CommittedRow>
  durable(group: string, topic: TopicId, partition: number): CommittedValue | undefined
  /** Resolves when the fate of all that is under way for the group is known. Never rejects. */
  settled(group: string): Promise<void>
  /** Kafka's code for whether somebody who is no member may commit now. */
  checkCommit(
    group: string,
    committer: {
      readonly memberId: string
      readonly generationId: number
      readonly groupInstanceId: string | null
    },
  ): kafka.KafkaErrorCode
  /** Commits as a Kafka client does: takes effect before it returns, all or none. */
  commitFor(
    group: string,
    commits: readonly {
      readonly topic: TopicId
      readonly partition: number
      readonly offset: number
      readonly leaderEpoch: number
      readonly metadata: string
    }[],
  ): Promise<void>
}

/** Throws UnsupportedOperationError where there is no such broker. */
export function brokerOf({ broker }: { readonly broker?: BrokerParts | undefined }): BrokerParts {
  if (broker !== undefined) return broker
  throw new UnsupportedOperationError('what stands behind this address does not offer this')
}
