/** DeleteGroups (key 42): versions 0 to 2. 2: flexible. */
import { array, type Decoded, int16, int32, list, message, string } from './schema.ts'

export const deleteGroupsRequest = message({
  name: 'DeleteGroupsRequest',
  key: 42,
  versions: '0-2',
  flexible: '2+',
  fields: {
    groupsNames: list(string()),
  },
})
export type DeleteGroupsRequest = Decoded<typeof deleteGroupsRequest>

export const deleteGroupsResponse = message({
  name: 'DeleteGroupsResponse',
  key: 42,
  versions: '0-2',
  flexible: '2+',
  fields: {
    throttleTimeMs: int32(),
    results: array('DeletableGroupResult', {
      groupId: string(),
      errorCode: int16(),
    }),
  },
})
export type DeleteGroupsResponse = Decoded<typeof deleteGroupsResponse>
