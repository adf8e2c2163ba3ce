/**
 * SyncGroup (key 14), versions 0 to 5: the leader says who reads what, and all members are told their
 * part. It is durable then. From version 5 on a member has to say which protocol it believes to be chosen
 * (KIP-559).
 */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

const { errorCode } = kafka

const protocolVersionMin = 5

export const syncGroup = handler({
  key: 14,
  versions: '0-5',
  request: kafka.syncGroupRequest,
  response: kafka.syncGroupResponse,
  handle: ({ broker, signal }, request, version) => {
    const { protocolType, protocolName } = request
    if (version >= protocolVersionMin && (protocolType === null || protocolName === null)) {
      return { errorCode: errorCode.INCONSISTENT_GROUP_PROTOCOL }
    }
    return broker.groups.sync(request, signal)
  },
})
