/** What bounds a Kafka connection. Every queue of a session has its bound here. */
import type { ProgressLimits } from '../transport/progress-watch.ts'

export interface KafkaLimits extends ProgressLimits {
  /** The longest request, in bytes behind its length. A longer one closes the connection. */
  readonly frameBytesMax: number
  /** Requests of one connection that wait for their answer; beyond it the socket is paused. */
  readonly requestsInFlightMax: number
  /** Unsent bytes of one connection; beyond it no further request of it is taken. */
  readonly unsentBytesMax: number
  /** What one fetch may bring; a larger wish is cut down to this. */
  readonly fetchBytesMax: number
  /** How long one fetch may wait; a longer wish is cut down to this. */
  readonly fetchWaitMsMax: number
  /** How long `close` waits for answers under way. */
  readonly closeMs: number
}

/** The limits of a broker with this byte budget. Kafka's own are named where there is one. */
export function defaultLimits(memoryBytesMax: number): KafkaLimits {
  return {
    // socket.request.max.bytes
    frameBytesMax: Math.min(104_857_600, Math.floor(memoryBytesMax / 2)),
    requestsInFlightMax: 256,
    unsentBytesMax: 1024 * 1024,
    // fetch.max.bytes
    fetchBytesMax: Math.min(57_671_680, Math.floor(memoryBytesMax / 8)),
    fetchWaitMsMax: 5 * 60_000,
    stallMs: 10_000,
    // connections.max.idle.ms: Kafka has no ping, so a silent connection is closed.
    idleMs: 600_000,
    pingMs: 60_000,
    closeMs: 2_000,
  }
}
