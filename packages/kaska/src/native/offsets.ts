/** `offsets`: the first offset that a partition has, and the next to be given. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const offsets: Handler = (request, reader) => {
  const { ref, partition } = native.readPartition(reader)
  const topic = request.session.refs.topicOf(ref)
  request.settle(request.engine.offsets(topic, partition, request.context), (bounds) =>
    native.encodeResponse(request.tag, (writer) => native.writeOffsetBounds(writer, bounds)),
  )
}
