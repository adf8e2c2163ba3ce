/**
 * DescribeGroups (key 15), versions 0 to 6: groups and their members. A group that there is not is of state
 * Dead, from version 6 on with GROUP_ID_NOT_FOUND (KIP-1043).
 */
import { kafka } from '@kaska/protocol'
import { handler, type KafkaBroker } from './handler.ts'

const { errorCode } = kafka

const notFoundVersionMin = 6

export const describeGroups = handler({
  key: 15,
  versions: '0-6',
  request: kafka.describeGroupsRequest,
  response: kafka.describeGroupsResponse,
  handle: ({ broker }, { groups }, version) => ({
    groups: groups.map((groupId) => describe(broker, groupId, version)),
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
