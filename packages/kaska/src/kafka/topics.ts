/** Topics as Kafka's clients see them: by names that Kafka can carry, and made when they are asked for. */
import {
  InvalidTopicError,
  kafka,
  TopicExistsError,
  type TopicInfo,
  topicNameOf,
} from '@kaska/protocol'
import type { KafkaContext } from './handler.ts'
import { Refusal } from './refusal.ts'

const nameCharsMax = 249
const namePattern = /^[a-zA-Z0-9._-]+$/

/** May Kafka's topics be called that? */
export function isKafkaName(name: string): boolean {
  return nameFault(name) === undefined
}

/** Why no topic of Kafka's may be called that; undefined: it may. */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'a topic needs a name'
  if (name === '.' || name === '..') return `no topic can be called '${name}'`
  if (name.length > nameCharsMax) {
    return `a topic's name has at most ${nameCharsMax} characters, not ${name.length}`
  }
  if (namePattern.test(name)) return undefined
  return `a topic's name has letters and digits of ASCII, '.', '_' and '-': '${name}' has others`
}

/** Why a topic cannot be made under this name beside those that there are; undefined: it can. */
export function collisionFault({ broker }: KafkaContext, name: string): string | undefined {
  const other = broker.store.collidingTopic(name)
  if (other === undefined) return undefined
  return `there is a topic '${other.name}', whose name is the same but for dots and underscores`
}

/** Who leads a partition, and which brokers have it: this one alone. */
export function placementOf({ broker }: KafkaContext) {
  const { nodeId, leaderEpoch } = broker.identity
  const nodes = [nodeId]
  return {
    leaderId: nodeId,
    leaderEpoch,
    replicaNodes: nodes,
    isrNodes: nodes,
    offlineReplicas: [],
  }
}

/** Checks to which brokers a partition is assigned: there is this one alone. Throws Refusal. */
export function checkReplicas({ broker }: KafkaContext, brokerIds: readonly number[]): void {
  const { nodeId } = broker.identity
  const [first] = brokerIds
  if (brokerIds.length === 1 && first === nodeId) return
  const stranger = brokerIds.find((id) => id !== nodeId)
  const reason =
    first === undefined
      ? 'a partition is assigned to no broker'
      : stranger === undefined
        ? `a partition is assigned to broker ${first} more than once`
        : `there is no broker ${stranger}`
  throw new Refusal(kafka.errorCode.INVALID_REPLICA_ASSIGNMENT, reason)
}

/** All topics that Kafka's clients can be told of, in the order of their creation. */
export function* kafkaTopics({ broker }: KafkaContext): IterableIterator<TopicInfo> {
  for (const topic of broker.store.topics()) if (isKafkaName(topic.name)) yield topic
}

/** The topic of this name, made if need be. Rejects as `Engine.createTopic` does. */
export async function createMissing(context: KafkaContext, name: string): Promise<TopicInfo> {
  const { store, config } = context.broker
  const fault = collisionFault(context, name)
  if (fault !== undefined) throw new InvalidTopicError(fault)
  const request = {
    name: topicNameOf(name),
    partitions: config.partitions,
    config: new Map<string, string>(),
  }
  try {
    return await store.createKafkaTopic(request, context.request)
  } catch (error) {
    // Somebody else has made it meanwhile.
    const topic = error instanceof TopicExistsError ? store.topicNamed(name) : undefined
    if (topic === undefined) throw error
    return topic
  }
}

/** The topic that a request means, by its id in those versions that have ids, else by its name. */
export function findTopic(
  { broker }: KafkaContext,
  named: { readonly name: string; readonly id: string | undefined },
): TopicInfo | undefined {
  const { store } = broker
  const topic = named.id === undefined ? store.topicNamed(named.name) : store.topicById(named.id)
  return topic !== undefined && isKafkaName(topic.name) ? topic : undefined
}
