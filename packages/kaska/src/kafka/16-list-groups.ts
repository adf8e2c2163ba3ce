/**
 * ListGroups (key 16), versions 0 to 5: all groups, or those of some states (from version 4 on, KIP-518) and
 * types (from 5 on, KIP-848). All groups here are classic ones.
 */
import { kafka } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { handler } from './handler.ts'

const groupType = 'classic'

export const listGroups = handler({
  key: 16,
  versions: '0-5',
  request: kafka.listGroupsRequest,
  response: kafka.listGroupsResponse,
  handle: async ({ broker }, { statesFilter, typesFilter }) => {
    const states = new Set(statesFilter.map((state) => state.toLowerCase()))
    const types = new Set(typesFilter.map((type) => type.toLowerCase()))
    const groups: kafka.ListGroupsResponse['groups'] = []
    if (types.size > 0 && !types.has(groupType)) return { groups }
    const slices = new Slices(broker.clock)
    for (const { name, state, protocolType } of broker.groups.list()) {
      if (slices.isDue) await slices.pause()
      if (states.size > 0 && !states.has(state.toLowerCase())) continue
      groups.push({ groupId: name, protocolType, groupState: state, groupType })
    }
    return { groups }
  },
})
