/**
 * Committed offsets on a cluster, for nobody's members: commits of a group that has none (contract 4).
 *
 * A commit's metadata is the topic's id. Kafka forgets a deleted topic's offsets a while after the
 * deletion; with the id in it, a commit is never taken for one to the topic's successor meanwhile.
 */
import {
  ConnectionError,
  GroupActiveError,
  kafka,
  noTopicId,
  topicIdToBytes,
} from '@kaska/protocol'
import type { Cluster, KnownTopic } from './cluster.ts'
import { errorOfCode, isMoved, Moved } from './kafka-errors.ts'

export interface KnownEntry {
  readonly topic: KnownTopic
  readonly partition: number
  readonly offset: number
}

/** The newest versions with topics by name: what is known of ids is checked here. */
const commitVersionMax = 9
export const fetchVersionMax = 9
/** The first with `groups`, and the first of the group's errors. */
export const fetchVersionMin = 8

export class GroupOffsets {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Rejects with Moved, GroupActiveError, ... */
  async commit(group: string, entries: readonly KnownEntry[]): Promise<void> {
    const topics = new Map<string, { name: string; partitions: object[] }>()
    for (const { topic, partition, offset } of entries) {
      let one = topics.get(topic.id)
      if (one === undefined) {
        one = { name: topic.name, partitions: [] }
        topics.set(topic.id, one)
      }
      one.partitions.push({
        partitionIndex: partition,
        committedOffset: offset,
        committedMetadata: topic.id,
      })
    }
    const connection = await this.#coordinator(group)
    const version = connection.versionOf(kafka.offsetCommitRequest, commitVersionMax)
    const answer = await connection.request(
      kafka.offsetCommitRequest,
      kafka.offsetCommitResponse,
      { groupId: group, topics: [...topics.values()] },
      { version },
    )
    for (const { partitions } of answer.topics) {
      for (const { errorCode } of partitions) {
        if (errorCode === kafka.errorCode.UNKNOWN_TOPIC_OR_PARTITION) {
          // What is known of them is out of date.
          for (const { topic } of entries) this.#cluster.topics.delete(topic.id)
        }
        this.#check(group, errorCode, 'was not committed')
      }
    }
  }

  async committed(
    group: string,
    topic: KnownTopic,
    partition: number,
  ): Promise<number | undefined> {
    const connection = await this.#coordinator(group)
    const version = connection.versionOf(kafka.offsetFetchRequest, fetchVersionMax)
    const topics = [{ name: topic.name, partitionIndexes: [partition] }]
    const answer = await connection.request(
      kafka.offsetFetchRequest,
      kafka.offsetFetchResponse,
      { groupId: group, topics, groups: [{ groupId: group, topics }], requireStable: true },
      { version },
    )
    const found = version < fetchVersionMin ? answer : answer.groups[0]
    this.#check(group, found?.errorCode ?? 0, 'cannot be read')
    const one = found?.topics[0]?.partitions[0]
    if (one === undefined) return undefined
    this.#check(group, one.errorCode, 'cannot be read')
    const { committedOffset, metadata } = one
    if (committedOffset < 0 || isOther(metadata, topic)) return undefined
    return committedOffset
  }

  async #coordinator(group: string) {
    try {
      return await this.#cluster.coordinators.connection(group)
    } catch (error) {
      this.#cluster.coordinators.forget(group)
      if (error instanceof ConnectionError && this.#cluster.closed === undefined) {
        throw new Moved(error)
      }
      throw error
    }
  }

  #check(group: string, code: number, what: string): void {
    if (code === 0) return
    const error = errorOfCode(code, `what '${group}' has committed ${what}`)
    if (!isMoved(code)) {
      if (error instanceof GroupActiveError) {
        throw new GroupActiveError(`'${group}' is a group of Kafka consumers that are running now`)
      }
      throw error
    }
    this.#cluster.coordinators.forget(group)
    throw new Moved(new ConnectionError(error.message))
  }
}

/** Does the commit's metadata name another topic? */
export function isOther(metadata: string | null, topic: Pick<KnownTopic, 'id'>): boolean {
  if (metadata === null || metadata === topic.id || metadata === noTopicId) return false
  return topicIdToBytes(metadata) !== undefined
}
