/**
 * What bounds a native connection: how much of it may be under way, and how long it may take.
 * Every queue of a session has its bound here; what happens when it is full is said with it.
 */

export interface NativeLimits {
  /** The longest frame, in bytes behind its length. A longer one closes the connection. */
  readonly frameBytesMax: number
  /** Requests of one connection that wait for their answer; beyond it the socket is paused. */
  readonly requestsInFlightMax: number
  /** Unsent bytes of one connection; beyond it no further request of it is taken. */
  readonly unsentBytesMax: number
  /** What one poll may ask for; a larger wish is cut down to this. */
  readonly pollBytesMax: number
  /** How long one poll may wait; a longer wish is cut down to this. */
  readonly pollWaitMsMax: number
  /** Parts of one send or poll, names of one resolve, entries of one commit. */
  readonly partsMax: number
  /** Topics that one connection may have numbers for. */
  readonly refsMax: number
  /**
   * A frame under way, and an unsent answer, has to make progress within this time: 1/64 of it, or
   * all that is missing. So the longest frame takes at most 64 times as long.
   */
  readonly stallMs: number
  /** A connection that has been silent for so long is sent a ping; */
  readonly idleMs: number
  /** ...and is closed when it stays silent for so much longer. */
  readonly pingMs: number
  /** How long `close` waits for answers under way. */
  readonly closeMs: number
}

/** The limits of a broker with this byte budget. */
export function defaultLimits(memoryBytesMax: number): NativeLimits {
  return {
    frameBytesMax: Math.min(128 * 1024 * 1024, Math.floor(memoryBytesMax / 2)),
    requestsInFlightMax: 256,
    unsentBytesMax: 1024 * 1024,
    pollBytesMax: Math.min(64 * 1024 * 1024, Math.floor(memoryBytesMax / 8)),
    pollWaitMsMax: 5 * 60_000,
    partsMax: 100_000,
    refsMax: 1_000_000,
    stallMs: 10_000,
    idleMs: 60_000,
    pingMs: 60_000,
    closeMs: 2_000,
  }
}
