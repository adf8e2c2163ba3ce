/**
 * What is known of a cluster, and the connections to it: one of each purpose to a broker, made when it
 * is first needed. What is known grows old: who finds it wrong calls `refresh`.
 *
 * The topics are always read from the same broker as long as it answers, so that what was seen once
 * is not unseen by asking another one that lags behind.
 */
import {
  type Clock,
  ClosedError,
  ConnectionError,
  kafka,
  type TopicId,
  type TopicInfo,
} from '@kaska/protocol'
import { abortable, sleep } from '../abort.ts'
import { BrokerConnection } from './broker-connection.ts'
import { Coordinators } from './coordinators.ts'
import { Gatherer } from './gatherer.ts'
import { errorOfCode } from './kafka-errors.ts'
import type { BrokerAddress, KafkaDialer } from './kafka-link.ts'

export interface ClusterOptions {
  readonly dialer: KafkaDialer
  /** Where to look for the cluster first; in this order. */
  readonly bootstrap: readonly BrokerAddress[]
  readonly clock: Clock
  readonly connectTimeoutMs: number
}

export interface KnownPartition {
  /** -1: nobody leads it now. */
  readonly leader: number
  readonly leaderEpoch: number
}

export interface KnownTopic extends TopicInfo {
  readonly leaders: readonly KnownPartition[]
  readonly isInternal: boolean
  /** By the monotonic clock. */
  readonly readAt: number
}

/** A broker answers what arrives on one connection one after the other, so what waits has its own. */
export type Purpose = 'control' | 'admin' | 'look-up' | 'send' | 'work'

const { errorCode } = kafka
/** How long everybody may take to hear of a change that the controller has made. */
const settleMsMax = 15_000
const pauseMs = 10
/** What one of many brokers is given to answer for the cluster, at least. */
const shareMsMin = 1_000

