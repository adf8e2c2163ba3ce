/**
 * `cancel`: ends the wait of a poll, named by its tag, which is then answered with nothing. Its own
 * answer says no more than that it was read: the poll may have been answered before.
 */
import { ClosedError } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const cancel: Handler = (request, reader) => {
  const tag = reader.varint()
  request.session.polls.get(tag)?.abort(new ClosedError('the poll was cancelled'))
  request.succeed()
}
