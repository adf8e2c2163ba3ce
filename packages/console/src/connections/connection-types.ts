/** What the broker says about connections: GET /api/v1/connections. Times are ms since 1970, sizes bytes. */

export type Protocol = 'native' | 'kafka' | 'http' | 'websocket'

export interface OperationRow {
  readonly operation: string
  readonly count: number
  readonly failures: number
}

export interface ConnectionRow {
  readonly id: number
  readonly protocol: Protocol
  readonly address: string
  readonly isTls: boolean
  /** What the client calls itself; empty where it did not say. */
  readonly clientId: string
  readonly software: string
  readonly connectedAt: number
  readonly lastRequestAt: number | null
  readonly bytesIn: number
  readonly bytesOut: number
  readonly requests: readonly OperationRow[]
  readonly lastError: { readonly time: number; readonly text: string } | null
}

/** Why the broker has ended a connection. */
export interface RefusedRow {
  readonly time: number
  /** Unknown where it never came so far. */
  readonly protocol: Protocol | 'unknown'
  readonly address: string
  readonly clientId: string
  readonly text: string
}

export interface ConnectionsPage {
  readonly connections: readonly ConnectionRow[]
  /** The last ones, the newest first. */
  readonly refused?: readonly RefusedRow[]
  readonly next?: number
}

export const protocolNames: Readonly<Record<Protocol, string>> = {
  native: 'Kaska',
  kafka: 'Kafka',
  http: 'HTTP',
  websocket: 'WebSocket',
}

export function requestCount({ requests }: ConnectionRow): number {
  return requests.reduce((sum, { count }) => sum + count, 0)
}
