/**
 * Who may ask over HTTP and WebSocket. A page of another origin, or of a name that was made to point here
 * (DNS rebinding), must not reach the broker of whoever looks at it: so a request has to name this
 * broker by an address or by a name that it was given, and a browser has to be on a page from here.
 */
import type { TokenGate } from './token-gate.ts'

/** What of a request counts here. */
export interface AccessRequest {
  /** Where it comes from: `127.0.0.1:51234`. */
  readonly address: string
  readonly method: string
  readonly path: string
  /** Header fields by their names in lower case. */
  header(name: string): string | undefined
}

export interface AccessPolicy {
  /** Names, beside addresses and localhost, that this broker is called by: `--http-host`. */
  readonly hosts: readonly string[]
  /** Pages of other origins that may ask: `--http-origin`. */
  readonly origins: readonly string[]
  /** What has to be shown, as a bearer token or in the cookie; undefined: nothing. */
  readonly token: string | undefined
  /** Compares two strings in a time that does not tell where they differ. */
  isSame(one: string, other: string): boolean
  /** Bounds how often somebody may be wrong. */
  readonly gate: TokenGate
}

export interface Refusal {
  readonly status: 400 | 401 | 403 | 421 | 429
  readonly title: string
  /** What to do. */
  readonly detail: string
}

/** Where the token is kept by a browser. */
export const tokenCookie = 'kaska_token'

/** Asked by probes, which have no token, and reveal nothing. */
const probePaths: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

/**
 * The console's page, which is the same everywhere and holds nothing of the broker's: it asks for the
 * token. All that it shows comes from elsewhere.
 */
const pagePath =
  /^\/(?:$|topics(?:$|\/)|groups(?:$|\/)|connections$|assets\/|icon\.svg$|sandbox\.html$)/

/** What a page that is not there yet needs to ask for a token: see `http-app.ts`. */
export const sessionPath = '/api/v1/session'

/** Undefined: it may. */
export function refuse(request: AccessRequest, policy: AccessPolicy): Refusal | undefined {
  const host = request.header('host')
  if (host === undefined) {
    return { status: 400, title: 'No Host', detail: 'a request names its host' }
  }
  if (!isOurs(host, policy.hosts)) {
    return {
      status: 421,
      title: 'Foreign Host',
      detail: `this broker is not called '${hostName(host).slice(0, 253)}': start it with --http-host NAME if it is`,
    }
  }
  const isAllowed = allowedOrigin(request, policy) !== undefined
  if (!isAllowed && !isFromHere(request, host)) {
    return {
      status: 403,
      title: 'Other origin',
      detail: 'pages of other origins are not served: start the broker with --http-origin for one',
    }
  }
  // A browser asks for a page whether it may ask, and shows no token then.
  if (isAllowed && isPreflight(request)) return undefined
  if (policy.token === undefined || isOpen(request)) return undefined
  const shown = shownToken(request)
  return shown === undefined
    ? { status: 401, title: 'Token missing', detail: howToShow }
    : refuseToken(shown, request.address, policy)
}

/** Is the token that was shown the right one? Undefined: it is, or none is asked for. */
export function refuseToken(
  shown: string,
  address: string,
  { token, gate, isSame }: AccessPolicy,
): Refusal | undefined {
  if (token === undefined) return undefined
  if (gate.isShut(address)) {
    const detail = 'wrong tokens came from this address: wait a moment'
    return { status: 429, title: 'Too many wrong tokens', detail }
  }
  if (isSame(shown, token)) return undefined
  gate.wasWrong(address)
  return { status: 401, title: 'Token wrong', detail: howToShow }
}

const howToShow = 'send the token of --http-token: Authorization: Bearer TOKEN'

function isOpen({ method, path }: AccessRequest): boolean {
  if (probePaths.has(path)) return true
  if (path === sessionPath) return method === 'POST'
  return (method === 'GET' || method === 'HEAD') && pagePath.test(path)
}

/** `name:port`, `1.2.3.4:port`, `[::1]:port`; the port may be missing. */
function hostName(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase()
}

function isOurs(host: string, names: readonly string[]): boolean {
  const name = hostName(host)
  if (/^\[[0-9a-f:.]+\]$/.test(name)) return true
  // A name that is all digits and dots is an address, or is nothing that a resolver can be made to serve.
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(name)) return true
  if (name === 'localhost' || name.endsWith('.localhost')) return true
  return names.some((each) => hostName(each) === name)
}

function isFromHere(request: AccessRequest, host: string): boolean {
  const origin = request.header('origin')
  if (origin !== undefined) return originHost(origin) === host.toLowerCase()
  // No Origin: not from a page's script, or a link that was followed, or something that a page embeds.
  const site = request.header('sec-fetch-site')
  if (site === undefined || site === 'same-origin' || site === 'none') return true
  const isLink =
    request.header('sec-fetch-mode') === 'navigate' &&
    request.header('sec-fetch-dest') === 'document'
  return isLink && request.method === 'GET'
}

/** The origin of the page that asks, where it is another one that may. */
function allowedOrigin(
  { header }: Pick<AccessRequest, 'header'>,
  { origins }: AccessPolicy,
): string | undefined {
  const origin = header('origin')
  return origin !== undefined && origins.includes(origin) ? origin : undefined
}

function isPreflight({ method, header }: Pick<AccessRequest, 'method' | 'header'>): boolean {
  return method === 'OPTIONS' && header('access-control-request-method') !== undefined
}

/** What tells a browser that a page of another origin may have the answer; nothing where it may not. */
export function originHeaders(
  request: Pick<AccessRequest, 'method' | 'header'>,
  policy: AccessPolicy,
): Readonly<Record<string, string>> {
  const origin = allowedOrigin(request, policy)
  if (origin === undefined) return {}
  const headers = {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'allow, kaska-timestamp, location, retry-after',
    vary: 'origin',
  }
  if (!isPreflight(request)) return headers
  return {
    ...headers,
    'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': 'authorization, content-type, last-event-id',
    'access-control-allow-private-network': 'true',
    'access-control-max-age': '600',
  }
}

function originHost(origin: string): string | undefined {
  const match = /^https?:\/\/([^/]+)$/.exec(origin.toLowerCase())
  return match?.[1]
}

/** From the header, else from the cookie; nowhere else, and never from an address. */
function shownToken(request: AccessRequest): string | undefined {
  const bearer = /^bearer +(.+)$/i.exec(request.header('authorization') ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const prefix = `${tokenCookie}=`
  const cookies = (request.header('cookie') ?? '').split(';').map((pair) => pair.trim())
  const value = cookies.find((pair) => pair.startsWith(prefix))?.slice(prefix.length)
  if (value === undefined || value === '') return undefined
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** The cookie that keeps the token: never readable by a script, never sent by another site's page. */
export function cookieFor(token: string, isTls: boolean): string {
  const secure = isTls ? '; Secure' : ''
  return `${tokenCookie}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict${secure}`
}

/** Makes a browser forget a token that is wrong by now. */
export function forgetCookie(isTls: boolean): string {
  return `${cookieFor('', isTls)}; Max-Age=0`
}
