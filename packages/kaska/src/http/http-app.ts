/**
 * HTTP for scripts and other languages: requests are calls of the broker's engine and of a client of
 * it. Who may ask is decided here, for every path and for WebSocket (access.ts); errors become problem
 * details (problem.ts). The paths are in the files beside this one, one an area.
 */
import { Hono } from 'hono/tiny'
import { type AccessPolicy, refuse, sessionPath, tokenCookie } from './access.ts'
import { consolePaths } from './console.ts'
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
import { problemOf, problemResponse } from './problem.ts'
import { tailPaths } from './tail.ts'
import { topicChangePaths } from './topic-changes.ts'
import { topicPaths } from './topics.ts'

export interface HttpService {
  fetch(request: Request, peer: HttpPeer): Response | Promise<Response>
  refuseUpgrade(request: Request): Response | undefined
}

/** Where a WebSocket may be opened. */
const webSocketPath = '/ws'

/** On every answer: nothing is guessed, embedded or told on. */
const safeHeaders: Readonly<Record<string, string>> = {
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

export function createHttpService(parts: HttpParts): HttpService {
  const app: HttpApp = new Hono<HttpEnvironment>({ strict: false })
  app.use(async (context, next) => {
    const refusal = refusalOf(context.req.raw, parts.access)
    if (refusal !== undefined) return refusal
    await next()
    for (const [name, value] of Object.entries(safeHeaders)) context.res.headers.set(name, value)
    if (!context.res.headers.has('cache-control')) {
      context.res.headers.set('cache-control', 'no-store')
    }
    return undefined
  })
  app.get('/healthz', (context) => context.text('ok\n'))
  app.get('/readyz', (context) =>
    parts.isReady() ? context.text('ready\n') : context.text('not ready\n', 503),
  )
  app.get('/metrics', (context) =>
    context.body(parts.metrics(), 200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  )
  app.get('/api/v1/broker', async (context) =>
    context.json({ ...parts.identity, topics: await parts.engine.topicCount(contextOf(context)) }),
  )
  app.post(sessionPath, async (context) => {
    const { token } = (await context.req.json().catch(() => ({}))) as { token?: unknown }
    const { access } = parts
    if (access.token === undefined) return context.body(null, 204)
    if (typeof token !== 'string' || !access.isSame(token, access.token)) {
      return problemResponse({ status: 401, title: 'Token wrong' })
    }
    // Never readable by a script, never sent by another site's page.
    const secure = context.env.peer.isTls ? '; Secure' : ''
    const cookie = `${tokenCookie}=${token}; Path=/; HttpOnly; SameSite=Strict${secure}`
    return context.body(null, 204, { 'set-cookie': cookie })
  })
  topicPaths(app, parts)
  topicChangePaths(app, parts)
  messagePaths(app, parts)
  tailPaths(app, parts)
  groupPaths(app, parts)
  groupResetPaths(app, parts)
  consolePaths(app, parts.files)
  app.notFound((context) =>
    problemResponse({
      status: 404,
      title: 'Not found',
      detail: `nothing is at ${context.req.path}`,
    }),
  )
  app.onError((error, context) => {
    const problem = problemOf(error)
    if (problem !== undefined) return problemResponse(problem)
    parts.report(`http ${context.env.peer.address}: a mistake of ours: ${error.stack}`)
    return problemResponse({ status: 500, title: 'InternalError', code: 'INTERNAL' })
  })
  return {
    fetch: (request, peer) => app.fetch(request, { peer }),
    refuseUpgrade(request) {
      const refusal = refusalOf(request, parts.access)
      if (refusal !== undefined) return refusal
      if (new URL(request.url).pathname === webSocketPath) return undefined
      return problemResponse({
        status: 404,
        title: 'Not found',
        detail: `WebSocket: ${webSocketPath}`,
      })
    },
  }
}

function refusalOf(request: Request, access: AccessPolicy): Response | undefined {
  const { method, headers } = request
  const refusal = refuse(
    {
      method,
      path: new URL(request.url).pathname,
      header: (name) => headers.get(name) ?? undefined,
    },
    access,
  )
  return refusal === undefined ? undefined : problemResponse({ ...refusal })
}
