/**
 * Hundreds of polls wait at one engine over three brokers of Apache Kafka: connections to each broker stay
 * few, and each message comes to each poll that asks for it exactly once.
 */
import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { after, type TestContext, test } from 'node:test'
import { createKafkaEngine } from '@kaska/client'
import { type Engine, type TopicInfo, topicNameOf } from '@kaska/protocol'
import type { ApacheKafkaCluster } from '../../../compat/lib/apache-kafka-cluster.ts'
import { batchOf, context } from './batches.ts'
import { startCluster } from './start-cluster.ts'

const topicCount = 20
const pollCount = 500
const partitions = 3
/** Messages to each partition. */
const messages = 20
/** To each broker: eight for fetches, and one for each other purpose. */
const connectionsMax = 8 + 5

const cluster = await startCluster()
if (typeof cluster === 'string') test('many polls', { skip: cluster }, () => {})
else {
  after(() => cluster.stop())
  test('many polls wait on few connections, and each hears all once', (t) => many(cluster, t))
}

async function many(cluster: ApacheKafkaCluster, t: TestContext): Promise<void> {
  const engine = await createKafkaEngine(`kafka://${cluster.bootstrap}`)
  t.after(() => engine.close())
  const sender = await createKafkaEngine(`kafka://${cluster.bootstrap}`)
  t.after(() => sender.close())
  const topics = await Promise.all(
    Array.from({ length: topicCount }, (_, index) =>
      sender.createTopic(
        { name: topicNameOf(`topic-${index}`), partitions, config: new Map() },
        context,
      ),
    ),
  )
  // What was counted so far are the connections of who sends.
  await Promise.all(topics.map((topic) => send(sender, topic, 0)))
  const start = performance.now()
  using connections = new Connections()
  const readers = Array.from(
    { length: pollCount },
    (_, index) => new Reader(engine, topics[index % topicCount] as TopicInfo),
  )
  const reading = Promise.all(readers.map((reader) => reader.run()))
  reading.catch(() => {})
  await Promise.all(readers.map((reader) => reader.begun.promise))
  await Promise.all(
    topics.map(async (topic) => {
      for (let round = 1; round < messages; round++) await send(sender, topic, round)
    }),
  )
  await reading
  t.diagnostic(`${Math.round(performance.now() - start)} ms of ${pollCount} polls`)
  t.diagnostic(`${connections.max} connections at most to a broker`)
  assert.ok(connections.max > 0 && connections.max <= connectionsMax, `${connections.max}`)
}

async function send(engine: Engine, { id }: TopicInfo, round: number): Promise<void> {
  const parts = Array.from({ length: partitions }, (_, partition) => {
    return { topic: id, partition, baseSequence: -1, batch: batchOf([`${round}`]) }
  })
  for (const { error } of await engine.send({ producer: undefined, parts }, context)) {
    if (error !== undefined) throw error
  }
}

/** Polls all partitions of a topic from the beginning until it has seen all there is to come. */
class Reader {
  /** Settled when the first message has come. */
  readonly begun = Promise.withResolvers<void>()
  readonly #engine: Engine
  readonly #topic: TopicInfo
  readonly #positions = new Array<number>(partitions).fill(0)

  constructor(engine: Engine, topic: TopicInfo) {
    this.#engine = engine
    this.#topic = topic
  }

  async run(): Promise<void> {
    const signal = AbortSignal.timeout(30_000)
    while (this.#positions.some((position) => position < messages)) {
      const parts = this.#positions.map((offset, partition) => {
        return { topic: this.#topic.id, partition, offset }
      })
      const request = { parts, waitMs: 30_000, bytesMax: 2 ** 20 }
      const { batches, failures, release } = await this.#engine.poll(request, {
        ...context,
        signal,
      })
      assert.deepEqual(failures, [])
      for (const { partition, baseOffset, recordCount } of batches) {
        // Each batch is the next one: none is missing, none comes twice.
        assert.equal(baseOffset, this.#positions[partition])
        this.#positions[partition] = baseOffset + recordCount
      }
      release()
      this.begun.resolve()
    }
  }
}

/** The connections that this process makes, by the port of their other end. */
class Connections implements Disposable {
  /** To one port at the same time. */
  max = 0
  readonly #open = new Map<number, number>()
  readonly #hear = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    socket.once('connect', () => {
      const { remotePort = 0 } = socket
      const count = (this.#open.get(remotePort) ?? 0) + 1
      this.#open.set(remotePort, count)
      this.max = Math.max(this.max, count)
      socket.once('close', () => this.#open.set(remotePort, (this.#open.get(remotePort) ?? 0) - 1))
    })
  }

  constructor() {
    diagnostics.subscribe('net.client.socket', this.#hear)
  }

  [Symbol.dispose](): void {
    diagnostics.unsubscribe('net.client.socket', this.#hear)
  }
}