export class Cluster {
  readonly topics = new Map<TopicId, KnownTopic>()
  readonly brokers = new Map<number, BrokerAddress>()
  readonly closing = new AbortController()
  /** As the brokers call it; '' before the first has answered, and where they do not say. */
  clusterId = ''
  readonly coordinators = new Coordinators(this)
  readonly #options: ClusterOptions
  readonly #connections = new Map<string, BrokerConnection>()
  readonly #dialing = new Map<string, Promise<BrokerConnection>>()
  readonly #lookUps = new Map<number, Gatherer<TopicId, KnownTopic | undefined>>()
  readonly #refreshes: Gatherer<TopicId, KnownTopic | undefined>
  #control: BrokerConnection | undefined
  #controlling: Promise<BrokerConnection> | undefined

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#refreshes = new Gatherer(async (ids) => {
      const found = await this.ask((control) => this.#readTopics(control, ids))
      for (const [index, id] of ids.entries()) {
        const topic = found[index]
        if (topic === undefined) this.topics.delete(id)
        else this.topics.set(id, topic)
      }
      return found
    })
  }

  get closed(): ClosedError | undefined {
    const { aborted, reason } = this.closing.signal
    return aborted ? (reason as ClosedError) : undefined
  }

  close(): void {
    if (this.closed !== undefined) return
    this.closing.abort(new ClosedError('the client was closed'))
    for (const connection of this.#connections.values()) connection.close()
    this.#control?.close()
  }

  // Topics ----------------------------------------------------------------------------------------

  /** The topic as it is now; undefined if there is none of this id (any more). */
  refresh(id: TopicId): Promise<KnownTopic | undefined> {
    return this.#refreshes.call(id)
  }

  /** The topic as it was at most `ageMsMax` ago. */
  async topic(id: TopicId, ageMsMax: number): Promise<KnownTopic | undefined> {
    const known = this.topics.get(id)
    if (known !== undefined && this.#options.clock.monotonic() - known.readAt <= ageMsMax) {
      return known
    }
    return await this.refresh(id)
  }

  /** Topics by their names, undefined where there is none; all of them for null. */
  async byName(names: readonly string[] | null): Promise<(KnownTopic | undefined)[]> {
    const topics = names === null ? null : names.map((name) => ({ name }))
    const answer = await this.ask((control) => this.#metadata(control, topics))
    const byName = new Map<string | null, KnownTopic>()
    const found: KnownTopic[] = []
    for (const one of answer.topics) {
      const topic = this.#known(one)
      if (topic === undefined) continue
      this.topics.set(topic.id, topic)
      byName.set(topic.name, topic)
      found.push(topic)
    }
    if (names !== null) return names.map((name) => byName.get(name))
    // The others are gone.
    const ids = new Set(found.map(({ id }) => id))
    for (const id of this.topics.keys()) if (!ids.has(id)) this.topics.delete(id)
    return found
  }

  /** Resolves when every broker knows that the topic is there, with so many partitions, and who leads them. */
  async awaitCreation(id: TopicId, partitions = 1): Promise<void> {
    const isThere = (topic: KnownTopic | undefined): boolean =>
      topic !== undefined &&
      topic.partitions >= partitions &&
      topic.leaders.every(({ leader }) => leader >= 0)
    await this.refresh(id)
    const brokers = [...this.brokers.keys()]
    await this.#settled(async () => isThere(await this.refresh(id)))
    await Promise.all(
      brokers.map(async (node) => {
        try {
          await this.#settled(async () => isThere(await this.#lookUp(node).call(id)))
        } catch (error) {
          // A broker that is not there need not know.
          if (!(error instanceof ConnectionError)) throw error
        }
      }),
    )
  }

  /** Resolves when the topic is no longer seen. */
  async awaitDeletion(id: TopicId): Promise<void> {
    await this.#settled(async () => (await this.refresh(id)) === undefined)
  }

  async #settled(isSettled: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#options
    const deadline = clock.monotonic() + settleMsMax
    while (!(await isSettled())) {
      if (clock.monotonic() > deadline) {
        throw new ConnectionError('the cluster does not settle after a change of its topics')
      }
      await sleep(clock, pauseMs, this.closing.signal)
    }
  }

  #lookUp(node: number): Gatherer<TopicId, KnownTopic | undefined> {
    let lookUp = this.#lookUps.get(node)
    if (lookUp === undefined) {
      lookUp = new Gatherer(async (ids) =>
        this.#readTopics(await this.connection(node, 'look-up'), ids),
      )
      this.#lookUps.set(node, lookUp)
    }
    return lookUp
  }

  async #readTopics(
    connection: BrokerConnection,
    ids: readonly TopicId[],
  ): Promise<(KnownTopic | undefined)[]> {
    const unique = [...new Set(ids)]
    const answer = await this.#metadata(
      connection,
      unique.map((topicId) => ({ topicId, name: null })),
    )
    const found = new Map(answer.topics.map((one) => [one.topicId, this.#known(one)]))
    return ids.map((id) => found.get(id))
  }

  async #metadata(
    connection: BrokerConnection,
    topics: readonly { topicId?: TopicId; name: string | null }[] | null,
  ): Promise<kafka.MetadataResponse> {
    const input = { topics, allowAutoTopicCreation: false }
    const answer = await connection.request(
      kafka.metadataRequest,
      kafka.metadataResponse,
      input as Parameters<typeof kafka.metadataRequest.write>[1],
    )
    if (answer.errorCode !== 0) throw errorOfCode(answer.errorCode, 'the metadata cannot be read')
    if (answer.clusterId !== null) this.clusterId = answer.clusterId
    if (answer.brokers.length > 0) {
      this.brokers.clear()
      for (const { nodeId, host, port } of answer.brokers) this.brokers.set(nodeId, { host, port })
    }
    return answer
  }

  #known(one: kafka.MetadataResponse['topics'][number]): KnownTopic | undefined {
    const { errorCode: code, name, topicId } = one
    if (
      code === errorCode.UNKNOWN_TOPIC_OR_PARTITION ||
      code === errorCode.UNKNOWN_TOPIC_ID ||
      code === errorCode.INVALID_TOPIC_EXCEPTION ||
      name === null
    ) {
      return undefined
    }
    if (code !== 0 && code !== errorCode.LEADER_NOT_AVAILABLE) {
      throw errorOfCode(code, `the topic '${name}' cannot be read`)
    }
    const leaders: KnownPartition[] = Array.from({ length: one.partitions.length }, () => ({
      leader: -1,
      leaderEpoch: -1,
    }))
    for (const { partitionIndex, leaderId, leaderEpoch } of one.partitions) {
      leaders[partitionIndex] = { leader: leaderId, leaderEpoch }
    }
    return {
      name,
      id: topicId,
      partitions: leaders.length,
      leaders,
      isInternal: one.isInternal,
      readAt: this.#options.clock.monotonic(),
    }
  }

  // Connections -----------------------------------------------------------------------------------

  /** The connection on which the cluster is asked about itself: to the first broker that answers. */
  control(): Promise<BrokerConnection> {
    if (this.closed !== undefined) return Promise.reject(this.closed)
    if (this.#control !== undefined && !this.#control.isClosed) {
      return Promise.resolve(this.#control)
    }
    this.#controlling ??= this.#findControl().finally(() => {
      this.#controlling = undefined
    })
    return this.#controlling
  }

  /** Asks the cluster about itself; where the broker dies that was asked, another one. */
  async ask<T>(question: (control: BrokerConnection) => Promise<T>): Promise<T> {
    const control = await this.control()
    try {
      return await question(control)
    } catch (error) {
      if (!(error instanceof ConnectionError && control.isClosed)) throw error
      return await question(await this.control())
    }
  }

  async #findControl(): Promise<BrokerConnection> {
    // Those that were there last are tried first; the given ones know the way if all have moved.
    const candidates = new Map<string, BrokerAddress>()
    for (const address of [...this.brokers.values(), ...this.#options.bootstrap]) {
      candidates.set(`${address.host}:${address.port}`, address)
    }
    // A machine that is gone gives no answer: the others are asked within the same time.
    const share = Math.ceil(this.#options.connectTimeoutMs / candidates.size)
    const timeoutMs = Math.max(share, shareMsMin)
    let lastError: unknown
    for (const address of candidates.values()) {
      try {
        const connection = await this.#dial(address, timeoutMs)
        this.#control = connection
        await this.#metadata(connection, [])
        return connection
      } catch (error) {
        this.#control?.close()
        if (this.closed !== undefined) throw this.closed
        lastError = error
      }
    }
    if (lastError instanceof ConnectionError) {
      throw new ConnectionError(`no broker of the cluster answers: ${lastError.message}`, {
        cause: lastError,
      })
    }
    throw lastError
  }

  /** The connection for a purpose, if it is there. */
  opened(node: number, purpose: Purpose): BrokerConnection | undefined {
    const connection = this.#connections.get(`${node} ${purpose}`)
    return connection === undefined || connection.isClosed ? undefined : connection
  }

  connection(node: number, purpose: Purpose): Promise<BrokerConnection> {
    if (this.closed !== undefined) return Promise.reject(this.closed)
    const opened = this.opened(node, purpose)
    if (opened !== undefined) return Promise.resolve(opened)
    const key = `${node} ${purpose}`
    let dialing = this.#dialing.get(key)
    if (dialing === undefined) {
      dialing = this.dialNode(node)
        .then((connection) => {
          this.#connections.set(key, connection)
          return connection
        })
        .finally(() => this.#dialing.delete(key))
      this.#dialing.set(key, dialing)
    }
    return dialing
  }

  /** A connection of one's own. */
  dialNode(node: number): Promise<BrokerConnection> {
    if (this.closed !== undefined) return Promise.reject(this.closed)
    const address = this.brokers.get(node)
    if (address === undefined) {
      return Promise.reject(new ConnectionError(`the broker ${node} is not there now`))
    }
    return this.#dial(address)
  }

  /** Any broker, for what the controller does: brokers pass that on. */
  async admin(): Promise<BrokerConnection> {
    await this.control()
    let lastError: unknown = new ConnectionError('the cluster names no broker')
    for (const node of [...this.brokers.keys()]) {
      try {
        return await this.connection(node, 'admin')
      } catch (error) {
        lastError = error
      }
    }
    throw lastError
  }

  async #dial(
    address: BrokerAddress,
    timeoutMs = this.#options.connectTimeoutMs,
  ): Promise<BrokerConnection> {
    const { clock, dialer } = this.#options
    const attempt = new AbortController()
    const abort = () => attempt.abort(this.closing.signal.reason)
    this.closing.signal.addEventListener('abort', abort, { once: true })
    const timer = clock.after(timeoutMs, () =>
      attempt.abort(
        new ConnectionError(`${address.host}:${address.port} gave no answer in ${timeoutMs} ms`),
      ),
    )
    const opening = BrokerConnection.open(dialer, address, clock, attempt.signal)
    try {
      const connection = await abortable(opening, attempt.signal)
      if (this.closed !== undefined) {
        connection.close()
        throw this.closed
      }
      return connection
    } catch (error) {
      // One that comes late is nobody's.
      opening.then(
        (late) => late.close(),
        () => {},
      )
      throw error
    } finally {
      timer.cancel()
      this.closing.signal.removeEventListener('abort', abort)
    }
  }
}
