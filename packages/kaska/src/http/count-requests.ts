/**
 * Counts requests by method and route, as the routes are written in the sources: what a client makes up
 * counts as one. What is measured is the time to the head of an answer: a tail goes on for hours.
 */
import { routePath } from 'hono/route'
import type { HttpApp, HttpParts } from './http-parts.ts'

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** To be the first of all that handle a request. */
export function countRequests(app: HttpApp, { figures, clock }: HttpParts): void {
  const { requests } = figures.counted
  app.use(async (context, next) => {
    const startedAt = clock.monotonic()
    await next()
    const now = clock.monotonic()
    const { req, res, error, env } = context
    const operation = requests.of('http', routeOf(req.method, routePath(context)))
    const isFailure = res.status >= 400
    const { connection } = env.peer
    if (connection === undefined) {
      operation.answered(startedAt, now, isFailure)
      return
    }
    const text = error === undefined ? String(res.status) : `${res.status} ${error.message}`
    connection.software = req.header('user-agent') ?? ''
    connection.answered(operation, startedAt, now, isFailure ? text : undefined)
  })
}

/** `GET /api/v1/topics/:topic` */
function routeOf(method: string, route: string): string {
  const isKnown = methods.has(method) && route !== '/*' && route !== '*'
  return isKnown ? `${method} ${route}` : 'none'
}
