/**
 * Which topic stands behind each name that is sent to: a name is resolved once, and what is sent
 * meanwhile waits, in its order. When its topic was deleted, the name is resolved again as soon as no
 * answer of the old topic is awaited any more, and what was on its way there goes on to the new one.
 *
 *   unknown --resolved--> known --leave()--> gone, answers awaited --follow()--> known again, or unknown
 */
import {
  type ClosedError,
  ConnectionError,
  type Random,
  type TopicInfo,
  UnknownTopicError,
} from '@kaska/protocol'
import { TopicSender } from './topic-sender.ts'
import type { UnsettledBatches } from './unsettled-batches.ts'

/** What stands behind a name; `isStale`: what was known of it is wrong. */
export type ResolveTopic = (name: string, isStale: boolean) => Promise<TopicInfo>

/** A send that waits until its topic is known. */
export interface WaitingSend {
  start(topic: TopicSender): void
  reject(error: unknown): void
}

export interface TopicSendersOptions {
  readonly random: Random
  readonly batches: UnsettledBatches
  readonly resolveTopic: ResolveTopic
  /** Sends what was meant for a topic that is gone to `topic`; undefined: to none, because of `failure`. */
  moved(gone: TopicSender, topic: TopicSender | undefined, failure: unknown): void
  /** `isIdle` may have changed. */
  changed(): void
}

export class TopicSenders {
  readonly #options: TopicSendersOptions
  readonly #byName = new Map<string, TopicSender>()
  /** By name: sends that wait for their topic, in order. */
  readonly #waiting = new Map<string, WaitingSend[]>()
  /** How many looks at topics are under way, for partitions that were not known. */
  #looking = 0
  #closed: ClosedError | undefined

  constructor(options: TopicSendersOptions) {
    this.#options = options
  }

  /** Does nothing wait for a topic? */
  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#looking === 0
  }

  /** The topic of this name, where it is known and not gone. */
  get(name: string): TopicSender | undefined {
    const topic = this.#byName.get(name)
    return topic?.isGone ? undefined : topic
  }

  /** Starts the send once the topic is known: at once, or behind those that wait already. */
  await(name: string, send: WaitingSend): void {
    const waiting = this.#waiting.get(name)
    if (waiting !== undefined) {
      waiting.push(send)
      return
    }
    const topic = this.#byName.get(name)
    if (topic !== undefined && !topic.isGone) {
      send.start(topic)
      return
    }
    this.#waiting.set(name, [send])
    this.#options.changed()
    // A topic that is gone is resolved again when its senders are done.
    if (topic === undefined) void this.#resolve(name, undefined)
  }

  /** A partition is not known: looks whether the topic has grown, or is another one by now. */
  look(topic: TopicSender, send: WaitingSend): void {
    this.#looking++
    this.#options.changed()
    void this.#options
      .resolveTopic(topic.name, true)
      .then(
        (info) => {
          if (this.#closed !== undefined) send.reject(this.#closed)
          else if (info.id !== topic.id) this.#replace(topic, send)
          else {
            topic.grow(info.partitions)
            send.start(topic)
          }
        },
        (error) => send.reject(this.#failureOf(error)),
      )
      .finally(() => {
        this.#looking--
        this.#options.changed()
      })
  }

  /** The broker does not know the topic any more. */
  leave(topic: TopicSender): void {
    if (topic.isGone) return
    topic.isGone = true
    if (!this.#waiting.has(topic.name)) this.#waiting.set(topic.name, [])
  }

  /** Goes on with what has the name of a topic that is gone, when no answer is awaited. */
  follow(topic: TopicSender): void {
    if (topic.partitions.some(({ underWayCount }) => underWayCount > 0)) return
    void this.#resolve(topic.name, topic)
  }

  /** Rejects what waits; nothing is started any more. */
  close(error: ClosedError): void {
    this.#closed = error
    for (const waiting of [...this.#waiting.values()].flat()) waiting.reject(error)
    this.#waiting.clear()
  }

  /** Finds out what stands behind the name, and starts what waits for it. */
  async #resolve(name: string, gone: TopicSender | undefined): Promise<void> {
    const { batches, changed, moved, random, resolveTopic } = this.#options
    let topic: TopicSender | undefined
    let failure: unknown
    try {
      const info = await resolveTopic(name, gone !== undefined)
      if (info.id === gone?.id) throw deletedTopic(name)
      topic = new TopicSender(info, random.bytes(1)[0] ?? 0, (batch) => batches.forget(batch))
    } catch (error) {
      failure = this.#failureOf(error)
    }
    if (this.#closed !== undefined) return
    this.#byName.delete(name)
    if (topic !== undefined) this.#byName.set(name, topic)
    if (gone !== undefined) moved(gone, topic, failure)
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.delete(name)
    for (const send of waiting) {
      if (topic === undefined) send.reject(failure)
      else send.start(topic)
    }
    changed()
  }

  /** Another topic has the name: `send` goes there, behind what is on its way to the old one. */
  #replace(topic: TopicSender, send: WaitingSend): void {
    if (this.#byName.get(topic.name) === topic) {
      const isKnown = topic.isGone
      this.leave(topic)
      if (!isKnown) this.follow(topic)
    }
    this.await(topic.name, send)
  }

  /** A broker that is out of reach for so long is told as every other delivery that took too long. */
  #failureOf(error: unknown): unknown {
    return error instanceof ConnectionError ? this.#options.batches.timeout(error) : error
  }
}

export function deletedTopic(name: string): UnknownTopicError {
  return new UnknownTopicError(`the topic '${name}' was deleted`)
}
