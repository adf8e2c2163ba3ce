/** What a broker counts, over all of its ports: made with it, and given to those who count. */
import type { Clock } from '@kaska/protocol'
import { ConnectionLog } from './connection-log.ts'
import { RequestFigures } from './request-figures.ts'

export interface BrokerFigures {
  readonly requests: RequestFigures
  readonly connections: ConnectionLog
}

export function createFigures(clock: Clock): BrokerFigures {
  return { requests: new RequestFigures(), connections: new ConnectionLog(clock) }
}
