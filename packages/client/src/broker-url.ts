/** Where a URL leads: `kaska://host:port`, `kaskas://` for TLS, `ws://` and `wss://`. */
import { InvalidArgumentError } from '@kaska/protocol'

export const defaultPort = 9092

export interface BrokerUrl {
  readonly scheme: 'kaska' | 'kaskas' | 'ws' | 'wss'
  /** A name or an address; one of version 6 without its brackets. */
  readonly host: string
  /** Of `kaska://` and `kaskas://`; a WebSocket takes the URL as it is. */
  readonly port: number
  readonly href: string
}

const schemes: readonly string[] = ['kaska', 'kaskas', 'ws', 'wss']

/** Takes a URL apart. Throws InvalidArgumentError. */
export function parseBrokerUrl(text: string): BrokerUrl {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new InvalidArgumentError(
      `'${text}' is not a URL: a broker is named like kaska://127.0.0.1:${defaultPort}`,
    )
  }
  const scheme = url.protocol.slice(0, -1)
  if (!isScheme(scheme)) {
    throw new InvalidArgumentError(
      `'${url.protocol}//' is not known: kaska:// is a broker over TCP, kaskas:// one over TLS`,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError('a URL with a user and a password: there are no users yet')
  }
  if (url.hostname === '') throw new InvalidArgumentError(`'${text}' names no host`)
  const isPath = url.pathname !== '' && url.pathname !== '/'
  if (isPath && (scheme === 'kaska' || scheme === 'kaskas')) {
    throw new InvalidArgumentError(`'${text}' has a path, which means nothing here`)
  }
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  return { scheme, host, port: url.port === '' ? defaultPort : Number(url.port), href: text }
}

function isScheme(scheme: string): scheme is BrokerUrl['scheme'] {
  return schemes.includes(scheme)
}
