/** The engine's contract on three brokers of Apache Kafka: replication 3, of which 2 have to be in sync. */
import { after, test } from 'node:test'
import { createKafkaEngine } from '@kaska/client'
import { type Engine, topicNameOf } from '@kaska/protocol'
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
}

async function empty(engine: Engine): Promise<void> {
  let cursor: number | undefined = 0
  while (cursor !== undefined) {
    const page = await engine.listTopics(cursor, context)
    await Promise.all(page.topics.map(({ name }) => engine.deleteTopic(topicNameOf(name), context)))
    cursor = page.next
  }
}
