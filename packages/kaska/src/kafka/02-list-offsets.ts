/**
 * ListOffsets (key 2), versions 1 to 11: the start, the end, the first message at or after a time, and the
 * one with the largest timestamp. Nothing is tiered: all is local, and nothing waits to be. The high watermark
 * is the last stable offset, so both isolation levels see the same.
 */
import { kafka, type TopicInfo } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf, leaderEpochCode } from './kafka-error.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

const latest = -1
const earliest = -2
const largestTimestamp = -3
const earliestLocal = -4
const lastTiered = -5
const earliestUntiered = -6

/** The first version in which a negative time has its meaning: in all others it is refused. */
const versionMins = new Map([
  [latest, 1],
  [earliest, 1],
  [largestTimestamp, 7],
  [earliestLocal, 8],
  [lastTiered, 9],
  [earliestUntiered, 11],
])

type Wanted = kafka.ListOffsetsRequest['topics'][number]['partitions'][number]
type Row = kafka.ListOffsetsResponse['topics'][number]['partitions'][number]

export const listOffsets = handler({
  key: 2,
  versions: '1-11',
  request: kafka.listOffsetsRequest,
  response: kafka.listOffsetsResponse,
  handle: async (context, request, version) => ({
    topics: await Promise.all(
      request.topics.map(async ({ name, partitions }) => {
        const topic = findTopic(context, { name, id: undefined })
        const rows = partitions.map((wanted) => rowFor(context, topic, wanted, version))
        return { name, partitions: await Promise.all(rows) }
      }),
    ),
  }),
})

async function rowFor(
  context: KafkaContext,
  topic: TopicInfo | undefined,
  wanted: Wanted,
  version: number,
): Promise<Row> {
  const { broker, request: asker } = context
  const { partitionIndex, timestamp, currentLeaderEpoch } = wanted
  const none = { partitionIndex, errorCode: 0, timestamp: -1, offset: -1, leaderEpoch: -1 }
  if (timestamp < 0 && !(version >= (versionMins.get(timestamp) ?? Number.POSITIVE_INFINITY))) {
    return { ...none, errorCode: errorCode.UNSUPPORTED_VERSION }
  }
  if (topic === undefined) return { ...none, errorCode: errorCode.UNKNOWN_TOPIC_OR_PARTITION }
  const fenced = leaderEpochCode(currentLeaderEpoch, broker.identity.leaderEpoch)
  if (fenced !== errorCode.NONE) return { ...none, errorCode: fenced }
  const { store } = broker
  try {
    if (timestamp === latest || timestamp === earliest || timestamp === earliestLocal) {
      const bounds = await store.epochBounds(topic.id, partitionIndex, asker)
      const { startOffset, endOffset, firstEpoch, lastEpoch } = bounds
      if (timestamp === latest) return { ...none, offset: endOffset, leaderEpoch: lastEpoch }
      return { ...none, offset: startOffset, leaderEpoch: firstEpoch }
    }
    if (timestamp === largestTimestamp) {
      const newest = await store.newestMessage(topic.id, partitionIndex, asker)
      return { ...none, ...newest }
    }
    if (timestamp < 0) return none
    const found = await store.messageAt(topic.id, partitionIndex, timestamp, asker)
    return found === undefined ? none : { ...none, ...found }
  } catch (error) {
    return { ...none, errorCode: codeOf(error) }
  }
}
