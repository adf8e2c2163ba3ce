/**
 * DescribeTopicPartitions (key 75), version 0: topics in the order of their names, in pages of so many
 * partitions. No topic asked for means all of them. Nothing is created.
 */
import { kafka, noTopicId, type TopicInfo } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { findTopic, isKafkaName, kafkaTopics, placementOf } from './topics.ts'

const { errorCode } = kafka

type Response = kafka.DescribeTopicPartitionsResponse
type TopicRow = Response['topics'][number]
type PartitionRow = TopicRow['partitions'][number]

export const describeTopicPartitions = handler({
  key: 75,
  versions: '0',
  request: kafka.describeTopicPartitionsRequest,
  response: kafka.describeTopicPartitionsResponse,
  handle: (context, request) => {
    const { cursor, responsePartitionLimit } = request
    const { describedPartitionsMax } = context.broker.config
    let partitionsLeft = Math.max(1, Math.min(responsePartitionLimit, describedPartitionsMax))
    const topics: TopicRow[] = []
    for (const name of namesOf(context, request.topics)) {
      if (cursor !== null && name < cursor.topicName) continue
      if (partitionsLeft <= 0) {
        return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
      }
      const topic = findTopic(context, { name, id: undefined })
      if (topic === undefined) {
        topics.push(failedRow(name))
        continue
      }
      const first = cursor?.topicName === name ? Math.max(0, cursor.partitionIndex) : 0
      const end = Math.min(topic.partitions, first + partitionsLeft)
      topics.push(rowOf(context, topic, first, end))
      partitionsLeft -= Math.max(0, end - first)
      if (end < topic.partitions) {
        return { topics, nextCursor: { topicName: name, partitionIndex: end } }
      }
    }
    return { topics, nextCursor: null }
  },
})

function namesOf(context: KafkaContext, wanted: readonly { readonly name: string }[]): string[] {
  const named = wanted.length > 0 ? wanted : [...kafkaTopics(context)]
  return [...new Set(named.map(({ name }) => name))].sort()
}

function rowOf(context: KafkaContext, topic: TopicInfo, first: number, end: number): TopicRow {
  const placement = placementOf(context)
  const partitions: PartitionRow[] = []
  for (let partitionIndex = first; partitionIndex < end; partitionIndex++) {
    partitions.push({
      errorCode: errorCode.NONE,
      partitionIndex,
      ...placement,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })
  }
  return { ...emptyRow, name: topic.name, topicId: topic.id, partitions }
}

const emptyRow: TopicRow = {
  errorCode: errorCode.NONE,
  name: null,
  topicId: noTopicId,
  isInternal: false,
  partitions: [],
  topicAuthorizedOperations: -0x80000000,
}

function failedRow(name: string): TopicRow {
  const code = isKafkaName(name)
    ? errorCode.UNKNOWN_TOPIC_OR_PARTITION
    : errorCode.INVALID_TOPIC_EXCEPTION
  return { ...emptyRow, name, errorCode: code }
}
