/** `describeTopic`: a topic and its settings, by name. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const describeTopic: Handler = (request, reader) => {
  const name = native.readTopicName(reader)
  request.settle(request.engine.describeTopic(name, request.context), (topic) =>
    native.encodeResponse(request.tag, (writer) => {
      native.writeTopicInfo(writer, topic)
      native.writeConfigEntries(writer, topic.config)
    }),
  )
}
