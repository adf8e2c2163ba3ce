/**
 * `poll`: batches of any number of topics in one answer. Their records leave as the views that the
 * engine gave (contract 11), and are given back when the answer has left.
 *
 * A poll that waits ends with its connection, or by `cancel`; then it is answered at once, empty.
 */
import { type Chunks, native, type PollPart, type PollResult, ProtocolError } from '@kaska/protocol'
import type { Handler, Request } from './request.ts'

export const poll: Handler = (request, reader) => {
  request.admitList(2)
  const { session, engine, tag } = request
  const { limits } = session.shared
  const asked = native.readPollRequest(reader)
  const parts = asked.parts.map(
    ({ ref, ...part }): PollPart => ({ topic: session.refs.topicOf(ref), ...part }),
  )
  const waitMs = Math.min(asked.waitMs, limits.pollWaitMsMax)
  const bytesMax = session.promise(Math.min(asked.bytesMax, limits.pollBytesMax))
  const cancel = waitMs > 0 ? waitAs(request) : undefined
  const context = cancel ? { ...request.context, signal: cancel.signal } : request.context
  const settled = () => {
    session.promisedBytes -= bytesMax
    if (cancel !== undefined) session.polls.delete(tag)
  }
  engine.poll({ parts, waitMs, bytesMax }, context).then(
    (result) => {
      settled()
      answer(request, result)
    },
    (error) => {
      settled()
      if (cancel?.signal.aborted) answer(request, nothing)
      else request.fail(error)
    },
  )
}

/** Answers a poll that `cancel` names, or that the broker ends: it has nothing. */
const nothing: PollResult = { batches: [], failures: [], release: () => {} }

/** Enters the poll among those that wait. */
function waitAs({ session, tag }: Request): AbortController {
  if (session.polls.has(tag)) throw new ProtocolError(`tag ${tag} is used by a poll that waits`)
  const cancel = new AbortController()
  session.polls.set(tag, cancel)
  return cancel
}

function answer(request: Request, result: PollResult): void {
  const { refs } = request.session
  const failures = result.failures.map(({ topic, partition, error }) => {
    return { ref: refs.refOf(topic), partition, error }
  })
  if (failures[0] !== undefined) request.note(failures[0].error)
  let chunks: Chunks
  try {
    chunks = native.encodeResponse(request.tag, (writer) =>
      native.writePollResponse(writer, result.batches, failures, ({ topic }) => refs.refOf(topic)),
    )
  } catch (error) {
    result.release()
    request.fail(error)
    return
  }
  request.answer(chunks, () => result.release())
}
