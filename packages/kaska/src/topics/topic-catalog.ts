/**
 * Topics as they are asked for by name: made, listed, resolved, described, given other settings, and deleted
 * with all that they hold. Each call sees what was asked for before it.
 */
import {
  type CreateTopicRequest,
  type TopicDescription,
  type TopicInfo,
  type TopicName,
  type TopicPage,
  UnknownTopicError,
} from '@kaska/protocol'
import type { TopicConfig } from '../config/topic-settings.ts'
import type { CommittedOffsets } from './committed-offsets.ts'
import type { Leftovers } from './leftovers.ts'
import type { Topic } from './topic.ts'
import { describeTopicConfig, logConfigOf } from './topic-config.ts'
import { type TopicStore, unknownTopic } from './topic-store.ts'
import type { UsedPartitions } from './used-partitions.ts'

export interface TopicCatalogOptions {
  readonly topics: TopicStore
  readonly partitions: UsedPartitions
  readonly offsets: CommittedOffsets
  readonly leftovers: Leftovers
}

/** A page of the listing holds no more topics, nor more bytes of names, than this. */
const pageTopicsMax = 1000
const pageBytesMax = 1024 * 1024

export class TopicCatalog {
  readonly #options: TopicCatalogOptions

  constructor(options: TopicCatalogOptions) {
    this.#options = options
  }

  /** `maker`: whose defaults it has. Rejects as the store does. */
  async create(request: CreateTopicRequest, maker?: 'kafka'): Promise<TopicInfo> {
    return infoOf(await this.#options.topics.create(request, maker))
  }

  /** Deletes a topic with its messages and what was committed in it. Rejects with UnknownTopicError. */
  async delete(name: TopicName): Promise<void> {
    const { topics, partitions, offsets, leftovers } = this.#options
    const topic = await topics.delete(name.text)
    const error = new UnknownTopicError(`the topic with the id ${topic.id} was deleted`)
    await partitions.delete(topic, error)
    await offsets.forgetTopic(topic.id)
    await leftovers.remove(topic)
  }

  /** The page that begins at the cursor; 0 is the first one's. */
  list(cursor: number): TopicPage {
    const topics: TopicInfo[] = []
    let bytes = 0
    for (const topic of this.#options.topics.from(cursor)) {
      if (topics.length === pageTopicsMax || bytes > pageBytesMax) {
        return { topics, next: topic.created }
      }
      topics.push(infoOf(topic))
      // At most three bytes of UTF-8 a code unit.
      bytes += 3 * topic.name.length
    }
    return { topics, next: undefined }
  }

  async resolve(names: readonly TopicName[]): Promise<(TopicInfo | undefined)[]> {
    const { topics } = this.#options
    const found: (TopicInfo | undefined)[] = []
    for (const { text } of names) {
      // A topic whose creation was asked for before is there.
      const change = topics.changeOf(text)
      if (change !== undefined) await change
      const topic = topics.get(text)
      found.push(topic === undefined ? undefined : infoOf(topic))
    }
    return found
  }

  /** Rejects with UnknownTopicError. */
  async describe(name: TopicName): Promise<TopicDescription> {
    const { topics } = this.#options
    await topics.changeOf(name.text)
    const topic = topics.get(name.text)
    if (topic === undefined) throw unknownTopic(name.text)
    return { ...infoOf(topic), config: describeTopicConfig(topic) }
  }

  /** Replaces a topic's settings by what `change` makes of them; its logs obey at once. */
  async alter(
    name: string,
    change: (config: TopicConfig) => ReadonlyMap<string, string>,
  ): Promise<void> {
    const topic = await this.#options.topics.configure(name, change)
    const logConfig = logConfigOf(topic)
    topic.retentionDue = 0
    for (const { log } of topic.used?.values() ?? []) if (log !== undefined) log.config = logConfig
  }

  /** Gives a topic so many partitions, which have to be more than it has. */
  async grow(name: string, partitions: number): Promise<TopicInfo> {
    return infoOf(await this.#options.topics.grow(name, partitions))
  }
}

function infoOf({ name, id, partitions }: Topic): TopicInfo {
  return { name, id, partitions }
}
