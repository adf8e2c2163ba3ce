/**
 * Metadata (key 3), versions 0 to 13: this broker, and the topics that are asked for. One that does not
 * exist is made where the client and the broker allow it, and is usable by the next request. Topics whose
 * names Kafka cannot carry are in no list.
 */
import { type kafka as Kafka, kafka, noTopicId, type TopicInfo } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { AnswerMemory } from './answer-memory.ts'
import { forEachAtOnce } from './at-once.ts'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf } from './kafka-error.ts'
import { createMissing, findTopic, isKafkaName, kafkaTopics, placementOf } from './topics.ts'

const { errorCode } = kafka

type Wanted = { readonly name: string | null; readonly topicId: string }
type Rows = NonNullable<Kafka.Input<(typeof kafka.metadataResponse)['fields']>['topics']>
type TopicRow = Kafka.MetadataResponse['topics'][number]

/** What a topic takes in an answer, but for its name, and what a partition does. */
const topicBytes = 100
const partitionBytes = 40
/** So many are as much work as a topic. */
const partitionsPerRound = 10

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
        ? await rowsOf(context, version, kafkaTopics(context))
        : (refusedRows(wanted, version) ??
          (await rowsFor(context, version, asked(wanted), mayCreate))),
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

/** What is asked for, each once. */
function asked(wanted: readonly Wanted[]): Wanted[] {
  // Where one is asked for by its id, all are, and names say nothing: as Kafka has it.
  const isById = wanted.some(({ topicId }) => topicId !== noTopicId)
  const rows = new Map<string | null, Wanted>()
  for (const one of wanted) {
    if (isById && one.topicId === noTopicId) continue
    const key = isById ? one.topicId : one.name
    if (!rows.has(key)) rows.set(key, one)
  }
  return [...rows.values()]
}

/** Makes what may be made, and answers. */
async function rowsFor(
  context: KafkaContext,
  version: number,
  wanted: readonly Wanted[],
  mayCreate: boolean,
): Promise<Rows> {
  const refused = new Map<string, kafka.KafkaErrorCode>()
  const missing = mayCreate ? wanted.flatMap((one) => missingName(context, one)) : []
  await forEachAtOnce(missing, context.broker.clock, async (name) => {
    try {
      await createMissing(context, name)
    } catch (error) {
      refused.set(name, codeOf(error))
    }
  })
  const found = wanted.map((one) => {
    const topic = topicOf(context, one)
    if (topic !== undefined) return topic
    const row = failedRow(one)
    return { ...row, errorCode: refused.get(one.name ?? '') ?? row.errorCode }
  })
  return rowsOf(context, version, found)
}

function missingName(context: KafkaContext, one: Wanted): string[] {
  const { name, topicId } = one
  const isName = topicId === noTopicId && name !== null && isKafkaName(name)
  return isName && topicOf(context, one) === undefined ? [name] : []
}

/** The rows of topics, in slices, and those that are made already. */
async function rowsOf(
  context: KafkaContext,
  version: number,
  topics: Iterable<TopicInfo | TopicRow>,
): Promise<Rows> {
  const slices = new Slices(context.broker.clock)
  const memory = new AnswerMemory(context)
  const rows = new kafka.ElementsEncoder(kafka.metadataResponse, 'topics', version)
  for (const topic of topics) {
    if ('errorCode' in topic) {
      rows.add(topic)
      continue
    }
    memory.take(topicBytes + partitionBytes * topic.partitions)
    rows.add(rowOf(context, topic))
    if (slices.isDueAfter(1 + topic.partitions / partitionsPerRound)) await slices.pause()
  }
  return rows.finish()
}

function topicOf(context: KafkaContext, { name, topicId }: Wanted): TopicInfo | undefined {
  const id = topicId === noTopicId ? undefined : topicId
  return findTopic(context, { name: name ?? '', id })
}

function rowOf(context: KafkaContext, topic: TopicInfo): TopicRow {
  const placement = placementOf(context)
  return {
    errorCode: errorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: false,
    partitions: Array.from({ length: topic.partitions }, (_, partitionIndex) => ({
      errorCode: errorCode.NONE,
      partitionIndex,
      ...placement,
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
