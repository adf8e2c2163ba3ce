/** Messages as the text of answers. */
import { MessageTooLargeError, messageToJson, type StoredMessage } from '@kaska/protocol'
import { jsonBytesMax } from './body.ts'

/**
 * A message as JSON. Throws MessageTooLargeError for one whose text would hold up everybody else while it is
 * made: that can be read as it is.
 */
export function messageText(message: StoredMessage): string {
  const { key, value, headers, topic, partition, offset } = message
  let bytes = (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, headerValue] of headers) bytes += name.length + (headerValue?.length ?? 0)
  if (bytes <= jsonBytesMax) return messageToJson(message)
  const path = `/api/v1/topics/${encodeURIComponent(topic)}/partitions/${partition}/messages/${offset}`
  throw new MessageTooLargeError(
    `the message at offset ${offset} is longer than ${jsonBytesMax} bytes; its value is to be had ` +
      `from ${path}, with Accept: application/octet-stream`,
  )
}
