/** `@kaska/client` in a browser: the same client over WebSocket, and no API of Node. */
/// <reference lib="esnext.disposable" preserve="true" />
import { InvalidArgumentError } from '@kaska/protocol'
import { parseBrokerUrl } from './broker-url.ts'
import type { Client } from './client.ts'
import type { ClientOptions } from './client-options.ts'
import { createInProcessClient, createNativeClient, type InProcessBroker } from './create-client.ts'
import { createWebHost } from './host/web-host.ts'
import { createWebSocketDialer } from './host/web-socket-dialer.ts'

export * from './api.ts'

export interface ConnectOptions extends ClientOptions {
  /** Ends the wait for the connection; `connect` then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A client of the broker at a URL (`ws://127.0.0.1:9092`, `wss://` over TLS), or of a broker in this
 * page. Rejects with ConnectionError, within `connectTimeoutMs` (5 s), and with
 * InvalidArgumentError.
 */
export async function connect(
  broker: string | InProcessBroker,
  { signal, ...options }: ConnectOptions = {},
): Promise<Client> {
  const host = { ...createWebHost() }
  if (options.codecs !== undefined) host.codecs = options.codecs
  signal?.throwIfAborted()
  if (typeof broker !== 'string') {
    if (typeof broker?.inProcess !== 'function') {
      throw new InvalidArgumentError('connect takes a URL, or a broker in this page')
    }
    return createInProcessClient(broker, options, host)
  }
  const url = parseBrokerUrl(broker)
  if (url.scheme !== 'ws' && url.scheme !== 'wss') {
    throw new InvalidArgumentError('a browser connects over ws:// or wss://')
  }
  return await createNativeClient(createWebSocketDialer(url.href), options, host, signal)
}
