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
  /**
   * Frees the buffers of what a poll has brought with its `release`, for who has no view of it after that. False
   * unless said: then they are the garbage collector's.
   */
  readonly freesPolled?: boolean
}

/**
 * An engine over the cluster at a URL, `kafka://b1:9092,b2:9092`. Rejects with ConnectionError, with
 * NotAuthorizedError, and with InvalidArgumentError, also where @platformatic/kafka is not installed.
 */
export async function createKafkaEngine(
  url: string,
  options: KafkaEngineSettings = {},
): Promise<KafkaEngine> {
  const { tls, freesPolled = false, ...rest } = options
  const host = { ...createNodeHost() }
  if (rest.codecs !== undefined) host.codecs = rest.codecs
  return await openEngine(url, settingsOf(rest), host, { tls, freesPolled })
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
  // What is polled is the program's, for as long as it likes.
  const engine = await openEngine(url, settings, host, { tls, freesPolled: false }, signal)
  return new Client({ engine, ownsEngine: true, host, settings })
}

async function openEngine(
  url: string,
  settings: ClientSettings,
  host: ClientHost,
  { tls, freesPolled }: { readonly tls: TlsOptions | undefined; readonly freesPolled: boolean },
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
    freesPolled,
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
