/** Clients of an Apache Kafka cluster, and engines for who needs no client. */
import { createRequire } from 'node:module'
import { type Crc32c, crc32c } from '@kaska/protocol'
import { abortable } from '../abort.ts'
import { Client } from '../client.ts'
import { type ClientOptions, type ClientSettings, settingsOf } from '../client-options.ts'
import { KafkaEngine } from '../kafka/kafka-engine.ts'
import { parseKafkaUrl } from '../kafka/kafka-url.ts'
import type { ClientHost } from '../seams.ts'
import { createKafkaDialer } from './kafka-dialer.ts'
import { createNodeHost } from './node-host.ts'
import type { TlsOptions } from './socket-transport.ts'

export interface KafkaEngineSettings extends ClientOptions {
  /** For `kafkas://`. */
  readonly tls?: TlsOptions | undefined
}

/**
 * An engine over the cluster at a URL, `kafka://b1:9092,b2:9092`. Rejects with ConnectionError, with
 * NotAuthorizedError, and with InvalidArgumentError, also where @platformatic/kafka is not installed.
 */
export async function createKafkaEngine(
  url: string,
  options: KafkaEngineSettings = {},
): Promise<KafkaEngine> {
  const { tls, ...rest } = options
  const host = { ...createNodeHost() }
  if (rest.codecs !== undefined) host.codecs = rest.codecs
  return await openEngine(url, settingsOf(rest), host, tls)
}

/** A client of the cluster, whose first broker has answered when the promise resolves. */
export async function connectKafka(
  url: string,
  options: ClientOptions,
  host: ClientHost,
  tls: TlsOptions,
  signal: AbortSignal | undefined,
): Promise<Client> {
  const settings = settingsOf(options)
  const engine = await openEngine(url, settings, host, tls, signal)
  return new Client({ engine, ownsEngine: true, host, settings })
}

async function openEngine(
  url: string,
  settings: ClientSettings,
  host: ClientHost,
  tls: TlsOptions | undefined,
  signal?: AbortSignal,
): Promise<KafkaEngine> {
  const { brokers, isSecure, sasl } = parseKafkaUrl(url)
  const { clientId, connectTimeoutMs, expandedBytesMax } = settings
  const dialer = await createKafkaDialer({
    clientId,
    connectTimeoutMs,
    tls: isSecure ? (tls ?? {}) : undefined,
    sasl,
  })
  const engine = new KafkaEngine({
    dialer,
    bootstrap: brokers,
    clock: host.clock,
    crc32c: loadCrc32c(),
    codecs: host.codecs,
    connectTimeoutMs,
    expandedBytesMax,
  })
  host.keepAlive.hold()
  try {
    await abortable(engine.connect(), signal)
    return engine
  } catch (error) {
    await engine.close()
    throw error
  } finally {
    host.keepAlive.release()
  }
}

/** Shorter than this, a call into native code costs more than the loop does. */
const nativeBytesMin = 64

/** The native one that comes with @platformatic/kafka, where it can be loaded. */
function loadCrc32c(): Crc32c {
  let native: { crc32c(bytes: Uint8Array, previous?: number): number }
  try {
    const require = createRequire(import.meta.url)
    native = createRequire(require.resolve('@platformatic/kafka'))('@node-rs/crc32')
  } catch {
    return crc32c
  }
  return (bytes, previous) =>
    bytes.length < nativeBytesMin ? crc32c(bytes, previous) : native.crc32c(bytes, previous)
}
