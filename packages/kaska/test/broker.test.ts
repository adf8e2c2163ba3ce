/** The broker as a whole: its options, its restarts, and what it leaves on the disk. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  AddressInUseError,
  ClosedError,
  DataDirectoryLockedError,
  type Engine,
  InvalidArgumentError,
  type TopicInfo,
  topicNameOf,
} from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { type BrokerOptions, createBroker } from '../src/broker.ts'
import { startBroker } from '../src/testing.ts'
import { batchOf, context, messagesOf } from './batches.ts'

function create(engine: Engine, name: string, partitions = 1): Promise<TopicInfo> {
  return engine.createTopic({ name: topicNameOf(name), partitions, config: new Map() }, context)
}

async function send(
  engine: Engine,
  topic: TopicInfo,
  value: string,
  partition = 0,
): Promise<number> {
  const parts = [{ topic: topic.id, partition, baseSequence: -1, batch: batchOf([value]) }]
  const [result] = await engine.send({ producer: undefined, parts }, context)
  if (result === undefined || result.error !== undefined) throw result?.error
  return result.baseOffset
}

async function values(engine: Engine, topic: TopicInfo, partition = 0): Promise<(string | null)[]> {
  const parts = [{ topic: topic.id, partition, offset: 0 }]
  const result = await engine.poll({ parts, waitMs: 0, bytesMax: 1 << 20 }, context)
  const messages = messagesOf(result.batches)
  result.release()
  return messages.map(({ value }) => value)
}

suite('options', () => {
  test('the data is in one place', async () => {
    const disk = new SimulatedDisk(new SeededRandom(1))
    await assert.rejects(createBroker({}), InvalidArgumentError)
    await assert.rejects(createBroker({ memory: true, disk }), InvalidArgumentError)
    await assert.rejects(createBroker({ memory: false }), InvalidArgumentError)
  })

  test('a sync mode and a budget that there cannot be are refused', async () => {
    const sync = 'never' as 'os'
    await assert.rejects(createBroker({ memory: true, sync }), InvalidArgumentError)
    await assert.rejects(createBroker({ memory: true, memoryBytesMax: 1 }), InvalidArgumentError)
  })

  test('topics are created at the start, and kept as they are at the next', async () => {
    const disk = new SimulatedDisk(new SeededRandom(1))
    const first = await createBroker({ disk, topics: [{ name: 'a', partitions: 3 }] })
    await first.close()
    const topics = [{ name: 'a' }, { name: 'b', config: { 'segment.ms': '5' } }]
    await using second = await createBroker({ disk, topics })
    const { topics: listed } = await second.engine.listTopics(0, context)
    assert.deepEqual(
      listed.map(({ name, partitions }) => [name, partitions]),
      [
        ['a', 3],
        ['b', 1],
      ],
    )
    const bad = { disk: new SimulatedDisk(new SeededRandom(1)), topics: [{ name: '' }] }
    await assert.rejects(createBroker(bad))
    // What failed to start has unlocked its directory.
    const { close } = await createBroker({ disk: bad.disk }).then((broker) => ({
      close: () => broker.close(),
    }))
    await close()
  })
})

suite('a restart', () => {
  const ends = {
    'a clean stop': async (broker: { close(): Promise<void> }) => broker.close(),
    'a kill': async (_: unknown, disk: SimulatedDisk) => disk.kill(),
    'a power failure': async (_: unknown, disk: SimulatedDisk) => disk.crash(),
  }
  for (const [name, end] of Object.entries(ends)) {
    test(`after ${name} finds topics, messages, offsets and producers`, async () => {
      const disk = new SimulatedDisk(new SeededRandom(5))
      const first = await createBroker({ disk })
      const orders = await create(first.engine, 'orders', 2)
      const gone = await create(first.engine, 'gone')
      const never = await create(first.engine, 'never used')
      await send(first.engine, gone, 'x')
      for (const value of ['a', 'b', 'c']) await send(first.engine, orders, value)
      await send(first.engine, orders, 'd', 1)
      await first.engine.commit('g', [{ topic: orders.id, partition: 0, offset: 2 }], context)
      await first.engine.deleteTopic(topicNameOf('gone'), context)
      const producer = await first.engine.initProducer(context)
      const part = { topic: orders.id, partition: 1, baseSequence: 0, batch: batchOf(['e']) }
      await first.engine.send({ producer, parts: [part] }, context)
      await end(first, disk)

      await using second = await createBroker({ disk })
      const { engine } = second
      assert.equal(second.clusterId, first.clusterId)
      const { topics } = await engine.listTopics(0, context)
      assert.deepEqual(topics, [orders, never])
      assert.deepEqual(await values(engine, orders), ['a', 'b', 'c'])
      assert.equal(await engine.committed('g', orders.id, 0, context), 2)
      assert.notEqual((await engine.initProducer(context)).producerId, producer.producerId)
      // Sent again, since the answer may have been lost.
      const [again] = await engine.send({ producer, parts: [part] }, context)
      assert.equal(again?.error === undefined && again?.baseOffset, 1)
      assert.deepEqual(await values(engine, orders, 1), ['d', 'e'])
      assert.equal(await send(engine, orders, 'f'), 3)
      assert.ok(disk.paths().every((path) => !path.includes(gone.id)))
    })
  }

  test('sends that come before the log is open keep their order', async () => {
    const disk = new SimulatedDisk(new SeededRandom(5))
    const first = await createBroker({ disk })
    const topic = await create(first.engine, 't')
    await send(first.engine, topic, 'old')
    await first.close()
    await using second = await createBroker({ disk })
    const sent = ['a', 'b', 'c'].map((value) => send(second.engine, topic, value))
    assert.deepEqual(await Promise.all(sent), [1, 2, 3])
    assert.deepEqual(await values(second.engine, topic), ['old', 'a', 'b', 'c'])
  })

  test('what a deleted topic left when the broker was killed is removed', async () => {
    const disk = new SimulatedDisk(new SeededRandom(5))
    const first = await createBroker({ disk })
    const topic = await create(first.engine, 't', 40)
    for (const partition of [0, 1, 39]) await send(first.engine, topic, 'x', partition)
    // The deletion is recorded, and the machine dies before the files are gone.
    const { remove } = disk
    disk.remove = () => new Promise(() => {})
    void first.engine.deleteTopic(topicNameOf('t'), context)
    while ((await first.engine.topicCount(context)) > 0) await turn()
    await turn()
    disk.kill()
    disk.remove = remove
    assert.ok(disk.paths().some((path) => path.includes(topic.id)))

    const second = await createBroker({ disk })
    await second.engine.close()
    assert.ok(disk.paths().every((path) => !path.includes(topic.id)))
    await second.close()
  })
})

suite('several brokers', () => {
  test('two in one process know nothing of each other', async () => {
    await using first = await createBroker({ memory: true })
    await using second = await createBroker({ memory: true })
    await create(first.engine, 'a')
    assert.equal(await second.engine.topicCount(context), 0)
    assert.notEqual(first.clusterId, second.clusterId)
  })

  test('a directory takes one, and a port as well', async () => {
    const disk = new SimulatedDisk(new SeededRandom(5))
    await using first = await startBroker({ disk })
    await assert.rejects(createBroker({ disk }), DataDirectoryLockedError)
    const { port } = first
    await assert.rejects(startBroker({ port }), AddressInUseError)
    await using other = await createBroker({ memory: true })
    const listening = await other.listen({ port: 0 })
    assert.match(listening.url, /^kaska:\/\/127\.0\.0\.1:\d+$/)
    await listening.close()
  })

  test('closing is done once, and takes no listener any more', async () => {
    const broker = await createBroker({ memory: true })
    await Promise.all([broker.close(), broker.close()])
    await assert.rejects(broker.listen({ port: 0 }), ClosedError)
    await assert.rejects(broker.engine.topicCount(context), ClosedError)
  })
})

suite('a client in the process', () => {
  test("may change its bytes once they are sent, and cannot change another's", async () => {
    await using broker = await createBroker({ memory: true })
    const engine = broker.inProcess()
    const topic = await create(engine, 't')
    const batch = batchOf(['hello'])
    const parts = [{ topic: topic.id, partition: 0, baseSequence: -1, batch }]
    const sending = engine.send({ producer: undefined, parts }, context)
    // Even while the send is under way: the copy was made in the call.
    batch.records[0]?.fill(0)
    await sending
    const poll = async () => {
      const request = { topic: topic.id, partition: 0, offset: 0 }
      return engine.poll({ parts: [request], waitMs: 0, bytesMax: 1000 }, context)
    }
    const mine = await poll()
    mine.batches[0]?.records[0]?.fill(0)
    assert.deepEqual(await values(engine, topic), ['hello'])
    mine.release()
  })

  test('ends its polls when it is closed, and nobody else', async () => {
    await using broker = await createBroker({ memory: true })
    const one = broker.inProcess()
    const topic = await create(one, 't')
    const request = {
      parts: [{ topic: topic.id, partition: 0, offset: 0 }],
      waitMs: 60_000,
      bytesMax: 1000,
    }
    const ended = assert.rejects(one.poll(request, context), ClosedError)
    const other = broker.inProcess().poll(request, context)
    await turn()
    await one.close()
    await ended
    await send(broker.engine, topic, 'x')
    assert.equal((await other).batches.length, 1)
  })
})

suite('little memory', () => {
  test('many polls for large batches from the disk all come to an end', async () => {
    const options: BrokerOptions = {
      disk: new SimulatedDisk(new SeededRandom(5)),
      sync: 'os',
      memoryBytesMax: 16 * 1024 * 1024,
    }
    const first = await createBroker(options)
    const topics: TopicInfo[] = []
    for (let index = 0; index < 8; index++) {
      const topic = await create(first.engine, `t${index}`)
      topics.push(topic)
      for (let sent = 0; sent < 4; sent++) {
        const batch = batchOf([new Uint8Array(700_000)])
        const parts = [{ topic: topic.id, partition: 0, baseSequence: -1, batch }]
        await first.engine.send({ producer: undefined, parts }, context)
      }
    }
    await first.close()
    await using second = await createBroker(options)
    const parts = topics.map(({ id }) => ({ topic: id, partition: 0, offset: 0 }))
    const poll = async (turned: number) => {
      const rotated = [...parts.slice(turned % 8), ...parts.slice(0, turned % 8)]
      const request = { parts: rotated, waitMs: 1000, bytesMax: 8 * 1024 * 1024 }
      const result = await second.engine.poll(request, context)
      assert.ok(result.batches.length > 0)
      assert.deepEqual(result.failures, [])
      await turn()
      result.release()
    }
    await Promise.all(Array.from({ length: 40 }, (_, index) => poll(index)))
  })
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
