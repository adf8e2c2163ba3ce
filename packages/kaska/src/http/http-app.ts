/**
 * HTTP for scripts and other languages: requests are calls of the broker's engine and of a client of
 * it. Who may ask is decided here, for every path and for WebSocket (access.ts); errors become problem
 * details (problem.ts). The paths are in the files beside this one, one an area.
 */
import { Hono } from 'hono/tiny'
import { type AccessPolicy, forgetCookie, originHeaders, refuse, tokenCookie } from './access.ts'
import { AnswerMemory } from './answer-memory.ts'
import { connectionPaths } from './connections.ts'
import { consolePaths } from './console.ts'
import { countRequests } from './count-requests.ts'
import { groupResetPaths } from './group-reset.ts'
import { groupPaths } from './groups.ts'
import {
  contextOf,
  type HttpApp,
  type HttpEnvironment,
  type HttpParts,
  type HttpPeer,
} from './http-parts.ts'
import { messagePaths } from './messages.ts'
import { metricsPath } from './metrics.ts'
import { openApiPath } from './openapi.ts'
import { type Problem, ProblemError, problemOf, problemResponse } from './problem.ts'
import { sessionPaths } from './session.ts'
import { statsPaths } from './stats.ts'
import { tailPaths } from './tail.ts'
import { topicChangePaths } from './topic-changes.ts'
import { topicPaths } from './topics.ts'

export interface HttpService {
  /** `ended` takes what is to be called when the answer was sent, or never will be. */
  fetch(
    request: Request,
    peer: HttpPeer,
    ended: (callback: () => void) => void,
  ): Response | Promise<Response>
  refuseUpgrade(request: Request, peer: HttpPeer): Response | undefined
  /** `GET /api/v1/topics/:topic` */
  readonly routes: readonly { readonly method: string; readonly path: string }[]
}

/** Where a WebSocket may be opened. */
const webSocketPath = '/ws'

/** On every answer: nothing is guessed, embedded or told on. */
const safeHeaders: Readonly<Record<string, string>> = {
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** Unless the answer says otherwise. */
const usualHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
}

export function createHttpService(parts: HttpParts): HttpService {
  const { access } = parts
  const app: HttpApp = new Hono<HttpEnvironment>({ strict: false })
  countRequests(app, parts)
  app.use(async (context, next) => {
    const header = (name: string) => context.req.header(name)
    // What is refused is said to a page that may ask, too.
    const more = originHeaders({ method: context.req.method, header }, access)
    const refusal = refusalOf(context.req.raw, context.env.peer, access)
    if (refusal !== undefined) return withSafeHeaders(refusal, more)
    await next()
    withSafeHeaders(context.res, more)
    return undefined
  })
  app.get('/healthz', (context) => context.text('ok\n'))
  app.get('/readyz', (context) =>
    parts.isReady() ? context.text('ready\n') : context.text('not ready\n', 503),
  )
  app.get('/api/v1/broker', async (context) =>
    context.json({ ...parts.identity, topics: await parts.engine.topicCount(contextOf(context)) }),
  )
  metricsPath(app, parts)
  openApiPath(app, parts)
  sessionPaths(app, parts)
  topicPaths(app, parts)
  topicChangePaths(app, parts)
  const { engine, clock, codecs, expander } = parts
  const reading = { engine, clock, codecs, expander, answers: new AnswerMemory(parts.budget) }
  messagePaths(app, parts, reading)
  tailPaths(app, reading, parts.report)
  groupPaths(app, parts)
  groupResetPaths(app, parts)
  statsPaths(app, parts)
  connectionPaths(app, parts)
  consolePaths(app, parts.files)
  const routes = app.routes.filter(({ method }) => method !== 'ALL')
  app.notFound((context) => {
    const { method, path } = context.req
    const allow = methodsAt(path, routes)
    if (allow.length === 0) {
      const detail = `nothing is at ${path}`
      return problemResponse({ status: 404, title: 'Not found', detail })
    }
    const headers = { allow: allow.join(', ') }
    if (method === 'OPTIONS') return new Response(null, { status: 204, headers })
    const problem = {
      status: 405,
      title: 'Method not allowed',
      detail: `it takes ${headers.allow}`,
    }
    return problemResponse(problem, headers)
  })
  app.onError((error, context) => {
    // Nobody waits for the answer any more.
    if (context.req.raw.signal.aborted) return new Response(null, { status: 499 })
    const problem = problemOf(error)
    if (problem !== undefined) {
      return problemResponse(problem, error instanceof ProblemError ? error.headers : {})
    }
    parts.report(`http ${context.env.peer.address}: a mistake of ours: ${error.stack}`)
    return problemResponse({ status: 500, title: 'InternalError', code: 'INTERNAL' })
  })
  return {
    fetch: (request, peer, ended) => app.fetch(request, { peer, ended }),
    refuseUpgrade(request, peer) {
      const refusal = refusalOf(request, peer, access)
      if (refusal !== undefined) return refusal
      if (new URL(request.url).pathname === webSocketPath) return undefined
      return problemResponse({
        status: 404,
        title: 'Not found',
        detail: `WebSocket: ${webSocketPath}`,
      })
    },
    routes,
  }
}

function refusalOf(request: Request, peer: HttpPeer, access: AccessPolicy): Response | undefined {
  const { method, headers } = request
  const header = (name: string) => headers.get(name) ?? undefined
  const { address, isTls } = peer
  const path = new URL(request.url).pathname
  const refusal = refuse({ address, method, path, header }, access)
  if (refusal === undefined) return undefined
  const problem: Problem = { ...refusal }
  // A page that goes on asking with a token of long ago would shut out who knows the right one.
  const isStale = refusal.status === 401 && (header('cookie') ?? '').includes(`${tokenCookie}=`)
  return problemResponse(problem, isStale ? { 'set-cookie': forgetCookie(isTls) } : {})
}

function withSafeHeaders(response: Response, more: Readonly<Record<string, string>>): Response {
  const { headers } = response
  for (const [name, value] of Object.entries({ ...safeHeaders, ...more })) headers.set(name, value)
  for (const [name, value] of Object.entries(usualHeaders)) {
    if (!headers.has(name)) headers.set(name, value)
  }
  return response
}

/** What may be done at a path, as the header field Allow names it. */
function methodsAt(path: string, routes: HttpService['routes']): string[] {
  const methods = new Set<string>()
  for (const route of routes) {
    const pattern = route.path.replace(/:[a-z]+/g, '[^/]+').replace(/\/\*$/, '(/.*)?')
    if (new RegExp(`^${pattern}/?$`).test(path)) methods.add(route.method)
  }
  if (methods.size === 0) return []
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods.add('OPTIONS')]
}
