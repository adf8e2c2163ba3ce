/**
 * DeleteRecords (key 21), versions 0 to 2: the messages of a partition before an offset are deleted; -1 is
 * the high watermark. Answered when it is durable, with the first offset that is left.
 */
import { kafka, type TopicInfo } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf } from './kafka-error.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

type Wanted = kafka.DeleteRecordsRequest['topics'][number]['partitions'][number]
type Row = kafka.DeleteRecordsResponse['topics'][number]['partitions'][number]

const highWatermark = -1
/** Each takes a few syncs: so many at a time share them. */
const atOnceMax = 64

export const deleteRecords = handler({
  key: 21,
  versions: '0-2',
  request: kafka.deleteRecordsRequest,
  response: kafka.deleteRecordsResponse,
  handle: async (context, request) => {
    const topics: kafka.DeleteRecordsResponse['topics'] = []
    for (const { name, partitions } of request.topics) {
      const topic = findTopic(context, { name, id: undefined })
      const rows: Row[] = []
      for (let start = 0; start < partitions.length; start += atOnceMax) {
        const group = partitions.slice(start, start + atOnceMax)
        rows.push(...(await Promise.all(group.map((wanted) => rowFor(context, topic, wanted)))))
      }
      topics.push({ name, partitions: rows })
    }
    return { topics }
  },
})

async function rowFor(
  { broker, request: asker }: KafkaContext,
  topic: TopicInfo | undefined,
  { partitionIndex, offset }: Wanted,
): Promise<Row> {
  const none = { partitionIndex, lowWatermark: -1, errorCode: errorCode.NONE }
  if (topic === undefined) return { ...none, errorCode: errorCode.UNKNOWN_TOPIC_OR_PARTITION }
  try {
    const before = offset === highWatermark ? undefined : offset
    const { store } = broker
    const lowWatermark = await store.deleteRecords(topic.id, partitionIndex, before, asker)
    return { ...none, lowWatermark }
  } catch (error) {
    return { ...none, errorCode: codeOf(error) }
  }
}
