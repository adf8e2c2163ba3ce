/** `createTopic`: answered with the topic when it is as durable as `--sync` says. */
import { native, topicIdBytes } from '@kaska/protocol'
import type { Handler } from './request.ts'

export const createTopic: Handler = (request, reader) => {
  request.admitList(1, (fields) => fields.skip(topicIdBytes))
  const topic = native.readCreateTopic(reader)
  request.settle(request.engine.createTopic(topic, request.context), (info) =>
    native.encodeResponse(request.tag, (writer) => native.writeTopicInfo(writer, info)),
  )
}
