/**
 * LeaveGroup (key 13), versions 0 to 5: members leave at once, and need not be waited for. From version 3
 * on several, static ones by their instance id among them (KIP-345), with a code for each.
 */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

const batchedVersionMin = 3

export const leaveGroup = handler({
  key: 13,
  versions: '0-5',
  request: kafka.leaveGroupRequest,
  response: kafka.leaveGroupResponse,
  handle: ({ broker }, { groupId, memberId, members }, version) => {
    if (version >= batchedVersionMin) return broker.groups.leave(groupId, members)
    const one = { memberId, groupInstanceId: null, reason: null }
    const answer = broker.groups.leave(groupId, [one])
    return { errorCode: answer.errorCode || (answer.members[0]?.errorCode ?? 0) }
  },
})
