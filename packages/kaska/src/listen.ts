/**
 * One port of a broker, or of a gateway: the protocols of its connections, joined with its parts. Loaded when
 * it is first asked to listen; HTTP, and what TLS needs, when they are needed.
 */
import { InvalidArgumentError } from '@kaska/protocol'
import { isHttp } from './host/http-byte.ts'
import { listen, overSockets, type PortProtocol } from './host/listener.ts'
import { onDemand } from './host/on-demand.ts'
import { isLoopback } from './host/socket-transport.ts'
import type { TlsIdentity, TlsPort, TlsPortOptions } from './host/tls-port.ts'
import { limitReport } from './limited-report.ts'
import type { HttpOptions, Listening, ListenOptions } from './listen-options.ts'
import { createNativeProtocol, type NativeProtocol } from './native/native-protocol.ts'
import type { PortParts } from './port-parts.ts'

const portDefault = 9092

/** Rejects as `Broker.listen`. */
export async function openListener(options: ListenOptions, parts: PortParts): Promise<Listening> {
  const { host = '127.0.0.1', port = portDefault, tls: tlsIdentity, plaintext = false } = options
  const { clock, counted } = parts
  const report = limitReport(parts.report, clock)
  const httpOptions = checkHttp(host, options.http)
  const native = createNativeProtocol({ ...parts, figures: counted, report })
  const protocols: PortProtocol[] = [
    overSockets(native),
    parts.openKafka({ advertise: options.advertise, report }),
    ...(httpOptions ? [httpOnDemand(httpOptions, native, { ...parts, report })] : []),
  ]
  const refused = (address: string, reason: string) =>
    counted.connections.refusedEarly(address, reason)
  const listener = await listen({
    host,
    port,
    protocols,
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
      await Promise.all([listener, ...protocols].map((one) => one.close()))
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

function httpOnDemand(
  options: HttpOptions,
  native: NativeProtocol,
  parts: PortParts,
): PortProtocol {
  const load = async (): Promise<PortProtocol> => {
    const { openHttp } = await import('./listen-http.ts')
    return await openHttp(parts, options, (transport, origin) => native.accept(transport, origin))
  }
  return onDemand({ name: 'http', matches: isHttp, load, report: parts.report })
}

async function openTls(identity: TlsIdentity, options: TlsPortOptions): Promise<TlsPort> {
  const { createTlsPort } = await import('./host/tls-port.ts')
  return createTlsPort(identity, options)
}

function urlOf({ host, port }: { host: string; port: number }, isSecure: boolean): string {
  return `${isSecure ? 'kaskas' : 'kaska'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
