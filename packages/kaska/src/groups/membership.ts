/**
 * What committed offsets ask about a group's members, and what a group asks about its offsets: the
 * coordinator (group-coordinator.ts) and the offsets (offset-store.ts) know each other by these alone.
 */
import type { kafka } from '@kaska/protocol'

/** Who commits, as an OffsetCommit says it. */
export interface CommitMember {
  /** Empty: somebody who keeps its offsets in the broker, but is in no group. */
  readonly memberId: string
  /** -1 with an empty member id. */
  readonly generationId: number
  readonly groupInstanceId: string | null
}

export interface Membership {
  /** Has the group members now? */
  hasMembers(group: string): boolean
  /** Says with Kafka's code whether this member may commit now; counts as its heartbeat if so. */
  checkCommit(group: string, member: CommitMember): kafka.KafkaErrorCode
  /** Does a member of the group subscribe to the topic, as far as its subscription can be read? */
  isSubscribed(group: string, topic: string): boolean
  /** What its members' protocol is for, 'consumer' as a rule; undefined: it has no members now. */
  protocolType(group: string): string | undefined
  /** Since when the group has no members, in wall time; undefined: it has some, or never had. */
  emptySince(group: string): number | undefined
}

export interface GroupOffsets {
  /** The groups that have offsets, each once. Valid while they come and go. */
  groups(): Iterable<string>
  hasOffsets(group: string): boolean
  /** Forgets all offsets of a group, durably. */
  forgetGroup(group: string): Promise<void>
}
