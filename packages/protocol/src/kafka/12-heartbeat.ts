/** Heartbeat (key 12): versions 0 to 4. 3: static members (KIP-345). 4: flexible. */
import { type Decoded, int16, int32, message, string } from './schema.ts'

export const heartbeatRequest = message({
  name: 'HeartbeatRequest',
  key: 12,
  versions: '0-4',
  flexible: '4+',
  fields: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
  },
})
export type HeartbeatRequest = Decoded<typeof heartbeatRequest>

export const heartbeatResponse = message({
  name: 'HeartbeatResponse',
  key: 12,
  versions: '0-4',
  flexible: '4+',
  fields: {
    throttleTimeMs: int32({ versions: '1+' }),
    errorCode: int16(),
  },
})
export type HeartbeatResponse = Decoded<typeof heartbeatResponse>
