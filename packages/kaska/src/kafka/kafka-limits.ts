/** What bounds a Kafka connection. Every queue of a session has its bound here. */
import { type BrokerConfig, defaultBrokerConfig } from '../config/broker-config.ts'
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

/** The limits of a broker with this byte budget and configuration. */
export function defaultLimits(
  memoryBytesMax: number,
  config: BrokerConfig = defaultBrokerConfig,
): KafkaLimits {
  return {
    frameBytesMax: Math.min(config.requestBytesMax, Math.floor(memoryBytesMax / 2)),
    requestsInFlightMax: 256,
    unsentBytesMax: 1024 * 1024,
    fetchBytesMax: Math.min(config.fetchBytesMax, Math.floor(memoryBytesMax / 8)),
    fetchWaitMsMax: 5 * 60_000,
    stallMs: 10_000,
    // Kafka has no ping, so a silent connection is closed.
    idleMs: config.connectionIdleMsMax,
    pingMs: 60_000,
    closeMs: 2_000,
  }
}
