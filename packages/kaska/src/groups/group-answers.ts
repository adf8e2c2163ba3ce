/** What groups are asked and what they answer: Kafka's messages, without what is the same in all. */
import { emptyBytes, type kafka } from '@kaska/protocol'

export type JoinAnswer = Omit<kafka.JoinGroupResponse, 'throttleTimeMs'>
export type SyncAnswer = Omit<kafka.SyncGroupResponse, 'throttleTimeMs'>
export type LeavingMember = kafka.LeaveGroupRequest['members'][number]
export type MemberLeft = kafka.LeaveGroupResponse['members'][number]

/** What a JoinGroup does not say in its fields. */
export interface JoinCaller {
  readonly clientId: string
  /** Kafka's form: `/127.0.0.1`. */
  readonly clientHost: string
  /** Is a new dynamic member only given an id, with which it has to join again (KIP-394)? */
  readonly needsMemberId: boolean
  /** Can a leader be told that there is nothing to assign (KIP-814)? */
  readonly canSkipAssignment: boolean
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** A JoinGroup that is refused. */
export function refuseJoin(errorCode: kafka.KafkaErrorCode, memberId: string): JoinAnswer {
  return {
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

/** A SyncGroup that is refused. */
export function refuseSync(errorCode: kafka.KafkaErrorCode): SyncAnswer {
  return { errorCode, protocolType: null, protocolName: null, assignment: emptyBytes }
}
