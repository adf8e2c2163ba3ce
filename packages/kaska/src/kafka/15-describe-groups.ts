/**
 * DescribeGroups (key 15), versions 0 to 6: groups and their members. A group that there is not is of state
 * Dead, from version 6 on with GROUP_ID_NOT_FOUND (KIP-1043).
 */
import { kafka } from '@kaska/protocol'
import { handler, type KafkaBroker } from './handler.ts'

const { errorCode } = kafka

/** All that Kafka knows for groups: read, delete, describe, describe and alter its configuration. */
const allOperations = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11)

const notFoundVersionMin = 6

export const describeGroups = handler({
  key: 15,
  versions: '0-6',
  request: kafka.describeGroupsRequest,
  response: kafka.describeGroupsResponse,
  handle: ({ broker }, { groups, includeAuthorizedOperations }, version) => ({
    groups: groups.map((groupId) => {
      const row = describe(broker, groupId, version)
      const hasOperations = includeAuthorizedOperations && !('errorCode' in row)
      return hasOperations ? { ...row, authorizedOperations: allOperations } : row
    }),
  }),
})

function describe({ groups }: KafkaBroker, groupId: string, version: number) {
  const group = groups.describe(groupId)
  if (group === undefined) {
    const dead = { groupId, groupState: 'Dead' }
    if (version < notFoundVersionMin) return dead
    const errorMessage = `Group ${groupId} not found.`
    return { ...dead, errorCode: errorCode.GROUP_ID_NOT_FOUND, errorMessage }
  }
  return {
    groupId,
    groupState: group.state,
    protocolType: group.protocolType,
    protocolData: group.protocolName,
    members: group.members.map(({ metadata, assignment, ...member }) => ({
      ...member,
      memberMetadata: metadata,
      memberAssignment: assignment,
    })),
  }
}
