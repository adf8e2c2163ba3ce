/** Logs of partitions that nobody uses are closed, and opened again: nobody notices. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Engine, type TopicInfo, topicNameOf } from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { type Broker, createBroker } from '../src/broker.ts'
import { batchOf, context, messagesOf } from './batches.ts'

const openMax = 5

async function open(): Promise<{ broker: Broker; engine: Engine; topic: TopicInfo }> {
  const disk = new SimulatedDisk(new SeededRandom(2))
  const broker = await createBroker({ disk, openPartitionsMax: openMax })
  const request = { name: topicNameOf('t'), partitions: 40, config: new Map() }
  const topic = await broker.engine.createTopic(request, context)
  return { broker, engine: broker.engine, topic }
}

function sender(engine: Engine, topic: TopicInfo) {
  return async (partition: number, value: string): Promise<number> => {
    const parts = [{ topic: topic.id, partition, baseSequence: -1, batch: batchOf([value]) }]
    const [result] = await engine.send({ producer: undefined, parts }, context)
    if (result === undefined || result.error !== undefined) throw result?.error
    return result.baseOffset
  }
}

suite('open partitions', () => {
  test('many more partitions than may be open are written and read, again and again', async () => {
    const { broker, engine, topic } = await open()
    const send = sender(engine, topic)
    for (let round = 0; round < 4; round++) {
      const sends = Array.from({ length: 40 }, (_, partition) => send(partition, `${round}`))
      assert.deepEqual(await Promise.all(sends), new Array(40).fill(round))
    }
    for (let partition = 0; partition < 40; partition++) {
      const parts = [{ topic: topic.id, partition, offset: 0 }]
      const result = await engine.poll({ parts, waitMs: 0, bytesMax: 1 << 20 }, context)
      assert.deepEqual(
        messagesOf(result.batches).map(({ value }) => value),
        ['0', '1', '2', '3'],
      )
      result.release()
      assert.equal((await engine.offsets(topic.id, partition, context)).endOffset, 4)
      assert.equal(await engine.messageSize(topic.id, partition, 3, context), 1)
      assert.equal(await engine.offsetAt(topic.id, partition, 0, context), 0)
    }
    assert.ok(broker.openPartitions <= openMax + 1, `${broker.openPartitions} are open`)
    await broker.close()
  })

  test('those that somebody waits for stay open, and a message wakes who waits', async () => {
    const { broker, engine, topic } = await open()
    const send = sender(engine, topic)
    const waiting = Array.from({ length: 20 }, (_, partition) =>
      engine.poll(
        { parts: [{ topic: topic.id, partition, offset: 0 }], waitMs: 60_000, bytesMax: 1000 },
        context,
      ),
    )
    for (let partition = 20; partition < 40; partition++) await send(partition, 'x')
    for (let partition = 0; partition < 20; partition++) await send(partition, `${partition}`)
    for (const [partition, result] of (await Promise.all(waiting)).entries()) {
      assert.equal(messagesOf(result.batches)[0]?.value, `${partition}`)
      result.release()
    }
    await broker.close()
  })

  test('a producer keeps its sequence while its log is closed and opened again', async () => {
    const { broker, engine, topic } = await open()
    const producer = await engine.initProducer(context)
    const append = async (partition: number, sequence: number) => {
      const batch = batchOf([`${sequence}`])
      const parts = [{ topic: topic.id, partition, baseSequence: sequence, batch }]
      const [result] = await engine.send({ producer, parts }, context)
      return result?.error === undefined ? result?.baseOffset : result.error.name
    }
    for (let sequence = 0; sequence < 3; sequence++) {
      for (let partition = 0; partition < 40; partition++) {
        assert.equal(await append(partition, sequence), sequence)
      }
    }
    assert.equal(await append(0, 2), 2)
    assert.equal(await append(0, 4), 'OutOfOrderSequenceError')
    await broker.close()
  })

  test('a topic is deleted while its logs are being closed', async () => {
    const { broker, engine, topic } = await open()
    const send = sender(engine, topic)
    const sends = Array.from({ length: 40 }, (_, partition) =>
      send(partition, 'x').catch((error) => error.name),
    )
    await send(39, 'last')
    await engine.deleteTopic(topicNameOf('t'), context)
    for (const result of await Promise.all(sends))
      assert.ok(result === 0 || result === 1 || result === 'UnknownTopicError')
    await broker.close()
  })
})
