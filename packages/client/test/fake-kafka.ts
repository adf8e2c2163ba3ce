/**
 * Brokers of Apache Kafka in memory, as far as sends and polls need them: metadata, batches that are sent, fetches
 * and the bounds of a partition, in the messages of the real ones. Each answers one request of a connection after the other; a fetch waits
 * as Kafka's does, until there is a byte for any of its partitions, or something is wrong with one.
 */
import assert from 'node:assert/strict'
import {
  ChunkReader,
  type Chunks,
  ChunkWriter,
  joinChunks,
  kafka,
  type OffsetBounds,
} from '@kaska/protocol'
import type { ManualClock } from '../../../sim/manual-clock.ts'
import type { BrokerAddress, KafkaCall, KafkaDialer, KafkaLink } from '../src/kafka/kafka-link.ts'
import { FakeLog, type Taken, valuesIn } from './fake-log.ts'

const { errorCode } = kafka
const served = [
  kafka.produceRequest,
  kafka.fetchRequest,
  kafka.listOffsetsRequest,
  kafka.metadataRequest,
  kafka.apiVersionsRequest,
  kafka.initProducerIdRequest,
  kafka.describeProducersRequest,
]
const portBase = 9000

export interface SeenFetch {
  readonly node: number
  readonly connection: number
  readonly at: number
  readonly waitMs: number
  readonly maxBytes: number
  /** `topic/partition@offset`, the topic by its name. */
  readonly parts: readonly string[]
  /** When it was answered. */
  answeredAt: number | undefined
}

/** What goes wrong with a batch that is sent: the leader's answer, or none, since the connection breaks. */
export interface SendFault {
  readonly code: number | 'lost'
  readonly isStored: boolean
}

interface Topic {
  readonly name: string
  readonly id: string
  readonly partitions: FakeLog[]
}

/** What a fetch comes to now. */
interface Evaluated {
  readonly responses: NonNullable<kafka.Input<typeof kafka.fetchResponse.fields>['responses']>
  readonly isReady: boolean
}

export class FakeKafka implements KafkaDialer {
  readonly clock: ManualClock
  readonly fetches: SeenFetch[] = []
  /** How long each request takes. */
  latencyMs = 0
  /** Does it answer fetches with nothing, as for a client over its quota? */
  isThrottling = false
  /** Asked for each batch that its leader gets, with the values in it. */
  faultOf: (values: readonly string[], node: number) => SendFault | undefined = () => undefined
  readonly #nodes: number
  readonly #topics = new Map<string, Topic>()
  readonly #links = new Set<FakeLink>()
  readonly #down = new Set<number>()
  readonly #silent = new Set<number>()
  readonly #waiting = new Set<() => void>()
  #dialed = 0
  #producers = 0

  constructor(clock: ManualClock, nodes = 1) {
    this.clock = clock
    this.#nodes = nodes
  }

  get bootstrap(): BrokerAddress[] {
    return this.#brokers().map(({ host, port }) => ({ host, port }))
  }

  // What happens to it ------------------------------------------------------------------------------

  /** A topic whose partitions have these leaders. */
  create(name: string, leaders: readonly number[] = [1]): string {
    const id = name.padEnd(21, 'A').concat('A')
    const partitions = leaders.map((leader) => new FakeLog(leader))
    this.#topics.set(id, { name, id, partitions })
    return id
  }

  delete(id: string): void {
    this.#topics.delete(id)
    this.#changed()
  }

  /** Appends one batch, and returns its offset. */
  append(id: string, partition: number, ...values: (string | Uint8Array)[]): number {
    const baseOffset = this.log(id, partition).append(values)
    this.#changed()
    return baseOffset
  }

  /** -1: nobody. */
  lead(id: string, partition: number, leader: number): void {
    const log = this.log(id, partition)
    log.leader = leader
    log.leaderEpoch++
    this.#changed()
  }

