/** `ping`: a sign of life, answered at once. A client sends one when the broker pings it, too. */
import type { Handler } from './request.ts'

export const ping: Handler = (request) => {
  request.succeed()
}
