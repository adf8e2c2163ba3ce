/**
 * CreateTopics (key 19), versions 0 to 7. A topic is durable, and usable by the next request, when the
 * answer comes: so the time-out of the request is of no use. 1: `validateOnly`. 5: the settings come
 * back. 7: the id comes back. -1 partitions and -1 replicas are the broker's defaults in every version.
 *
 * There is one copy of a partition, on this broker: assignments may name no other.
 */
import { InvalidArgumentError, kafka, noTopicId, topicNameOf } from '@kaska/protocol'
import { partitionsMax } from '../config/broker-config.ts'
import {
  checkTopicConfig,
  noTopicConfig,
  type TopicConfig,
  type TopicDefaults,
  topicSettings,
} from '../config/topic-settings.ts'
import { Slices } from '../transport/slices.ts'
import { AnswerMemory } from './answer-memory.ts'
import { forEachAtOnce, repeated } from './at-once.ts'
import { type ConfigRow, rowBytes, topicRows } from './config-rows.ts'
import { handler, type KafkaContext } from './handler.ts'
import { Refusal, refusedRow } from './refusal.ts'
import { checkReplicas, collisionFault, nameFault } from './topics.ts'

const { errorCode } = kafka

type Wanted = kafka.CreateTopicsRequest['topics'][number]
type Row = NonNullable<kafka.Input<Fields>['topics']>[number]
type Fields = (typeof kafka.createTopicsResponse)['fields']

export const createTopics = handler({
  key: 19,
  versions: '0-7',
  request: kafka.createTopicsRequest,
  response: kafka.createTopicsResponse,
  handle: async (context, request, version) => {
    const { topics: wanted, validateOnly } = request
    const twice = repeated(wanted.map(({ name }) => name))
    const once = wanted.filter(({ name }) => !twice.has(name))
    const { clock } = context.broker
    const configRows = new ConfigRows(context)
    const memory = new AnswerMemory(context)
    const rows = await forEachAtOnce(once, clock, async (one): Promise<Row> => {
      try {
        memory.take(topicSettings.length * rowBytes)
        return await create(context, one, validateOnly, configRows)
      } catch (error) {
        return { name: one.name, topicId: noTopicId, ...refusedRow(error) }
      }
    })
    for (const name of twice) {
      const errorMessage = 'the request names the topic more than once'
      rows.push({ name, topicId: noTopicId, errorCode: errorCode.INVALID_REQUEST, errorMessage })
    }
    const slices = new Slices(clock)
    const topics = new kafka.ElementsEncoder(kafka.createTopicsResponse, 'topics', version)
    for (const row of rows) {
      topics.add(row)
      if (slices.isDue) await slices.pause()
    }
    return { topics: topics.finish() }
  },
})

/** The settings that come back: most topics have none of their own, and share one list. */
class ConfigRows {
  readonly #defaults: TopicDefaults
  readonly #plain: readonly ConfigRow[]

  constructor(context: KafkaContext) {
    this.#defaults = context.broker.defaults.kafka
    this.#plain = this.#rowsOf(noTopicConfig)
  }

  of(config: TopicConfig): readonly ConfigRow[] {
    return config.size === 0 ? this.#plain : this.#rowsOf(config)
  }

  #rowsOf(config: TopicConfig): ConfigRow[] {
    const details = { names: null, synonyms: false, documentation: false }
    return topicRows({ config, defaults: this.#defaults }, details)
  }
}

async function create(
  context: KafkaContext,
  wanted: Wanted,
  validateOnly: boolean,
  configRows: ConfigRows,
): Promise<Row> {
  const { name } = wanted
  const { store } = context.broker
  const fault = nameFault(name)
  if (fault !== undefined) throw new Refusal(errorCode.INVALID_TOPIC_EXCEPTION, fault)
  if (store.topicNamed(name) !== undefined) {
    throw new Refusal(errorCode.TOPIC_ALREADY_EXISTS, `there is a topic '${name}' already`)
  }
  const collision = collisionFault(context, name)
  if (collision !== undefined) throw new Refusal(errorCode.INVALID_TOPIC_EXCEPTION, collision)
  const config = configOf(wanted)
  const partitions = partitionsOf(context, wanted)
  const row = {
    name,
    numPartitions: partitions,
    replicationFactor: 1,
    configs: configRows.of(config),
  }
  if (validateOnly) return row
  const request = { name: topicNameOf(name), partitions, config }
  const { id } = await store.createKafkaTopic(request, context.request)
  return { ...row, topicId: id }
}

/** Throws InvalidArgumentError. What is named twice has the last value, as in Kafka. */
function configOf({ configs }: Wanted): TopicConfig {
  const config = new Map<string, string>()
  for (const { name, value } of configs) {
    if (value === null) throw new InvalidArgumentError(`${name} needs a value`)
    config.set(name, value.trim())
  }
  return checkTopicConfig(config)
}

/** How many partitions the topic is to have. Throws Refusal. */
function partitionsOf(context: KafkaContext, wanted: Wanted): number {
  const { numPartitions, replicationFactor, assignments } = wanted
  if (assignments.length > 0) {
    if (numPartitions !== -1 || replicationFactor !== -1) {
      throw new Refusal(
        errorCode.INVALID_REQUEST,
        'with an assignment the numbers of partitions and of replicas are -1',
      )
    }
    const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex))
    for (const { brokerIds } of assignments) checkReplicas(context, brokerIds)
    if (assignments.some((_, index) => !indexes.has(index))) {
      throw new Refusal(
        errorCode.INVALID_REPLICA_ASSIGNMENT,
        'the partitions that are assigned are numbered from 0 on, without a gap',
      )
    }
    return checkCount(assignments.length)
  }
  if (replicationFactor !== -1 && replicationFactor < 1) {
    throw new Refusal(
      errorCode.INVALID_REPLICATION_FACTOR,
      'the replication factor is at least 1, or -1 for the default',
    )
  }
  if (replicationFactor > 1) {
    throw new Refusal(
      errorCode.INVALID_REPLICATION_FACTOR,
      `there cannot be ${replicationFactor} replicas: there is 1 broker`,
    )
  }
  return checkCount(numPartitions === -1 ? context.broker.config.partitions : numPartitions)
}

function checkCount(partitions: number): number {
  if (partitions >= 1 && partitions <= partitionsMax) return partitions
  throw new Refusal(
    partitions < 1 ? errorCode.INVALID_PARTITIONS : errorCode.POLICY_VIOLATION,
    `a topic has 1 to ${partitionsMax} partitions, not ${partitions}`,
  )
}
