/** `connect` for Node. */
import { InvalidArgumentError } from '@kaska/protocol'
import { parseBrokerUrl } from '../broker-url.ts'
import type { Client } from '../client.ts'
import type { ClientOptions } from '../client-options.ts'
import {
  createInProcessClient,
  createNativeClient,
  type InProcessBroker,
} from '../create-client.ts'
import { isKafkaUrl } from '../kafka/kafka-url.ts'
import { connectKafka } from './kafka-connect.ts'
import { createNodeHost } from './node-host.ts'
import { createTcpDialer, createTlsDialer, type TlsOptions } from './socket-transport.ts'
import { createWebSocketDialer } from './web-socket-dialer.ts'

export interface ConnectOptions extends ClientOptions {
  /** For `kaskas://` and `kafkas://`: what Node's `tls.connect` takes (`ca`, `cert`, `key`, `servername`, ...). */
  readonly tls?: TlsOptions | undefined
  /** Ends the wait for the connection; `connect` then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A client of the broker at a URL (`kaska://127.0.0.1:9092`, `kaskas://` for TLS, `ws://` and
 * `wss://`), of an Apache Kafka cluster (`kafka://b1:9092,b2:9092`, `kafkas://` for TLS; needs the package
 * @platformatic/kafka), or of a broker in this process. Rejects with ConnectionError, within `connectTimeoutMs`
 * (5 s), and with InvalidArgumentError.
 */
export async function connect(
  broker: string | InProcessBroker,
  options: ConnectOptions = {},
): Promise<Client> {
  const { signal, tls = {}, ...rest } = options
  const host = { ...createNodeHost() }
  if (rest.codecs !== undefined) host.codecs = rest.codecs
  signal?.throwIfAborted()
  if (typeof broker !== 'string') {
    if (typeof broker?.inProcess !== 'function') {
      throw new InvalidArgumentError('connect takes a URL, or a broker in this process')
    }
    return createInProcessClient(broker, rest, host)
  }
  if (isKafkaUrl(broker)) return await connectKafka(broker, rest, host, tls, signal)
  const url = parseBrokerUrl(broker)
  switch (url.scheme) {
    case 'kaska':
      return await createNativeClient(createTcpDialer(url), rest, host, signal)
    case 'kaskas':
      return await createNativeClient(createTlsDialer(url, tls), rest, host, signal)
    case 'ws':
    case 'wss':
      return await createNativeClient(createWebSocketDialer(url.href), rest, host, signal)
  }
}
