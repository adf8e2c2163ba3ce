/**
 * SyncGroup (key 14), versions 0 to 5: the leader says who reads what, and all members are told their
 * part. It is durable then.
 */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

export const syncGroup = handler({
  key: 14,
  versions: '0-5',
  request: kafka.syncGroupRequest,
  response: kafka.syncGroupResponse,
  handle: ({ broker, signal }, request) => broker.groups.sync(request, signal),
})
