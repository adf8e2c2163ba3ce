/**
 * One port of a broker: the protocols of its connections, joined with its parts. Loaded when it is first asked
 * to listen; HTTP, and what TLS needs, when they are needed.
 */
import { type Engine, InvalidArgumentError } from '@kaska/protocol'
import { createFigureSource } from './figure-source.ts'
import { isHttp } from './host/http-byte.ts'
import { listen, overSockets } from './host/listener.ts'
import { type Loaded, onDemand } from './host/on-demand.ts'
import { isLoopback } from './host/socket-transport.ts'
import type { TlsIdentity, TlsPort, TlsPortOptions } from './host/tls-port.ts'
import type { JoinedParts } from './joined-parts.ts'
import { createKafkaProtocol } from './kafka/kafka-protocol.ts'
import { limitReport } from './limited-report.ts'
import type { HttpOptions, Listening, ListenOptions } from './listen-options.ts'
import { createNativeProtocol, type NativeProtocol } from './native/native-protocol.ts'

/** A broker, for its ports. */
export interface ListeningParts extends JoinedParts {
  readonly broker: { inProcess(): Engine }
  readonly software: string
  readonly clusterId: string
  /** Does the broker take requests? */
  isReady(): boolean
}

const portDefault = 9092

/** Rejects as `Broker.listen`. */
export async function openListener(
  options: ListenOptions,
  parts: ListeningParts,
): Promise<Listening> {
  const { host = '127.0.0.1', port = portDefault, tls: tlsIdentity, plaintext = false } = options
  const { config, engine, offsets, groups, budget, clock, crc32c, directory } = parts
  const report = limitReport(parts.report, clock)
  const { software, clusterId } = parts
  const identity = { software, clusterId }
  const native = createNativeProtocol({
    engine,
    clock,
    budget,
    identity,
    figures: parts.counted,
    report,
  })
  const kafka = createKafkaProtocol({
    store: engine,
    offsets,
    groups,
    clock,
    crc32c,
    budget,
    config,
    identity: { clusterId, nodeId: directory.nodeId, leaderEpoch: directory.shared.leaderEpoch },
    advertise: options.advertise,
    figures: parts.counted,
    report,
  })
  const httpOptions = checkHttp(host, options.http)
  const http = httpOptions && httpOnDemand(httpOptions, native, { ...parts, report })
  const refused = (address: string, reason: string) =>
    parts.counted.connections.refusedEarly(address, reason)
  const listener = await listen({
    host,
    port,
    protocols: [overSockets(native), overSockets(kafka), ...(http ? [http] : [])],
    clock,
    report,
    refused,
    tls: tlsIdentity && (await openTls(tlsIdentity, { clock, report, refused })),
    allowsPlain: plaintext,
  })
  return {
    host: listener.host,
    port: listener.port,
    url: urlOf(listener, tlsIdentity !== undefined),
    close: async () => {
      const closing = http ? http.close() : undefined
      await Promise.all([listener.close(), native.close(), kafka.close(), closing])
    },
  }
}

/** As browsers write it. */
const originPattern = /^https?:\/\/[^/\sA-Z]+$/

/** Throws InvalidArgumentError where HTTP would be open to a network. */
function checkHttp(host: string, http: HttpOptions | false | undefined): HttpOptions | undefined {
  if (http === false) return undefined
  const odd = http?.origins?.find((origin) => !originPattern.test(origin))
  if (odd !== undefined) {
    throw new InvalidArgumentError(
      `an origin is written https://app.example or http://localhost:3000, not '${odd}'`,
    )
  }
  if (http?.token === '') throw new InvalidArgumentError('the token for HTTP is empty')
  if (isLoopback(host) || host === 'localhost' || http?.token !== undefined) return http ?? {}
  throw new InvalidArgumentError(
    `at ${host} other machines could read and write everything over HTTP; give http.token, or http: false`,
  )
}

function httpOnDemand(options: HttpOptions, native: NativeProtocol, parts: ListeningParts): Loaded {
  const { broker, engine, groups, offsets, clock, codecs, budget } = parts
  const { software, clusterId, report } = parts
  const load = async (): Promise<Loaded> => {
    const { openHttp } = await import('./listen-http.ts')
    return await openHttp({
      broker,
      engine,
      parts: { topics: engine, groups, offsets },
      clock,
      codecs,
      budget,
      identity: { software, clusterId },
      options,
      figures: (process) => createFigureSource(parts, process),
      accept: (transport, origin) => native.accept(transport, origin),
      isReady: () => parts.isReady(),
      report,
    })
  }
  return onDemand({ name: 'http', matches: isHttp, load, report })
}

async function openTls(identity: TlsIdentity, options: TlsPortOptions): Promise<TlsPort> {
  const { createTlsPort } = await import('./host/tls-port.ts')
  return createTlsPort(identity, options)
}

function urlOf({ host, port }: { host: string; port: number }, isSecure: boolean): string {
  return `${isSecure ? 'kaskas' : 'kaska'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
