/** DeleteGroups (key 42), versions 0 to 2: groups that nobody is in, with their offsets, durably. */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

/** Groups that are deleted together. */
const groupsAtOnce = 100

export const deleteGroups = handler({
  key: 42,
  versions: '0-2',
  request: kafka.deleteGroupsRequest,
  response: kafka.deleteGroupsResponse,
  handle: async ({ broker }, { groupsNames }) => {
    const names = Array.from(new Set(groupsNames))
    const results: kafka.DeleteGroupsResponse['results'] = []
    for (let start = 0; start < names.length; start += groupsAtOnce) {
      if (start > 0) await broker.clock.yield()
      const deleting = names.slice(start, start + groupsAtOnce).map(async (groupId) => ({
        groupId,
        errorCode: await broker.groups.delete(groupId),
      }))
      results.push(...(await Promise.all(deleting)))
    }
    return { results }
  },
})
