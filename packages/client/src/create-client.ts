/** Makes a client, for whichever host. */
import type { Engine } from '@kaska/protocol'
import { abortable } from './abort.ts'
import { Client } from './client.ts'
import { type ClientOptions, settingsOf } from './client-options.ts'
import { NativeEngine } from './native/native-engine.ts'
import type { ClientHost, Dialer } from './seams.ts'

/** A broker in this process. */
export interface InProcessBroker {
  inProcess(): Engine
}

/** A client of a broker in this process: no socket, and one copy of each message. */
export function createInProcessClient(
  broker: InProcessBroker,
  options: ClientOptions,
  host: ClientHost,
): Client {
  const settings = settingsOf(options)
  return new Client({ engine: broker.inProcess(), ownsEngine: false, host, settings })
}

/**
 * A client with a connection of its own, which is there when the promise resolves. Rejects with
 * ConnectionError, with the signal's reason, ...
 */
export async function createNativeClient(
  dialer: Dialer,
  options: ClientOptions,
  host: ClientHost,
  signal?: AbortSignal,
): Promise<Client> {
  const settings = settingsOf(options)
  const engine = new NativeEngine({
    dialer,
    clock: host.clock,
    clientId: settings.clientId,
    connectTimeoutMs: settings.connectTimeoutMs,
    receiveBytesMax: settings.receiveBytesMax,
    silenceMsMax: settings.silenceTimeoutMs,
  })
  host.keepAlive.hold()
  try {
    await abortable(engine.connect(), signal)
  } catch (error) {
    await engine.close()
    throw error
  } finally {
    host.keepAlive.release()
  }
  return new Client({ engine, ownsEngine: true, host, settings })
}
