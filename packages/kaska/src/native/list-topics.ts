/** `listTopics`: one page in creation order, from a cursor; 0 is the first page's. */
import { native } from '@kaska/protocol'
import type { Handler } from './request.ts'

/** What a page may take until it has left; the engine keeps pages below this. */
const pageBytesMax = 2 * 1024 * 1024

export const listTopics: Handler = (request, reader) => {
  const cursor = reader.varint()
  request.reserve(pageBytesMax)
  request.settle(request.engine.listTopics(cursor, request.context), (page) =>
    native.encodeResponse(request.tag, (writer) => native.writeTopicPage(writer, page)),
  )
}
