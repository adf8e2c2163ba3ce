/**
 * What HTTP asks of a broker beyond what every engine can do: changes of topics, and consumer groups. It is
 * all asynchronous, and what there may be many of is asked for together, so that a broker with logs of its
 * own can give it, and one that stands in front of a cluster too. Without it, what needs it is answered
 * with 501.
 */
import type {
  CommitEntry,
  RequestContext,
  TopicConfigEntry,
  TopicDescription,
  TopicId,
  TopicInfo,
  TopicName,
} from '@kaska/protocol'

export interface BrokerParts {
  readonly topics: TopicAdmin
  readonly groups: GroupAdmin
}

/** A setting of a topic, with what can be said of it. */
export interface DescribedSetting extends TopicConfigEntry {
  /** What counts where it is not set for the topic. */
  readonly defaultValue?: string | undefined
  readonly type?: string | undefined
  readonly doc?: string | undefined
  /** What it takes. */
  readonly words?: readonly string[] | undefined
}

/** Of a partition; both offsets are null where it is offline. */
export interface PartitionBounds {
  readonly startOffset: number | null
  readonly endOffset: number | null
  /** Of batches on the disk; null: not known. */
  readonly bytes: number | null
}

export interface TopicAdmin {
  /** Rejects with UnknownTopicError. */
  describeTopic(
    name: TopicName,
    context: RequestContext,
  ): Promise<TopicDescription & { readonly config: readonly DescribedSetting[] }>
  /** Where each partition begins and ends, and how large it is, in the order of their numbers. Rejects with
   * UnknownTopicError. */
  boundsOf(topic: TopicInfo, context: RequestContext): Promise<readonly PartitionBounds[]>
  /** Sets what is given, and takes back to its default what is null: all or nothing. Rejects with
   * InvalidArgumentError, UnknownTopicError. */
  alterTopic(
    name: string,
    changes: ReadonlyMap<string, string | null>,
    context: RequestContext,
  ): Promise<void>
  /** Gives a topic so many partitions, which have to be more than it has. */
  growTopic(name: string, partitions: number, context: RequestContext): Promise<unknown>
  /** Deletes what is before the offset, or all; resolves with the first offset that is left. Rejects with
   * OffsetOutOfRangeError. */
  deleteRecords(
    topic: TopicId,
    partition: number,
    offset: number | undefined,
    context: RequestContext,
  ): Promise<number>
}

/** A member of a group, as a rebalance left it. */
export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** What it reads; empty where that is not known. */
  readonly assignment: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

/** What a group has committed in a partition. */
export interface CommittedValue {
  readonly offset: number
  readonly metadata: string
  /** In wall time; null: not known. */
  readonly committedAt: number | null
  /** What a native client has committed in a broker never expires. */
  readonly isNative: boolean
}

export interface CommittedRow {
  readonly topic: TopicInfo
  readonly partition: number
  readonly value: CommittedValue
}

export interface Group {
  readonly name: string
  /** Kafka's word. */
  readonly state: string
  readonly protocolType: string
  readonly protocolName: string
  readonly members: readonly GroupMember[]
  /** All that is durable, topic by topic; of topics that are there. Valid while commits come. */
  readonly offsets: Iterable<CommittedRow>
}

export interface GroupAdmin {
  /** All groups but so many, those that have offsets and nothing else among them. Valid while they come
   * and go. */
  list(skipped: number, context: RequestContext): AsyncIterable<Group>
  /** With the fate known of all that is under way. Undefined: there is no such group. */
  describe(name: string, context: RequestContext): Promise<Group | undefined>
  /** What is committed in each of these partitions; undefined: nothing. */
  committed(
    name: string,
    topic: TopicInfo,
    partitions: readonly number[],
    context: RequestContext,
  ): Promise<readonly (number | undefined)[]>
  /** Commits for a group that nobody is in, all or none, as its own consumers would. Rejects with
   * GroupActiveError. */
  move(name: string, entries: readonly CommitEntry[], context: RequestContext): Promise<void>
  /** Forgets a group that nobody is in, with its offsets, durably. False: there is none. Rejects with
   * GroupActiveError, OverloadedError. */
  delete(name: string, context: RequestContext): Promise<boolean>
}
