/**
 * SyncGroup (key 14): versions 0 to 5. 3: static members (KIP-345). 4: flexible. 5: the protocol's
 * type and name, which have to be the group's (KIP-559).
 */
import { array, bytes, type Decoded, int16, int32, message, string } from './schema.ts'

export const syncGroupRequest = message({
  name: 'SyncGroupRequest',
  key: 14,
  versions: '0-5',
  flexible: '4+',
  fields: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
    protocolType: string({ versions: '5+', nullable: '5+', default: null }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null }),
    assignments: array('SyncGroupRequestAssignment', {
      memberId: string(),
      assignment: bytes(),
    }),
  },
})
export type SyncGroupRequest = Decoded<typeof syncGroupRequest>

export const syncGroupResponse = message({
  name: 'SyncGroupResponse',
  key: 14,
  versions: '0-5',
  flexible: '4+',
  fields: {
    throttleTimeMs: int32({ versions: '1+' }),
    errorCode: int16(),
    protocolType: string({ versions: '5+', nullable: '5+', default: null }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null }),
    assignment: bytes(),
  },
})
export type SyncGroupResponse = Decoded<typeof syncGroupResponse>
