/**
 * GET /api/v1/connections: who is connected, the oldest first, in pages; and of those that this side has
 * ended for what they sent, or did not send, the last ones.
 */
import type { Connection, ConnectionLog } from '../figures/connection-log.ts'
import type { HttpApp, HttpParts } from './http-parts.ts'
import { integerQuery } from './parameters.ts'

const pageMax = 1000

export function connectionPaths(app: HttpApp, { figures }: HttpParts): void {
  app.get('/api/v1/connections', (context) => {
    const log = figures.counted.connections
    const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }
    const cursor = integerQuery(context.req, 'cursor', bounds, 0)
    const connections: object[] = []
    let next: number | undefined
    for (const connection of log.from(cursor)) {
      if (connections.length === pageMax) {
        next = connection.id
        break
      }
      connections.push(connectionRow(connection, log))
    }
    const refused = log.notes
    return context.json(
      next === undefined ? { connections, refused } : { connections, refused, next },
    )
  })
}

function connectionRow(connection: Connection, log: ConnectionLog) {
  const { id, protocol, address, isTls, clientId, software, connectedAt, lastRequest } = connection
  const { bytesIn, bytesOut } = connection.bytes
  const requests = Array.from(connection.operations, ([{ operation }, { count, failures }]) => {
    return { operation, count, failures }
  })
  return {
    id,
    protocol,
    address,
    isTls,
    clientId,
    software,
    connectedAt,
    lastRequestAt: lastRequest === undefined ? null : log.wallTimeOf(lastRequest),
    bytesIn,
    bytesOut,
    requests,
    lastError: connection.lastError ?? null,
  }
}