  /** All before this offset is gone. */
  trim(id: string, partition: number, startOffset: number): void {
    this.log(id, partition).startOffset = startOffset
    this.#changed()
  }

  /** Its connections break, and no other is accepted. */
  kill(node: number): void {
    this.#down.add(node)
    for (const link of this.#links) if (link.node === node) link.close()
  }

  /** It answers no more, and closes nothing. */
  silence(node: number): void {
    this.#silent.add(node)
  }

  /** It is there again. */
  revive(node: number): void {
    this.#down.delete(node)
    this.#silent.delete(node)
  }

  /** All connections end, as those do that were idle for long. */
  cut(): void {
    for (const link of this.#links) link.close()
  }

  // What is seen of it ------------------------------------------------------------------------------

  /** Connections on which something was fetched and which are still there. */
  fetching(node: number): number {
    let count = 0
    for (const link of this.#links) if (link.node === node && link.hasFetched) count++
    return count
  }

  log(id: string, partition: number): FakeLog {
    const log = this.#topics.get(id)?.partitions[partition]
    assert(log !== undefined, `no ${id}/${partition}`)
    return log
  }

  boundsOf(id: string, partition: number): OffsetBounds {
    const { startOffset, endOffset } = this.log(id, partition)
    return { startOffset, endOffset }
  }

  // Connections -------------------------------------------------------------------------------------

  dial({ port }: BrokerAddress): Promise<KafkaLink> {
    const node = port - portBase
    if (this.#down.has(node)) return Promise.reject(new Error('refused'))
    const link: FakeLink = new FakeLink(node, ++this.#dialed, (call, body) =>
      this.#answer(link, call, body),
    )
    link.closed.then(
      () => {},
      () => this.#links.delete(link),
    )
    this.#links.add(link)
    return Promise.resolve(link)
  }

  async #answer(link: FakeLink, call: KafkaCall, body: Chunks): Promise<Chunks> {
    await this.clock.sleep(this.latencyMs)
    if (this.#silent.has(link.node) || this.#down.has(link.node)) await new Promise(() => {})
    const reader = new ChunkReader(body)
    const writer = new ChunkWriter()
    switch (call.key) {
      case kafka.apiVersionsRequest.key: {
        const apiKeys = served.map(({ key, versions }) => {
          return { apiKey: key, minVersion: versions.min, maxVersion: versions.max }
        })
        kafka.apiVersionsResponse.write(writer, { apiKeys }, call.version)
        break
      }
      case kafka.metadataRequest.key: {
        const { topics } = kafka.metadataRequest.read(reader, call.version)
        const answer = {
          brokers: this.#brokers(),
          topics: (topics ?? [...this.#topics.values()]).map(({ name, ...rest }) =>
            this.#described(name, 'topicId' in rest ? rest.topicId : rest.id),
          ),
        }
        kafka.metadataResponse.write(writer, answer, call.version)
        break
      }
      case kafka.initProducerIdRequest.key: {
        const answer = { producerId: this.#producers++, producerEpoch: 0 }
        kafka.initProducerIdResponse.write(writer, answer, call.version)
        break
      }
      case kafka.produceRequest.key: {
        const asked = kafka.produceRequest.read(reader, call.version)
        const responses = this.#produce(link.node, asked)
        if (responses === undefined) {
          link.close()
          await new Promise(() => {})
          break
        }
        kafka.produceResponse.write(writer, { responses }, call.version)
        break
      }
      case kafka.describeProducersRequest.key: {
        const asked = kafka.describeProducersRequest.read(reader, call.version)
        const answer = { topics: this.#producersOf(link.node, asked) }
        kafka.describeProducersResponse.write(writer, answer, call.version)
        break
      }
      case kafka.listOffsetsRequest.key: {
        const asked = kafka.listOffsetsRequest.read(reader, call.version)
        kafka.listOffsetsResponse.write(writer, { topics: this.#bounds(asked) }, call.version)
        break
      }
      case kafka.fetchRequest.key: {
        link.hasFetched = true
        const request = kafka.fetchRequest.read(reader, call.version)
        const responses = await this.#fetch(link, request)
        kafka.fetchResponse.write(writer, { responses }, call.version)
        break
      }
      default:
        assert.fail(`nobody asks for ${call.key} here`)
    }
    return writer.finish()
  }

  #brokers() {
    return Array.from({ length: this.#nodes }, (_, index) => {
      return { nodeId: index + 1, host: 'fake', port: portBase + index + 1 }
    })
  }

  #described(name: string | null, topicId: string) {
    const topic =
      name === null
        ? this.#topics.get(topicId)
        : [...this.#topics.values()].find((one) => one.name === name)
    if (topic === undefined) {
      return { errorCode: errorCode.UNKNOWN_TOPIC_ID, name, topicId, partitions: [] }
    }
    const partitions = topic.partitions.map(({ leader, leaderEpoch }, partitionIndex) => {
      const replicas = { replicaNodes: [], isrNodes: [] }
      return { errorCode: 0, partitionIndex, leaderId: leader, leaderEpoch, ...replicas }
    })
    return { errorCode: 0, name: topic.name, topicId: topic.id, partitions }
  }

  #producersOf(node: number, { topics }: kafka.DescribeProducersRequest) {
    return topics.map(({ name, partitionIndexes }) => {
      const topic = [...this.#topics.values()].find((one) => one.name === name)
      const partitions = partitionIndexes.map((partitionIndex) => {
        const log = topic?.partitions[partitionIndex]
        const isLeader = log?.leader === node
        const code = isLeader ? 0 : errorCode.NOT_LEADER_OR_FOLLOWER
        const activeProducers = isLeader ? log.producers : []
        return { partitionIndex, errorCode: code, activeProducers }
      })
      return { name, partitions }
    })
  }

  #bounds({ topics }: kafka.ListOffsetsRequest) {
    return topics.map(({ name, partitions }) => {
      const topic = [...this.#topics.values()].find((one) => one.name === name)
      return {
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const log = topic?.partitions[partitionIndex]
          if (log === undefined) return { partitionIndex, errorCode: 3 }
          const offset = timestamp === -2 ? log.startOffset : log.endOffset
          return { partitionIndex, errorCode: 0, offset }
        }),
      }
    })
  }

  // Batches that are sent ---------------------------------------------------------------------------

  /** Undefined: the connection breaks. */
  #produce(node: number, { topicData }: kafka.ProduceRequest) {
    let isLost = false
    const responses = topicData.map(({ topicId, partitionData }) => ({
      topicId,
      partitionResponses: partitionData.map(({ index, records }) => {
        const taken = this.#take(node, topicId, index, joinChunks(records ?? []))
        isLost ||= taken === undefined
        return { index, errorCode: 0, baseOffset: -1, ...taken }
      }),
    }))
    this.#changed()
    return isLost ? undefined : responses
  }

  #take(node: number, topicId: string, partition: number, sent: Uint8Array): Taken | undefined {
    const log = this.#topics.get(topicId)?.partitions[partition]
    if (log === undefined) return { errorCode: errorCode.UNKNOWN_TOPIC_ID, baseOffset: -1 }
    if (log.leader !== node) {
      return { errorCode: errorCode.NOT_LEADER_OR_FOLLOWER, baseOffset: -1 }
    }
    const fault = this.faultOf(valuesIn(sent), node)
    const taken = fault?.isStored === false ? undefined : log.take(sent)
    if (fault === undefined || (taken !== undefined && taken.errorCode !== 0)) return taken
    if (fault.code === 'lost') return undefined
    // Who has appended it, and then fails, tells where it did.
    return { errorCode: fault.code, baseOffset: taken?.baseOffset ?? -1 }
  }

  // Fetches -----------------------------------------------------------------------------------------

  async #fetch(link: FakeLink, request: kafka.FetchRequest): Promise<Evaluated['responses']> {
    const seen: SeenFetch = {
      node: link.node,
      connection: link.number,
      at: this.clock.monotonic(),
      waitMs: request.maxWaitMs,
      maxBytes: request.maxBytes,
      parts: request.topics.flatMap(({ topicId, partitions }) =>
        partitions.map(({ partition, fetchOffset }) => {
          return `${this.#topics.get(topicId)?.name}/${partition}@${fetchOffset}`
        }),
      ),
      answeredAt: undefined,
    }
    assert.equal(new Set(seen.parts.map((part) => part.split('@')[0])).size, seen.parts.length)
    this.fetches.push(seen)
    if (this.isThrottling) return []
    const isOver = await this.#wait(link, request)
    const { responses } = this.#evaluate(link.node, request)
    if (isOver) seen.answeredAt = this.clock.monotonic()
    return responses
  }

  /** Resolves when the fetch is to be answered; never once its connection is gone. */
  #wait(link: FakeLink, request: kafka.FetchRequest): Promise<boolean> {
    return new Promise((resolve) => {
      const end = () => {
        this.#waiting.delete(look)
        timer.cancel()
        resolve(true)
      }
      const look = () => {
        if (this.#evaluate(link.node, request).isReady) end()
      }
      const timer = this.clock.after(request.maxWaitMs, end)
      link.closed.catch(() => this.#waiting.delete(look))
      this.#waiting.add(look)
      if (request.maxWaitMs === 0) end()
      else look()
    })
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look()
  }

  #evaluate(node: number, { topics, maxBytes }: kafka.FetchRequest): Evaluated {
    let left = maxBytes
    let isReady = false
    const responses = topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map((asked) => {
        const { partition: partitionIndex, fetchOffset, lastFetchedEpoch } = asked
        const log = this.#topics.get(topicId)?.partitions[partitionIndex]
        const code = log?.codeFor(node, fetchOffset) ?? errorCode.UNKNOWN_TOPIC_ID
        const head = { partitionIndex, errorCode: code, highWatermark: -1 }
        if (log === undefined || code !== 0) {
          isReady = true
          return { ...head, abortedTransactions: null, records: null }
        }
        const divergingEpoch = log.divergingFrom(fetchOffset, lastFetchedEpoch)
        if (divergingEpoch !== undefined) {
          isReady = true
          return { ...head, divergingEpoch, abortedTransactions: null, records: null }
        }
        const roomMax = Math.min(asked.partitionMaxBytes, left)
        const records = log.read(fetchOffset, roomMax, left === maxBytes)
        left = Math.max(0, left - records.length)
        isReady ||= records.length > 0
        const highWatermark = log.endOffset
        const ends = { highWatermark, lastStableOffset: highWatermark }
        return { ...head, ...ends, abortedTransactions: null, records: [records] }
      }),
    }))
    return { responses, isReady }
  }
}

class FakeLink implements KafkaLink {
  readonly node: number
  readonly number: number
  /** Rejects when the connection ends. */
  readonly closed: Promise<never>
  hasFetched = false
  isClosed = false
  readonly #answer: (call: KafkaCall, body: Chunks) => Promise<Chunks>
  readonly #end: (error: Error) => void
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    node: number,
    number: number,
    answer: (call: KafkaCall, body: Chunks) => Promise<Chunks>,
  ) {
    this.node = node
    this.number = number
    this.#answer = answer
    const { promise, reject } = Promise.withResolvers<never>()
    this.closed = promise
    this.#end = reject
  }

  request(call: KafkaCall, body: Chunks): Promise<Chunks> {
    const answer = this.#last.then(() => this.#answer(call, body))
    this.#last = answer.catch(() => {})
    return Promise.race([answer, this.closed])
  }

  close(): void {
    this.isClosed = true
    this.#end(new Error('the connection was closed'))
  }
}
