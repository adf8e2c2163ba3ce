/**
 * The partitions that are in use: each is made when it is first asked for, so those that nobody uses cost
 * nothing, and stays until its topic is deleted.
 */
import {
  type KaskaError,
  type TopicId,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import { Partition, type PartitionSeams } from './partition.ts'
import type { Topic } from './topic.ts'
import type { TopicStore } from './topic-store.ts'

export class UsedPartitions {
  readonly #topics: TopicStore
  readonly #seams: PartitionSeams

  constructor(topics: TopicStore, seams: PartitionSeams) {
    this.#topics = topics
    this.#seams = seams
  }

  /** Throws UnknownTopicError. */
  topicOf(id: TopicId): Topic {
    const topic = this.#topics.byId(id)
    if (topic === undefined) throw new UnknownTopicError(`there is no topic with the id '${id}'`)
    return topic
  }

  /** Throws UnknownTopicError, UnknownPartitionError. */
  check(id: TopicId, partition: number): Topic {
    const topic = this.topicOf(id)
    if (!(Number.isInteger(partition) && partition >= 0 && partition < topic.partitions)) {
      throw new UnknownPartitionError(
        `there is no partition ${partition}: the topic has ${topic.partitions}, from 0 on`,
      )
    }
    return topic
  }

  /** Throws UnknownTopicError, UnknownPartitionError. */
  of(id: TopicId, number: number): Partition {
    const topic = this.check(id, number)
    topic.used ??= new Map()
    let partition = topic.used.get(number)
    if (partition === undefined) {
      partition = new Partition(topic, number, this.#seams, topic.unused?.take(number))
      topic.used.set(number, partition)
    }
    return partition
  }

  /** Ends those of all topics: what waits for any of them is answered with the error. */
  end(error: KaskaError): void {
    for (const topic of this.#topics.from(0)) {
      for (const partition of topic.used?.values() ?? []) partition.end(error)
    }
  }

  /** Ends those of a topic that was deleted, and removes their logs; what the disk keeps is left over. Never
   * rejects: the topic is gone already. */
  async delete(topic: Topic, error: KaskaError): Promise<void> {
    const used = [...(topic.used?.values() ?? [])]
    topic.used = undefined
    // All of them at once: what waits for any of them is answered now.
    for (const partition of used) partition.end(error)
    for (const partition of used) await partition.delete(error).catch(() => {})
  }
}
