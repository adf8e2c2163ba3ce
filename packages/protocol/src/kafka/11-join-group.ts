/**
 * JoinGroup (key 11): versions 0 to 9. 1: a rebalance timeout apart from the session's. 4: a member
 * without an id is given one and has to join again with it (KIP-394). 5: static members (KIP-345).
 * 6: flexible. 7: the protocol's type and name come back, null where there is none. 8: a reason.
 * 9: the leader may be told to skip the assignment (KIP-814).
 */
import { array, bool, bytes, type Decoded, int16, int32, message, string } from './schema.ts'

export const joinGroupRequest = message({
  name: 'JoinGroupRequest',
  key: 11,
  versions: '0-9',
  flexible: '6+',
  fields: {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ versions: '1+', default: -1 }),
    memberId: string(),
    groupInstanceId: string({ versions: '5+', nullable: '5+', default: null }),
    protocolType: string(),
    protocols: array('JoinGroupRequestProtocol', {
      name: string(),
      metadata: bytes(),
    }),
    reason: string({ versions: '8+', nullable: '8+', default: null }),
  },
})
export type JoinGroupRequest = Decoded<typeof joinGroupRequest>

export const joinGroupResponse = message({
  name: 'JoinGroupResponse',
  key: 11,
  versions: '0-9',
  flexible: '6+',
  fields: {
    throttleTimeMs: int32({ versions: '2+' }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ versions: '7+', nullable: '7+', default: null }),
    protocolName: string({ nullable: '7+' }),
    leader: string(),
    skipAssignment: bool({ versions: '9+' }),
    memberId: string(),
    members: array('JoinGroupResponseMember', {
      memberId: string(),
      groupInstanceId: string({ versions: '5+', nullable: '5+', default: null }),
      metadata: bytes(),
    }),
  },
})
export type JoinGroupResponse = Decoded<typeof joinGroupResponse>
