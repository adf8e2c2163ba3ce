/** What a broker's native connections have done, for people who watch it. */

/** Since the protocol was made, but for the first two: now. */
export interface NativeCounters {
  connections: number
  requestsInFlight: number
  connectionsAccepted: number
  requests: number
  /** Requests that were answered with an error. */
  failures: number
  /** Connections closed for what they sent. */
  refused: number
  /** Connections closed for lack of progress, or of any sign of life. */
  stalled: number
  /** Mistakes of our own, reported and answered with InternalError. */
  internalErrors: number
}

export function createCounters(): NativeCounters {
  return {
    connections: 0,
    requestsInFlight: 0,
    connectionsAccepted: 0,
    requests: 0,
    failures: 0,
    refused: 0,
    stalled: 0,
    internalErrors: 0,
  }
}
