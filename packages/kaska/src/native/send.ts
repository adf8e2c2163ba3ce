/**
 * `send`: appends batches, in the order in which the requests arrived. The records go on to the
 * engine as the views that came off the socket (contract 11); their buffers are counted for this
 * request until it is answered.
 */
import { ClosedError, InvalidArgumentError, native, type SendPart } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const send: Handler = (request, reader) => {
  request.admitList(0)
  const { session, engine, tag } = request
  let isSequenced = false
  const parts = native.readSendRequest(reader).map((part): SendPart => {
    const { ref, partition, baseSequence, batch } = part
    if (baseSequence >= 0) isSequenced = true
    return { topic: session.refs.topicOf(ref), partition, baseSequence, batch }
  })
  if (isSequenced && session.producer === undefined) {
    throw new InvalidArgumentError('a sequence number needs a producer: initProducer comes first')
  }
  const producer = isSequenced ? session.producer : undefined
  request.settle(engine.send({ producer, parts }, request.context), (results) => {
    // The broker is closing: that is no answer of one partition.
    const closed = results.find((result) => result.error instanceof ClosedError)
    if (closed?.error !== undefined) throw closed.error
    const failed = results.find((result) => result.error !== undefined)
    if (failed !== undefined) request.note(failed.error)
    const status = native.sendStatus(results)
    return native.encodeResponse(
      tag,
      (writer) => native.writeSendResponse(writer, results, status),
      status,
    )
  })
}
