/**
 * ListGroups (key 16): versions 0 to 5. 3: flexible. 4: by state (KIP-518). 5: by type (KIP-848).
 */
import { array, type Decoded, int16, int32, list, message, string } from './schema.ts'

export const listGroupsRequest = message({
  name: 'ListGroupsRequest',
  key: 16,
  versions: '0-5',
  flexible: '3+',
  fields: {
    statesFilter: list(string(), { versions: '4+' }),
    typesFilter: list(string(), { versions: '5+' }),
  },
})
export type ListGroupsRequest = Decoded<typeof listGroupsRequest>

export const listGroupsResponse = message({
  name: 'ListGroupsResponse',
  key: 16,
  versions: '0-5',
  flexible: '3+',
  fields: {
    throttleTimeMs: int32({ versions: '1+' }),
    errorCode: int16(),
    groups: array('ListedGroup', {
      groupId: string(),
      protocolType: string(),
      groupState: string({ versions: '4+' }),
      groupType: string({ versions: '5+' }),
    }),
  },
})
export type ListGroupsResponse = Decoded<typeof listGroupsResponse>
