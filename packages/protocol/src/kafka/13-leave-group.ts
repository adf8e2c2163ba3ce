/**
 * LeaveGroup (key 13): versions 0 to 5. 3: several members, static ones among them, in `members` and no
 * longer one at the top (KIP-345). 4: flexible. 5: a reason (KIP-800).
 */
import { array, type Decoded, int16, int32, message, string } from './schema.ts'

export const leaveGroupRequest = message({
  name: 'LeaveGroupRequest',
  key: 13,
  versions: '0-5',
  flexible: '4+',
  fields: {
    groupId: string(),
    memberId: string({ versions: '0-2' }),
    members: array(
      'MemberIdentity',
      {
        memberId: string(),
        groupInstanceId: string({ nullable: '3+', default: null }),
        reason: string({ versions: '5+', nullable: '5+', default: null }),
      },
      { versions: '3+' },
    ),
  },
})
export type LeaveGroupRequest = Decoded<typeof leaveGroupRequest>

export const leaveGroupResponse = message({
  name: 'LeaveGroupResponse',
  key: 13,
  versions: '0-5',
  flexible: '4+',
  fields: {
    throttleTimeMs: int32({ versions: '1+' }),
    errorCode: int16(),
    members: array(
      'MemberResponse',
      {
        memberId: string(),
        groupInstanceId: string({ nullable: '3+' }),
        errorCode: int16(),
      },
      { versions: '3+' },
    ),
  },
})
export type LeaveGroupResponse = Decoded<typeof leaveGroupResponse>
