/** What is known of brokers in memory that close connections, die and forget. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicNameOf } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { fakeCluster } from '../../test/fake-cluster.ts'
import { FakeKafka } from '../../test/fake-kafka.ts'
import { Cluster } from './cluster.ts'

const context = { principal: null, clientId: 'test', address: 'in-process' }

test('connections that brokers have closed while they were idle are made anew', async (t) => {
  const { engine, kafka, run } = fakeCluster(t, 2)
  const topic = kafka.create('orders', [2])
  const look = async () => {
    assert.equal(await engine.topicCount(context), 1)
    assert.deepEqual(await engine.offsets(topic, 0, context), { startOffset: 0, endOffset: 0 })
    await engine.initProducer(context)
  }
  await run(look())
  kafka.cut()
  await run(look())
})

test('what is asked of a broker that dies meanwhile is asked of another one', async (t) => {
  const { clock, engine, kafka, run } = fakeCluster(t, 2)
  kafka.create('orders', [2])
  await run(engine.connect())
  const asked = [engine.topicCount(context), engine.resolve([topicNameOf('orders')], context)]
  await clock.advance(0.5)
  kafka.kill(1)
  const [count] = await run(Promise.all(asked))
  assert.equal(count, 1)
})

test('nothing is kept of topics that are gone', async () => {
  const clock = new ManualClock()
  const kafka = new FakeKafka(clock)
  const { bootstrap } = kafka
  const cluster = new Cluster({ dialer: kafka, bootstrap, clock, connectTimeoutMs: 1000 })
  const ids = Array.from({ length: 10 }, (_, index) => kafka.create(`topic-${index}`))
  await clock.runUntil(cluster.byName(null), 1000)
  assert.equal(cluster.topics.size, 10)
  for (const id of ids.slice(1)) kafka.delete(id)
  await clock.runUntil(cluster.byName(null), 1000)
  assert.deepEqual([...cluster.topics.keys()], ids.slice(0, 1))
  cluster.close()
})
