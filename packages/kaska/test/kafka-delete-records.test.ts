/** DeleteRecords: what is answered, what is left to readers, and what a restart finds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafka, type TopicInfo, topicNameOf } from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { batchOf, context } from './batches.ts'
import { dialKafka, encodeBatch, type KafkaTestClient, valuesOf } from './kafka-client.ts'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

const { errorCode } = kafka
const [produce, fetch, listOffsets, deleteRecords] = [0, 1, 2, 21]

interface Setup {
  readonly broker: NativeBroker
  readonly client: KafkaTestClient
  readonly topic: TopicInfo
}

/** A topic with five messages, each in a batch of its own. */
async function setUp(disk: SimulatedDisk, syncMode: 'always' | 'os' = 'always'): Promise<Setup> {
  const { broker, client } = await open(disk, syncMode)
  const request = { name: topicNameOf('x'), partitions: 2, config: new Map() }
  const topic = await broker.engine.createTopic(request, context)
  for (let index = 0; index < 5; index++) await send(client, `v${index}`)
  return { broker, client, topic }
}

async function open(disk: SimulatedDisk, syncMode: 'always' | 'os' = 'always') {
  const broker = await startNativeBroker({ disk, syncMode })
  return { broker, client: dialKafka(broker.kafka.accept.bind(broker.kafka)) }
}

async function send(client: KafkaTestClient, value: string): Promise<void> {
  const records = encodeBatch(batchOf([value]))
  const topicData = [{ name: 'x', partitionData: [{ index: 0, records }] }]
  const request = { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }
  const answer = await client.ask(produce, 9, request)
  assert.equal(answer.responses[0].partitionResponses[0].errorCode, 0)
}

/** Error code and low watermark. */
async function remove(
  client: KafkaTestClient,
  offset: number,
  { name = 'x', partition = 0, version = 2 } = {},
): Promise<[number, number]> {
  const topics = [{ name, partitions: [{ partitionIndex: partition, offset }] }]
  const answer = await client.ask(deleteRecords, version, { topics, timeoutMs: 1000 })
  assert.equal(answer.topics[0].name, name)
  const [row] = answer.topics[0].partitions
  assert.equal(row.partitionIndex, partition)
  return [row.errorCode, row.lowWatermark]
}

async function read(client: KafkaTestClient, fetchOffset: number) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }]
  const topics = [{ topic: 'x', partitions }]
  const answer = await client.ask(fetch, 12, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics,
  })
  return answer.responses[0].partitions[0]
}

test('the answers are those of Apache Kafka 4.3, in all versions', async () => {
  for (const version of [0, 1, 2]) {
    const { broker, client } = await setUp(new SimulatedDisk(new SeededRandom(1)))
    const at = (offset: number, target = {}) => remove(client, offset, { version, ...target })
    const outOfRange = [errorCode.OFFSET_OUT_OF_RANGE, -1]
    const unknown = [errorCode.UNKNOWN_TOPIC_OR_PARTITION, -1]
    assert.deepEqual(await at(-2), outOfRange)
    assert.deepEqual(await at(6), outOfRange)
    assert.deepEqual(await at(2), [0, 2])
    // Below the start there is nothing to do.
    assert.deepEqual(await at(1), [0, 2])
    assert.deepEqual(await at(0), [0, 2])
    assert.deepEqual(await at(-1), [0, 5])
    assert.deepEqual(await at(-1), [0, 5])
    assert.deepEqual(await at(5), [0, 5])
    assert.deepEqual(await at(6), outOfRange)
    assert.deepEqual(await at(-1, { partition: 1 }), [0, 0], 'nothing was ever sent')
    assert.deepEqual(await at(0, { partition: 7 }), unknown)
    assert.deepEqual(await at(0, { name: 'nope' }), unknown)
    await broker.close()
  }
})

test('readers, offsets and times know only what is left', async () => {
  const { broker, client } = await setUp(new SimulatedDisk(new SeededRandom(1)))
  assert.deepEqual(await remove(client, 2), [0, 2])
  assert.equal((await read(client, 1)).errorCode, errorCode.OFFSET_OUT_OF_RANGE)
  const rest = await read(client, 2)
  assert.deepEqual([rest.errorCode, rest.logStartOffset], [0, 2])
  assert.deepEqual(valuesOf(rest.records), [
    [2, 'v2'],
    [3, 'v3'],
    [4, 'v4'],
  ])
  const offsetAt = async (timestamp: number) => {
    const partitions = [{ partitionIndex: 0, timestamp }]
    const answer = await client.ask(listOffsets, 11, { topics: [{ name: 'x', partitions }] })
    const [row] = answer.topics[0].partitions
    return [row.errorCode, row.offset, row.leaderEpoch]
  }
  assert.deepEqual(await offsetAt(-2), [0, 2, 0])
  assert.deepEqual(await offsetAt(-4), [0, 2, 0])
  assert.deepEqual(await offsetAt(0), [0, 2, 0])
  assert.deepEqual(await offsetAt(-3), [0, 2, 0])
  assert.deepEqual(await remove(client, -1), [0, 5])
  assert.deepEqual(await offsetAt(-2), [0, 5, 0])
  assert.deepEqual(await offsetAt(-1), [0, 5, 0])
  assert.deepEqual(await offsetAt(0), [0, -1, -1])
  await broker.close()
})

for (const syncMode of ['always', 'os'] as const) {
  test(`what was answered is durable, sync ${syncMode}`, async () => {
    for (const offset of [3, -1]) {
      const disk = new SimulatedDisk(new SeededRandom(7))
      const { client, topic } = await setUp(disk, syncMode)
      const [, start] = await remove(client, offset)
      if (syncMode === 'always') disk.crash()
      else disk.kill()
      const again = await open(disk, syncMode)
      const bounds = await again.broker.engine.offsets(topic.id, 0, context)
      assert.deepEqual(bounds, { startOffset: start, endOffset: 5 })
      await send(again.client, 'more')
      const { records } = await read(again.client, 5)
      assert.deepEqual(valuesOf(records), [[5, 'more']])
      await again.broker.close()
    }
  })
}

test('many partitions of one request, and a disk that fails', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { broker, client } = await setUp(disk)
  const topic = await broker.engine.createTopic(
    { name: topicNameOf('many'), partitions: 200, config: new Map() },
    context,
  )
  const parts = Array.from({ length: 200 }, (_, partition) => ({
    topic: topic.id,
    partition,
    baseSequence: -1,
    batch: batchOf(['a', 'b']),
  }))
  await broker.engine.send({ producer: undefined, parts }, context)
  const partitions = parts.map(({ partition }) => ({ partitionIndex: partition, offset: 1 }))
  const topics = [{ name: 'many', partitions }]
  const answer = await client.ask(deleteRecords, 2, { topics, timeoutMs: 1000 })
  for (const row of answer.topics[0].partitions) {
    assert.deepEqual([row.errorCode, row.lowWatermark], [0, 1])
  }
  disk.fails = () => true
  assert.deepEqual(await remove(client, 3), [errorCode.KAFKA_STORAGE_ERROR, -1])
  disk.fails = () => false
  assert.deepEqual(await remove(client, 3), [0, 3])
  await broker.close()
})
