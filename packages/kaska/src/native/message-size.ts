/** `messageSize`: how many bytes the value of one message has. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const messageSize: Handler = (request, reader) => {
  const { ref, partition } = native.readPartition(reader)
  const offset = reader.varint()
  const topic = request.session.refs.topicOf(ref)
  request.settle(request.engine.messageSize(topic, partition, offset, request.context), (size) =>
    native.encodeResponse(request.tag, (writer) => writer.varint(size)),
  )
}
