/**
 * Who may ask over HTTP and WebSocket. A page of another origin, or of a name that was made to point here
 * (DNS rebinding), must not reach the broker of whoever looks at it: so a request has to name this
 * broker by an address or by a name that it was given, and a browser has to be on a page from here.
 */

/** What of a request counts here. */
export interface AccessRequest {
  readonly method: string
  readonly path: string
  /** Header fields by their names in lower case. */
  header(name: string): string | undefined
}

export interface AccessPolicy {
  /** Names, beside addresses and localhost, that this broker is called by: `--http-host`. */
  readonly hosts: readonly string[]
  /** What has to be shown, as a bearer token or in the cookie; undefined: nothing. */
  readonly token: string | undefined
  /** Compares two strings in a time that does not tell where they differ. */
  isSame(one: string, other: string): boolean
}

export interface Refusal {
  readonly status: 400 | 401 | 403 | 421
  readonly title: string
  /** What to do. */
  readonly detail: string
}

/** Where the token is kept by a browser. */
export const tokenCookie = 'kaska_token'

/** Asked by probes, which have no token and reveal nothing. */
const openPaths: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

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
      detail: `this broker is not called '${hostName(host)}': start it with --http-host ${hostName(host)} if it is`,
    }
  }
  if (!isFromHere(request, host)) {
    return {
      status: 403,
      title: 'Other origin',
      detail: 'pages of other origins are not served',
    }
  }
  if (policy.token === undefined || openPaths.has(request.path)) return undefined
  if (request.path === sessionPath && request.method === 'POST') return undefined
  const shown = shownToken(request)
  if (shown !== undefined && policy.isSame(shown, policy.token)) return undefined
  return {
    status: 401,
    title: 'Token missing or wrong',
    detail: 'send the token of --http-token: Authorization: Bearer TOKEN',
  }
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
  return names.some((each) => each.toLowerCase() === name)
}

function isFromHere(request: AccessRequest, host: string): boolean {
  const origin = request.header('origin')
  if (origin !== undefined) return originHost(origin) === host.toLowerCase()
  // No Origin: not from a page's script, or a link that was followed, or something that a page embeds.
  const site = request.header('sec-fetch-site')
  if (site === undefined || site === 'same-origin' || site === 'none') return true
  return request.header('sec-fetch-mode') === 'navigate' && request.method === 'GET'
}

function originHost(origin: string): string | undefined {
  const match = /^https?:\/\/([^/]+)$/.exec(origin.toLowerCase())
  return match?.[1]
}

function shownToken(request: AccessRequest): string | undefined {
  const bearer = /^bearer (.+)$/i.exec(request.header('authorization') ?? '')?.[1]
  if (bearer !== undefined) return bearer
  for (const pair of (request.header('cookie') ?? '').split(';')) {
    const [name, value] = pair.trim().split('=')
    if (name === tokenCookie && value !== undefined) return value
  }
  return undefined
}
