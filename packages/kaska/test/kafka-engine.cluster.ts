/**
 * The engine's contract on three brokers of Apache Kafka (replication 3, of which 2 have to be in sync): by the
 * engine over a cluster, and by a native connection to a gateway in front of it.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createKafkaEngine, createNodeHost, createTcpDialer, NativeEngine } from '@kaska/client'
import { type Engine, topicNameOf } from '@kaska/protocol'
import { createGateway } from '../src/gateway.ts'
import { batchOf, context } from './batches.ts'
import { engineSuite } from './engine-suite.ts'
import { startCluster } from './start-cluster.ts'

const cluster = await startCluster()
if (typeof cluster === 'string') test('three brokers of Apache Kafka', { skip: cluster }, () => {})
else {
  after(() => cluster.stop())
  engineSuite('a cluster of Apache Kafka', async () => {
    const engine = await createKafkaEngine(`kafka://${cluster.bootstrap}`)
    await empty(engine)
    return { engine, close: () => Promise.resolve() }
  })
  engineSuite('a native connection to a gateway', async () => {
    const gateway = await createGateway({ engine: `kafka://${cluster.bootstrap}` })
    await empty(gateway.engine)
    const { port } = await gateway.listen({ port: 0 })
    const engine = new NativeEngine({
      dialer: createTcpDialer({ host: '127.0.0.1', port }),
      clock: createNodeHost().clock,
      clientId: 'suite',
      connectTimeoutMs: 5000,
      receiveBytesMax: 1 << 28,
      silenceMsMax: 10_000,
    })
    await engine.connect()
    return { engine, close: () => gateway.close() }
  })
  test('what is behind a first batch that failed waits for it, or for the cluster to know the producer', async () => {
    const url = `kafka://${cluster.bootstrap}`
    const [engine, other] = await Promise.all([createKafkaEngine(url), createKafkaEngine(url)])
    try {
      await behindFailed(engine, other)
    } finally {
      await Promise.all([engine.close(), other.close()])
    }
  })
}

async function behindFailed(engine: Engine, other: Engine): Promise<void> {
  const config = new Map([['max.message.bytes', '2000']])
  const request = { name: topicNameOf('behind'), partitions: 2, config }
  const { id: topic } = await engine.createTopic(request, context)
  // It knows a topic once it was asked for its name.
  await other.resolve([request.name], context)
  const producer = await engine.initProducer(context)
  const send = async (by: Engine, partition: number, baseSequence: number, bytes = 10) => {
    const parts = [{ topic, partition, baseSequence, batch: batchOf(['x'.repeat(bytes)]) }]
    const [result] = await by.send({ producer, parts }, context)
    // What the cluster is asked meanwhile is answered.
    await setImmediate()
    return result?.error?.name ?? 'taken'
  }
  const until = async (outcome: string, partition: number, ...before: string[]) => {
    for (let seen = ''; seen !== outcome; ) {
      seen = await send(engine, partition, 1)
      assert.ok([outcome, 'ConnectionError', ...before].includes(seen), seen)
    }
  }
  for (const partition of [0, 1]) {
    assert.equal(await send(engine, partition, 0, 10_000), 'MessageTooLargeError')
  }
  await until('OutOfOrderSequenceError', 0)
  assert.equal(await send(engine, 0, 0), 'taken')
  assert.equal(await send(engine, 0, 1), 'taken')
  // As if it had been stored, and its answer lost: the cluster is asked again.
  assert.equal(await send(other, 1, 0), 'taken')
  await until('taken', 1, 'OutOfOrderSequenceError')
}

async function empty(engine: Engine): Promise<void> {
  let cursor: number | undefined = 0
  while (cursor !== undefined) {
    const page = await engine.listTopics(cursor, context)
    await Promise.all(page.topics.map(({ name }) => engine.deleteTopic(topicNameOf(name), context)))
    cursor = page.next
  }
}
