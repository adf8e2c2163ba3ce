/**
 * OffsetForLeaderEpoch (key 23), versions 0 to 4: where a leader epoch ends in the log, so that a client
 * finds out whether what it has seen is still there (KIP-101, KIP-320).
 */
import { kafka, type TopicInfo } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf, leaderEpochCode } from './kafka-error.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

type Wanted = kafka.OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]
type Row = kafka.OffsetForLeaderEpochResponse['topics'][number]['partitions'][number]

export const offsetForLeaderEpoch = handler({
  key: 23,
  versions: '0-4',
  request: kafka.offsetForLeaderEpochRequest,
  response: kafka.offsetForLeaderEpochResponse,
  handle: async (context, request) => ({
    topics: await Promise.all(
      request.topics.map(async ({ topic: name, partitions }) => {
        const topic = findTopic(context, { name, id: undefined })
        const rows = partitions.map((wanted) => rowFor(context, topic, wanted))
        return { topic: name, partitions: await Promise.all(rows) }
      }),
    ),
  }),
})

async function rowFor(
  { broker, request: asker }: KafkaContext,
  topic: TopicInfo | undefined,
  { partition, currentLeaderEpoch, leaderEpoch }: Wanted,
): Promise<Row> {
  const none = { partition, errorCode: 0, leaderEpoch: -1, endOffset: -1 }
  if (topic === undefined) return { ...none, errorCode: errorCode.UNKNOWN_TOPIC_OR_PARTITION }
  const { store, identity } = broker
  const fenced = leaderEpochCode(currentLeaderEpoch, identity.leaderEpoch)
  if (fenced !== errorCode.NONE) return { ...none, errorCode: fenced }
  // An epoch that has not begun ends nowhere.
  if (leaderEpoch < 0 || leaderEpoch > identity.leaderEpoch) return none
  try {
    const end = await store.epochEnd(topic.id, partition, leaderEpoch, asker)
    // The epoch that goes on now counts although nothing may have been appended in it; and one before
    // all that the log holds ends where the log begins.
    const isCurrent = leaderEpoch === identity.leaderEpoch
    const epoch = isCurrent || end.epoch < 0 ? leaderEpoch : end.epoch
    return { ...none, leaderEpoch: epoch, endOffset: end.endOffset }
  } catch (error) {
    return { ...none, errorCode: codeOf(error) }
  }
}
