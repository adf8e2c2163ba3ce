/**
 * Metadata (key 3), versions 0 to 13: this broker, and the topics that are asked for. One that does not
 * exist is made where the client and the broker allow it, and is usable by the next request. Topics whose
 * names Kafka cannot carry are in no list.
 */
import { type kafka as Kafka, kafka, noTopicId, type TopicInfo } from '@kaska/protocol'
import { AnswerMemory } from './answer-memory.ts'
import { forEachAtOnce } from './at-once.ts'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf } from './kafka-error.ts'
import { Slices } from './slices.ts'
import { createMissing, findTopic, isKafkaName, kafkaTopics } from './topics.ts'

const { errorCode } = kafka

type Wanted = { readonly name: string | null; readonly topicId: string }
type TopicRow = Kafka.MetadataResponse['topics'][number]

const allOperationsUnknown = -0x80000000
/** Requests had ids before they meant anything, and names without that answers could be without (KIP-516). */
const idVersionMin = 12

export const metadata = handler({
  key: 3,
  versions: '0-13',
  request: kafka.metadataRequest,
  response: kafka.metadataResponse,
  handle: async (context, request, version) => {
    const { identity } = context.broker
    const { nodeId, clusterId } = identity
    const { topics: wanted } = request
    const isAll = wanted === null || (version === 0 && wanted.length === 0)
    const mayCreate = context.broker.config.autoCreateTopics && request.allowAutoTopicCreation
    return {
      brokers: [{ nodeId, ...context.endpoint }],
      clusterId,
      controllerId: nodeId,
      topics: isAll
        ? await allRows(context)
        : (refusedRows(wanted, version) ?? (await rowsFor(context, wanted, mayCreate))),
    }
  },
})

/** All that is asked for is refused where one asks for what the version does not have, as in Kafka. */
function refusedRows(wanted: readonly Wanted[], version: number): TopicRow[] | undefined {
  if (version >= idVersionMin) return undefined
  if (wanted.every(({ name, topicId }) => name !== null && topicId === noTopicId)) return undefined
  return wanted.map((one) => ({
    ...failedRow(one),
    errorCode: errorCode.INVALID_REQUEST,
    name: one.name ?? '',
  }))
}

async function allRows(context: KafkaContext): Promise<TopicRow[]> {
  const slices = new Slices(context.broker.clock)
  const memory = new AnswerMemory(context)
  const rows: TopicRow[] = []
  for (const topic of kafkaTopics(context)) {
    memory.take(bytesOf(topic))
    rows.push(rowOf(context, topic))
    if (slices.isDue) await slices.pause()
  }
  return rows
}

async function rowsFor(
  context: KafkaContext,
  wanted: readonly Wanted[],
  mayCreate: boolean,
): Promise<TopicRow[]> {
  const { clock } = context.broker
  const slices = new Slices(clock)
  const memory = new AnswerMemory(context)
  const rows: TopicRow[] = []
  const missing: { readonly index: number; readonly name: string }[] = []
  const seen = new Set<string | null>()
  const isById = wanted.some(({ topicId }) => topicId !== noTopicId)
  for (const one of wanted) {
    // Where one is asked for by its id, all are, and names say nothing: as Kafka has it.
    if (isById && one.topicId === noTopicId) continue
    const key = isById ? one.topicId : one.name
    if (seen.has(key)) continue
    seen.add(key)
    const topic = topicOf(context, one)
    if (topic !== undefined) memory.take(bytesOf(topic))
    rows.push(topic === undefined ? failedRow(one) : rowOf(context, topic))
    const isMissing = topic === undefined && one.topicId === noTopicId && one.name !== null
    if (isMissing && mayCreate && isKafkaName(one.name)) {
      missing.push({ index: rows.length - 1, name: one.name })
    }
    if (slices.isDue) await slices.pause()
  }
  await forEachAtOnce(missing, clock, async ({ index, name }) => {
    try {
      rows[index] = rowOf(context, await createMissing(context, name))
    } catch (error) {
      rows[index] = { ...failedRow({ name, topicId: noTopicId }), errorCode: codeOf(error) }
    }
  })
  return rows
}

function topicOf(context: KafkaContext, { name, topicId }: Wanted): TopicInfo | undefined {
  const id = topicId === noTopicId ? undefined : topicId
  return findTopic(context, { name: name ?? '', id })
}

/** What a topic takes in an answer, decoded and encoded. */
function bytesOf({ partitions }: TopicInfo): number {
  return 400 + 150 * partitions
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

/** The row of a topic that there is not. */
function failedRow({ name, topicId }: Wanted): TopicRow {
  const isById = topicId !== noTopicId
  return {
    errorCode: isById || name === null ? errorCode.UNKNOWN_TOPIC_ID : codeForName(name),
    name: isById ? null : name,
    topicId,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: allOperationsUnknown,
  }
}

function codeForName(name: string): kafka.KafkaErrorCode {
  return isKafkaName(name)
    ? errorCode.UNKNOWN_TOPIC_OR_PARTITION
    : errorCode.INVALID_TOPIC_EXCEPTION
}
