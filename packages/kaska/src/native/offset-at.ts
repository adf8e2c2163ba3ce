/** `offsetAt`: the first offset whose timestamp is at or after the given one. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const offsetAt: Handler = (request, reader) => {
  const { ref, partition } = native.readPartition(reader)
  const timestamp = reader.zigzag()
  const topic = request.session.refs.topicOf(ref)
  request.settle(request.engine.offsetAt(topic, partition, timestamp, request.context), (offset) =>
    native.encodeResponse(request.tag, (writer) => native.writeOptionalOffset(writer, offset)),
  )
}
