/**
 * JoinGroup (key 11), versions 0 to 9: waits until all members have joined. From version 4 on a new member
 * is given an id first (KIP-394), from 9 on a leader may be told to leave the assignment as it is
 * (KIP-814).
 */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

const rebalanceTimeoutVersionMin = 1
const memberIdVersionMin = 4
const nullableProtocolVersionMin = 7
const skipAssignmentVersionMin = 9

export const joinGroup = handler({
  key: 11,
  versions: '0-9',
  request: kafka.joinGroupRequest,
  response: kafka.joinGroupResponse,
  handle: async (context, request, version) => {
    const hasOwnTimeout = version >= rebalanceTimeoutVersionMin
    const rebalanceTimeoutMs = hasOwnTimeout ? request.rebalanceTimeoutMs : request.sessionTimeoutMs
    const answer = await context.broker.groups.join(
      { ...request, rebalanceTimeoutMs: Math.max(0, rebalanceTimeoutMs) },
      {
        clientId: context.request.clientId,
        clientHost: `/${hostOf(context.request.address)}`,
        needsMemberId: version >= memberIdVersionMin,
        canSkipAssignment: version >= skipAssignmentVersionMin,
        signal: context.signal,
      },
    )
    if (version >= nullableProtocolVersionMin) return answer
    return { ...answer, protocolName: answer.protocolName ?? '' }
  },
})

/** `127.0.0.1` of `127.0.0.1:51234`, `::1` of `[::1]:51234`. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}
