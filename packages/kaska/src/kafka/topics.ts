/** Topics as Kafka's clients see them: by names that Kafka can carry, and made when they are asked for. */
import { TopicExistsError, type TopicInfo, topicNameOf } from '@kaska/protocol'
import type { KafkaContext } from './handler.ts'

const nameCharsMax = 249
const namePattern = /^[a-zA-Z0-9._-]+$/

/** May Kafka's topics be called that? */
export function isKafkaName(name: string): boolean {
  if (name.length > nameCharsMax || name === '.' || name === '..') return false
  return namePattern.test(name)
}

/** All topics that Kafka's clients can be told of, in the order of their creation. */
export function* kafkaTopics({ broker }: KafkaContext): IterableIterator<TopicInfo> {
  for (const topic of broker.store.topics()) if (isKafkaName(topic.name)) yield topic
}

/** The topic of this name, made if need be. Rejects as `Engine.createTopic` does. */
export async function createMissing(context: KafkaContext, name: string): Promise<TopicInfo> {
  const { store, config } = context.broker
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
