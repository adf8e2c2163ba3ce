/**
 * Metadata (key 3), versions 0 to 13: this broker, and the topics that are asked for. One that does not
 * exist is made where the client and the broker allow it, and is usable by the next request. Topics whose
 * names Kafka cannot carry are in no list.
 */
import { type kafka as Kafka, kafka, noTopicId, type TopicInfo } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf } from './kafka-error.ts'
import { createMissing, findTopic, isKafkaName, kafkaTopics } from './topics.ts'

const { errorCode } = kafka

type Wanted = { readonly name: string | null; readonly topicId: string }
type TopicRow = Kafka.MetadataResponse['topics'][number]

const allOperationsUnknown = -0x80000000

export const metadata = handler({
  key: 3,
  versions: '0-13',
  request: kafka.metadataRequest,
  response: kafka.metadataResponse,
  handle: (context, request, version) => {
    const { identity } = context.broker
    const { nodeId, clusterId } = identity
    const answer = (topics: TopicRow[]) => ({
      brokers: [{ nodeId, ...context.endpoint }],
      clusterId,
      controllerId: nodeId,
      topics,
    })
    const { topics } = request
    if (topics === null || (version === 0 && topics.length === 0)) {
      return answer(Array.from(kafkaTopics(context), (topic) => rowOf(context, topic)))
    }
    const mayCreate = context.broker.config.autoCreateTopics && request.allowAutoTopicCreation
    const rows: (TopicRow | Promise<TopicRow>)[] = []
    const seen = new Set<string | null>()
    const isById = topics.some((wanted) => wanted.topicId !== noTopicId)
    for (const wanted of topics) {
      // Where one is asked for by its id, all are, and names say nothing: as Kafka has it.
      if (isById && wanted.topicId === noTopicId) continue
      const key = isById ? wanted.topicId : wanted.name
      if (seen.has(key)) continue
      seen.add(key)
      rows.push(rowFor(context, wanted, mayCreate))
    }
    const isReady = rows.every((row) => !(row instanceof Promise))
    return isReady ? answer(rows as TopicRow[]) : Promise.all(rows).then(answer)
  },
})

function rowFor(
  context: KafkaContext,
  { name, topicId }: Wanted,
  mayCreate: boolean,
): TopicRow | Promise<TopicRow> {
  if (topicId !== noTopicId) {
    const topic = findTopic(context, { name: '', id: topicId })
    if (topic !== undefined) return rowOf(context, topic)
    return failedRow(null, topicId, errorCode.UNKNOWN_TOPIC_ID)
  }
  if (name === null) return failedRow(null, topicId, errorCode.UNKNOWN_TOPIC_ID)
  const topic = findTopic(context, { name, id: undefined })
  if (topic !== undefined) return rowOf(context, topic)
  if (!isKafkaName(name)) return failedRow(name, noTopicId, errorCode.INVALID_TOPIC_EXCEPTION)
  if (!mayCreate) return failedRow(name, noTopicId, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  return createMissing(context, name).then(
    (created) => rowOf(context, created),
    (error) => failedRow(name, noTopicId, codeOf(error)),
  )
}

function rowOf({ broker }: KafkaContext, topic: TopicInfo): TopicRow {
  const { nodeId, leaderEpoch } = broker.identity
  const nodes = [nodeId]
  return {
    errorCode: errorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: false,
    partitions: Array.from({ length: topic.partitions }, (_, partitionIndex) => ({
      errorCode: errorCode.NONE,
      partitionIndex,
      leaderId: nodeId,
      leaderEpoch,
      replicaNodes: nodes,
      isrNodes: nodes,
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: allOperationsUnknown,
  }
}

function failedRow(name: string | null, topicId: string, code: number): TopicRow {
  return {
    errorCode: code,
    name,
    topicId,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: allOperationsUnknown,
  }
}
