/** `topicCount`: how many topics there are. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const topicCount: Handler = (request) => {
  request.settle(request.engine.topicCount(request.context), (count) =>
    native.encodeResponse(request.tag, (writer) => writer.varint(count)),
  )
}
