/** What the client needs of its host beyond the protocol's seams. */
import type { BufferReceiver, Clock, Codecs, Random, Transport } from '@kaska/protocol'

/** Opens connections to one broker. */
export interface Dialer {
  /** Where they go, for people: `127.0.0.1:9092`. */
  readonly address: string
  /**
   * Opens one; its bytes go to the receiver. Rejects with what the host says (`ECONNREFUSED`, ...),
   * and with the signal's reason.
   */
  dial(receiver: BufferReceiver, signal: AbortSignal): Promise<Transport>
}

/**
 * Keeps the process running while somebody waits for the client: a timer does not, and between two
 * connections there is no socket either.
 */
export interface KeepAlive {
  hold(): void
  release(): void
}

/** Everything that a client is given by its host: Node, a browser, a test. */
export interface ClientHost {
  readonly clock: Clock
  readonly random: Random
  readonly codecs: Codecs
  readonly keepAlive: KeepAlive
}
