/**
 * FindCoordinator (key 10): versions 0 to 6. 1: the type of the key (0 group, 1 transaction; 2 share
 * group from 6 on). 3: flexible. 4: several keys in one request, answered in `coordinators` (KIP-699).
 * 5: transactions by KIP-890.
 */
import { array, type Decoded, int8, int16, int32, list, message, string } from './schema.ts'

export const findCoordinatorRequest = message({
  name: 'FindCoordinatorRequest',
  key: 10,
  versions: '0-6',
  flexible: '3+',
  fields: {
    key: string({ versions: '0-3' }),
    keyType: int8({ versions: '1+' }),
    coordinatorKeys: list(string(), { versions: '4+' }),
  },
})
export type FindCoordinatorRequest = Decoded<typeof findCoordinatorRequest>

export const findCoordinatorResponse = message({
  name: 'FindCoordinatorResponse',
  key: 10,
  versions: '0-6',
  flexible: '3+',
  fields: {
    throttleTimeMs: int32({ versions: '1+' }),
    errorCode: int16({ versions: '0-3' }),
    errorMessage: string({ versions: '1-3', nullable: '1-3' }),
    nodeId: int32({ versions: '0-3' }),
    host: string({ versions: '0-3' }),
    port: int32({ versions: '0-3' }),
    coordinators: array(
      'Coordinator',
      {
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '4+' }),
      },
      { versions: '4+' },
    ),
  },
})
export type FindCoordinatorResponse = Decoded<typeof findCoordinatorResponse>
