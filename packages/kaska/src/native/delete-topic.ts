/** `deleteTopic`: by name. Its numbers stay taken; requests that use them learn that it is gone. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const deleteTopic: Handler = (request, reader) => {
  const name = native.readTopicName(reader)
  request.settle(request.engine.deleteTopic(name, request.context), () =>
    native.encodeResponse(request.tag),
  )
}
