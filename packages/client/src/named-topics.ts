/**
 * What a client's topic names stand for: a name is resolved when it is first needed, and again where
 * what was known of it proves wrong, for a topic may be deleted and created anew under its name.
 */
import {
  type Engine,
  type RequestContext,
  type TopicId,
  type TopicInfo,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import type { EngineRequests } from './engine-requests.ts'
import type { SubscribedTopic } from './subscription.ts'

/** How many requests for offsets are under way at once when a subscription begins. */
const offsetsAtOnce = 256

export class NamedTopics {
  readonly #engine: Engine
  readonly #requests: EngineRequests
  readonly #byName = new Map<string, TopicInfo>()

  constructor(engine: Engine, requests: EngineRequests) {
    this.#engine = engine
    this.#requests = requests
  }

  set(name: string, info: TopicInfo): void {
    this.#byName.set(name, info)
  }

  delete(name: string): void {
    this.#byName.delete(name)
  }

  /** What stands behind a name, for a send. Rejects with UnknownTopicError. */
  async resolveForSend(name: string, isStale: boolean): Promise<TopicInfo> {
    const known = this.#byName.get(name)
    if (known !== undefined && !isStale) return known
    const names = [topicNameOf(name)]
    const [info] = await this.#requests.makeForSend((context) =>
      this.#engine.resolve(names, context),
    )
    return this.#resolved(name, info)
  }

  /**
   * A request about a partition of the topic. One that was deleted and created again is found once
   * more. Rejects with UnknownTopicError.
   */
  async request<T>(
    name: string,
    signal: AbortSignal | undefined,
    run: (id: TopicId, context: RequestContext) => Promise<T>,
  ): Promise<T> {
    const known = this.#byName.get(name)
    const info = known ?? (await this.#resolve(name, signal))
    try {
      return await this.#requests.make(signal, (context) => run(info.id, context))
    } catch (error) {
      if (!(error instanceof UnknownTopicError && known !== undefined)) throw error
      const found = await this.#resolve(name, signal)
      if (found.id === info.id) throw error
      return await this.#requests.make(signal, (context) => run(found.id, context))
    }
  }

  /** The ends of all partitions; a topic that is deleted meanwhile is left out. */
  async endsOf(
    infos: readonly TopicInfo[],
    signal: AbortSignal | undefined,
  ): Promise<SubscribedTopic[]> {
    const topics = infos.map(({ name, id, partitions }) => {
      return { name, id, positions: Array.from({ length: partitions }, () => 0), isGone: false }
    })
    const all = topics.flatMap((topic) =>
      topic.positions.map((_, partition) => ({ topic, partition })),
    )
    for (let start = 0; start < all.length; start += offsetsAtOnce) {
      const some = all.slice(start, start + offsetsAtOnce)
      await Promise.all(
        some.map(async ({ topic, partition }) => {
          try {
            const bounds = await this.#requests.make(signal, (context) =>
              this.#engine.offsets(topic.id, partition, context),
            )
            topic.positions[partition] = bounds.endOffset
          } catch (error) {
            if (!(error instanceof UnknownTopicError)) throw error
            topic.isGone = true
          }
        }),
      )
    }
    return topics.filter(({ isGone }) => !isGone)
  }

  async #resolve(name: string, signal: AbortSignal | undefined): Promise<TopicInfo> {
    const names = [topicNameOf(name)]
    const [info] = await this.#requests.make(signal, (context) =>
      this.#engine.resolve(names, context),
    )
    return this.#resolved(name, info)
  }

  #resolved(name: string, info: TopicInfo | undefined): TopicInfo {
    if (info === undefined) {
      this.#byName.delete(name)
      throw new UnknownTopicError(`there is no topic '${name}'`)
    }
    this.#byName.set(name, info)
    return info
  }
}
