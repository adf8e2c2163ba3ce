/** DeleteGroups (key 42), versions 0 to 2: groups that nobody is in, with their offsets, durably. */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

export const deleteGroups = handler({
  key: 42,
  versions: '0-2',
  request: kafka.deleteGroupsRequest,
  response: kafka.deleteGroupsResponse,
  handle: async ({ broker }, { groupsNames }) => ({
    results: await Promise.all(
      Array.from(new Set(groupsNames), async (groupId) => ({
        groupId,
        errorCode: await broker.groups.delete(groupId),
      })),
    ),
  }),
})
