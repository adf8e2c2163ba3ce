/** `committed`: the offset that was last committed for a name. */
import { decodeUtf8, native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const committed: Handler = (request, reader) => {
  const group = decodeUtf8(reader.field(), 'the name to commit for')
  const { ref, partition } = native.readPartition(reader)
  const topic = request.session.refs.topicOf(ref)
  request.settle(request.engine.committed(group, topic, partition, request.context), (offset) =>
    native.encodeResponse(request.tag, (writer) => native.writeOptionalOffset(writer, offset)),
  )
}
