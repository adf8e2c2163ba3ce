/**
 * The engine's contract on three brokers of Apache Kafka (replication 3, of which 2 have to be in sync): by the
 * engine over a cluster, and by a native connection to a gateway in front of it.
 */
import { after, test } from 'node:test'
import { createKafkaEngine, createNodeHost, createTcpDialer, NativeEngine } from '@kaska/client'
import { type Engine, topicNameOf } from '@kaska/protocol'
import { createGateway } from '../src/gateway.ts'
import { context } from './batches.ts'
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
}

async function empty(engine: Engine): Promise<void> {
  let cursor: number | undefined = 0
  while (cursor !== undefined) {
    const page = await engine.listTopics(cursor, context)
    await Promise.all(page.topics.map(({ name }) => engine.deleteTopic(topicNameOf(name), context)))
    cursor = page.next
  }
}
