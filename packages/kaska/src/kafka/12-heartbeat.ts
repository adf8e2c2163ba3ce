/** Heartbeat (key 12), versions 0 to 4: a member says that it lives, and hears of a rebalance. */
import { kafka } from '@kaska/protocol'
import { handler } from './handler.ts'

export const heartbeat = handler({
  key: 12,
  versions: '0-4',
  request: kafka.heartbeatRequest,
  response: kafka.heartbeatResponse,
  handle: ({ broker }, request) => ({ errorCode: broker.groups.heartbeat(request) }),
})
