/**
 * The topics of a cluster. Kafka's internal ones are not among them.
 *
 * A cluster does not know in which order its topics were created. Here they are in the order in which
 * they were first seen: those that this engine created in the order of their creation, others that
 * are found together by their names. So pages never miss a topic, and never show one twice.
 */
import {
  ConnectionError,
  type CreateTopicRequest,
  InvalidArgumentError,
  kafka,
  type TopicConfigEntry,
  type TopicDescription,
  type TopicId,
  type TopicInfo,
  type TopicPage,
  UnknownTopicError,
} from '@kaska/protocol'
import type { Cluster, KnownTopic } from './cluster.ts'
import { Gatherer } from './gatherer.ts'
import { errorOfCode } from './kafka-errors.ts'

/** As many as a Kaska broker gives to one topic. */
const partitionsMax = 10_000
const pageSize = 1_000
const controllerTimeoutMs = 30_000
/** DescribeConfigs: the kind of a topic, and where a value was set for the topic itself. */
const topicResource = 2
const topicConfigSource = 1

export class KafkaTopics {
  readonly #cluster: Cluster
  /** Every topic in the order in which it was first seen; undefined: it is gone. */
  readonly #seen: (TopicId | undefined)[] = []
  readonly #places = new Map<TopicId, number>()
  readonly #creations: Gatherer<CreateTopicRequest, TopicInfo | Error>
  /** The id of what was deleted. */
  readonly #deletions: Gatherer<string, TopicId | Error>

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#creations = new Gatherer((requests) => this.#createAll(requests))
    this.#deletions = new Gatherer((names) => this.#deleteAll(names))
  }

  async create(request: CreateTopicRequest): Promise<TopicInfo> {
    const { partitions } = request
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax) {
      throw new InvalidArgumentError(`a topic has 1 to ${partitionsMax} partitions`)
    }
    const created = await this.#creations.call(request)
    if (created instanceof Error) throw created
    this.#see(created.id)
    await this.#cluster.awaitCreation(created.id)
    return created
  }

  async delete(name: string): Promise<void> {
    const deleted = await this.#deletions.call(name)
    if (deleted instanceof Error) throw deleted
    await this.#cluster.awaitDeletion(deleted)
  }

  async resolve(names: readonly string[]): Promise<(TopicInfo | undefined)[]> {
    if (names.length === 0) return []
    const found = await this.#cluster.byName(names)
    return found.map((topic) => {
      if (topic === undefined) return undefined
      this.#see(topic.id)
      return infoOf(topic)
    })
  }

  async page(cursor: number): Promise<TopicPage> {
    const topics = await this.#all()
    const byId = new Map(topics.map((topic) => [topic.id, topic]))
    for (const [place, id] of this.#seen.entries()) {
      if (id === undefined || byId.has(id)) continue
      this.#seen[place] = undefined
      this.#places.delete(id)
    }
    const found: TopicInfo[] = []
    let next = cursor
    for (; next < this.#seen.length && found.length < pageSize; next++) {
      const topic = byId.get(this.#seen[next] ?? '')
      if (topic !== undefined) found.push(infoOf(topic))
    }
    return { topics: found, next: next < this.#seen.length ? next : undefined }
  }

  async count(): Promise<number> {
    return (await this.#all()).length
  }

  async describe(name: string): Promise<TopicDescription> {
    const [topic] = await this.#cluster.byName([name])
    if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name}'`)
    const connection = await this.#cluster.admin()
    const answer = await connection.request(
      kafka.describeConfigsRequest,
      kafka.describeConfigsResponse,
      {
        resources: [{ resourceType: topicResource, resourceName: name, configurationKeys: null }],
      },
    )
    const result = answer.results[0]
    if (result === undefined) throw new ConnectionError(`'${name}' was not described`)
    if (result.errorCode !== 0) {
      throw errorOfCode(result.errorCode, `'${name}' is not described`, result.errorMessage)
    }
    const config = result.configs.map(
      (entry): TopicConfigEntry => ({
        name: entry.name,
        value: entry.value ?? '',
        isDefault: entry.configSource !== topicConfigSource,
      }),
    )
    return { ...infoOf(topic), config }
  }

  async #all(): Promise<KnownTopic[]> {
    const found = await this.#cluster.byName(null)
    const topics = found.filter(
      (topic): topic is KnownTopic => topic !== undefined && !topic.isInternal,
    )
    topics.sort((one, other) => (one.name < other.name ? -1 : 1))
    for (const { id } of topics) this.#see(id)
    return topics
  }

  #see(id: TopicId): void {
    if (this.#places.has(id)) return
    this.#places.set(id, this.#seen.length)
    this.#seen.push(id)
  }

  async #deleteAll(names: readonly string[]): Promise<(TopicId | Error)[]> {
    const unique = [...new Set(names)]
    const connection = await this.#cluster.admin()
    const input = {
      topics: unique.map((name) => ({ name })),
      topicNames: unique,
      timeoutMs: controllerTimeoutMs,
    }
    const answer = await connection.request(
      kafka.deleteTopicsRequest,
      kafka.deleteTopicsResponse,
      input,
      { waitMs: controllerTimeoutMs },
    )
    const answers = new Map<string | null, TopicId | Error>()
    for (const { name, topicId, errorCode, errorMessage } of answer.responses) {
      answers.set(
        name,
        // A name that Kafka would not take is none of its topics'.
        errorCode === kafka.errorCode.UNKNOWN_TOPIC_OR_PARTITION ||
          errorCode === kafka.errorCode.INVALID_TOPIC_EXCEPTION
          ? new UnknownTopicError(`there is no topic '${name}'`)
          : errorCode === 0
            ? topicId
            : errorOfCode(errorCode, `the topic '${name}' was not deleted`, errorMessage),
      )
    }
    return names.map((name, index) => {
      // Asked for twice, it is deleted once.
      if (names.indexOf(name) < index) return new UnknownTopicError(`there is no topic '${name}'`)
      return answers.get(name) ?? new ConnectionError(`the deletion of '${name}' was not answered`)
    })
  }

  /** In one request, but for those whose name is in it already. */
  async #createAll(requests: readonly CreateTopicRequest[]): Promise<(TopicInfo | Error)[]> {
    const answers = new Map<CreateTopicRequest, TopicInfo | Error>()
    let left = [...requests]
    while (left.length > 0) {
      const batch = new Map<string, CreateTopicRequest>()
      const later: CreateTopicRequest[] = []
      for (const request of left) {
        if (batch.has(request.name.text)) later.push(request)
        else batch.set(request.name.text, request)
      }
      left = later
      const connection = await this.#cluster.admin()
      const answer = await connection.request(
        kafka.createTopicsRequest,
        kafka.createTopicsResponse,
        {
          topics: [...batch.values()].map(({ name, partitions, config }) => ({
            name: name.text,
            numPartitions: partitions,
            // As the cluster has it.
            replicationFactor: -1,
            assignments: [],
            configs: [...config].map(([key, value]) => ({ name: key, value })),
          })),
          timeoutMs: controllerTimeoutMs,
        },
        { waitMs: controllerTimeoutMs },
      )
      for (const one of answer.topics) {
        const request = batch.get(one.name)
        if (request === undefined) continue
        const { name, topicId: id, errorCode, errorMessage } = one
        if (errorCode === 0) answers.set(request, { name, id, partitions: request.partitions })
        else {
          const what = `the topic '${name}' was not created`
          answers.set(request, errorOfCode(errorCode, what, errorMessage))
        }
      }
    }
    return requests.map(
      (request) =>
        answers.get(request) ??
        new ConnectionError(`the creation of '${request.name.text}' was not answered`),
    )
  }
}

function infoOf({ name, id, partitions }: KnownTopic): TopicInfo {
  return { name, id, partitions }
}
