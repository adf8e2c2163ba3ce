/**
 * `initProducer`: whose sequence numbers the connection sends from now on. Asked for none, the broker
 * makes a new producer id; asked for one that it gave before, the connection goes on as that one, at
 * once: sends that follow in the same chunk are already its.
 */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const initProducer: Handler = (request, reader) => {
  const { session } = request
  const given = native.readProducer(reader)
  if (given !== undefined) {
    session.producer = given
    request.answer(
      native.encodeResponse(request.tag, (writer) => native.writeProducer(writer, given)),
    )
    return
  }
  request.settle(request.engine.initProducer(request.context), (producer) => {
    session.producer = producer
    return native.encodeResponse(request.tag, (writer) => native.writeProducer(writer, producer))
  })
}
