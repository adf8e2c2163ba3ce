/**
 * DescribeGroups (key 15), versions 0 to 6: groups and their members. A group that there is not is of state
 * Dead, from version 6 on with GROUP_ID_NOT_FOUND (KIP-1043).
 */
import { kafka } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { handler, type KafkaBroker } from './handler.ts'

const { errorCode } = kafka

type Row = Partial<kafka.DescribeGroupsResponse['groups'][number]>

/** All that Kafka knows for groups: read, delete, describe, describe and alter its configuration. */
const allOperations = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11)

const notFoundVersionMin = 6

export const describeGroups = handler({
  key: 15,
  versions: '0-6',
  request: kafka.describeGroupsRequest,
  response: kafka.describeGroupsResponse,
  handle: async ({ broker }, { groups, includeAuthorizedOperations }, version) => {
    const rows: Row[] = []
    const slices = new Slices(broker.clock)
    // Once each: the answer is no longer than what there is to tell.
    for (const groupId of new Set(groups)) {
      if (slices.isDue) await slices.pause()
      const row = describe(broker, groupId, version)
      const hasOperations = includeAuthorizedOperations && row.errorCode === undefined
      rows.push(hasOperations ? { ...row, authorizedOperations: allOperations } : row)
    }
    return { groups: rows }
  },
})

function describe({ groups }: KafkaBroker, groupId: string, version: number): Row {
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
