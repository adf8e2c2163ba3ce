/**
 * What an engine over Kafka needs of its host: connections to brokers on which requests are answered.
 * Sockets, TLS, SASL and the frames around the messages are the host's; the messages are ours.
 */
import type { Chunks } from '@kaska/protocol'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** Which API is called, in which version, and whether its headers have tags (KIP-482). */
export interface KafkaCall {
  readonly key: number
  readonly version: number
  readonly isFlexible: boolean
}

/** A connection to one broker, authenticated. Requests leave in the order of the calls. */
export interface KafkaLink {
  /** Has it ended, on either side? */
  readonly isClosed: boolean
  /**
   * Does nobody but who asked refer to the buffers of an answer's chunks? Then those that hold nothing but an
   * answer may be freed. False unless said.
   */
  readonly givesBuffers?: boolean
  /** The answer behind its header. Rejects when the connection ends; it is of no use after that. */
  request(call: KafkaCall, body: Chunks): Promise<Chunks>
  /** Ends it; what is under way rejects. */
  close(): void
}

export interface KafkaDialer {
  /** Rejects with what the host says, and with the signal's reason. */
  dial(address: BrokerAddress, signal: AbortSignal): Promise<KafkaLink>
}
