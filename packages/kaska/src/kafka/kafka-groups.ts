/** What Kafka's handlers ask of the broker's consumer groups. */
import type { kafka } from '@kaska/protocol'

type Code = kafka.KafkaErrorCode
type Member = kafka.LeaveGroupRequest['members'][number]
type MemberLeft = kafka.LeaveGroupResponse['members'][number]

export interface KafkaGroups {
  /**
   * Answers when the next generation begins, and at once with an error. With a signal that is aborted:
   * at once.
   */
  join(
    request: kafka.JoinGroupRequest,
    caller: {
      readonly clientId: string
      /** Kafka's form: `/127.0.0.1`. */
      readonly clientHost: string
      /** Is a new dynamic member only given an id, with which it has to join again (KIP-394)? */
      readonly needsMemberId: boolean
      /** Can a leader be told that there is nothing to assign (KIP-814)? */
      readonly canSkipAssignment: boolean
      readonly signal: AbortSignal
    },
  ): Promise<Omit<kafka.JoinGroupResponse, 'throttleTimeMs'>>
  /** Answers when the leader has said who reads what, and that is durable. */
  sync(
    request: kafka.SyncGroupRequest,
    signal: AbortSignal,
  ): Promise<Omit<kafka.SyncGroupResponse, 'throttleTimeMs'>>
  heartbeat(request: kafka.HeartbeatRequest): Code
  /** The request's own code, and where that is none, a code for each member. */
  leave(
    group: string,
    members: readonly Member[],
  ): { readonly errorCode: Code; readonly members: MemberLeft[] }
  /** All groups, each once. Valid while they come and go. */
  list(): Iterable<{
    readonly name: string
    readonly state: string
    readonly protocolType: string
  }>
  /** Undefined: there is no such group. */
  describe(group: string):
    | {
        readonly state: string
        readonly protocolType: string
        readonly protocolName: string
        readonly members: readonly {
          readonly memberId: string
          readonly groupInstanceId: string | null
          readonly clientId: string
          readonly clientHost: string
          readonly metadata: Uint8Array
          readonly assignment: Uint8Array
        }[]
      }
    | undefined
  /** Deletes a group that has no members, with its offsets, durably. */
  delete(group: string): Promise<Code>
}
