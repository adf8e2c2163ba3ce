/**
 * LeaveGroup (key 13), versions 0 to 5: members leave at once, and need not be waited for. From version 3
 * on several, static ones by their instance id among them (KIP-345), with a code for each.
 */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

const batchedVersionMin = 3

/** Members that leave in one turn. */
const membersAtOnce = 1000

export const leaveGroup = handler({
  key: 13,
  versions: '0-5',
  request: kafka.leaveGroupRequest,
  response: kafka.leaveGroupResponse,
  handle: async ({ broker }, { groupId, memberId, members }, version) => {
    if (version < batchedVersionMin) {
      const one = { memberId, groupInstanceId: null, reason: null }
      const answer = broker.groups.leave(groupId, [one])
      return { errorCode: answer.errorCode || (answer.members[0]?.errorCode ?? 0) }
    }
    const answer = broker.groups.leave(groupId, members.slice(0, membersAtOnce))
    for (let start = membersAtOnce; start < members.length; start += membersAtOnce) {
      await broker.clock.yield()
      const some = members.slice(start, start + membersAtOnce)
      answer.members.push(...broker.groups.leave(groupId, some).members)
    }
    return answer
  },
})
