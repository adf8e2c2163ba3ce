/** `resolve`: names to the connection's numbers for their topics; 0 where there is no such topic. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const resolve: Handler = (request, reader) => {
  request.admitList(0)
  const names = native.readResolveRequest(reader)
  const { refs } = request.session
  request.settle(request.engine.resolve(names, request.context), (topics) => {
    const resolved = topics.map(
      (topic) => topic && { ref: refs.refOf(topic.id), id: topic.id, partitions: topic.partitions },
    )
    return native.encodeResponse(request.tag, (writer) =>
      native.writeResolveResponse(writer, resolved),
    )
  })
}
