/**
 * DescribeGroups (key 15): versions 0 to 6. 3: authorized operations. 4: static members. 5: flexible.
 * 6: a group that does not exist is an error with a text (KIP-1043); before, it is of state Dead.
 */
import { array, bool, bytes, type Decoded, int16, int32, list, message, string } from './schema.ts'

export const describeGroupsRequest = message({
  name: 'DescribeGroupsRequest',
  key: 15,
  versions: '0-6',
  flexible: '5+',
  fields: {
    groups: list(string()),
    includeAuthorizedOperations: bool({ versions: '3+' }),
  },
})
export type DescribeGroupsRequest = Decoded<typeof describeGroupsRequest>

export const describeGroupsResponse = message({
  name: 'DescribeGroupsResponse',
  key: 15,
  versions: '0-6',
  flexible: '5+',
  fields: {
    throttleTimeMs: int32({ versions: '1+' }),
    groups: array('DescribedGroup', {
      errorCode: int16(),
      errorMessage: string({ versions: '6+', nullable: '6+', default: null }),
      groupId: string(),
      groupState: string(),
      protocolType: string(),
      protocolData: string(),
      members: array('DescribedGroupMember', {
        memberId: string(),
        groupInstanceId: string({ versions: '4+', nullable: '4+', default: null }),
        clientId: string(),
        clientHost: string(),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      authorizedOperations: int32({ versions: '3+', default: -0x80000000 }),
    }),
  },
})
export type DescribeGroupsResponse = Decoded<typeof describeGroupsResponse>
