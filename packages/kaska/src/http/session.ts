/** POST /api/v1/session: a browser shows the token once, and keeps it in a cookie. */
import { InvalidArgumentError } from '@kaska/protocol'
import { cookieFor, refuseToken, sessionPath } from './access.ts'
import { type BodyBounds, jsonBody, membersOf } from './body.ts'
import type { HttpApp, HttpParts } from './http-parts.ts'
import { problemResponse } from './problem.ts'

/** Whoever sends it has not shown a token yet. */
const bounds: BodyBounds = { bytesMax: 8192, bytesPerByte: 4 }

export function sessionPaths(app: HttpApp, { access, budget }: HttpParts): void {
  app.post(sessionPath, async (context) => {
    const body = await jsonBody(context.req.raw, budget, bounds)
    const { token } = membersOf(body, ['token'], 'a session')
    if (typeof token !== 'string') throw new InvalidArgumentError('the body is {"token": TEXT}')
    if (access.token === undefined) return context.body(null, 204)
    const { address, isTls } = context.env.peer
    const refusal = refuseToken(token, address, access)
    if (refusal !== undefined) return problemResponse({ ...refusal })
    return context.body(null, 204, { 'set-cookie': cookieFor(token, isTls) })
  })
}
