/** What Kafka's clients can do with messages: each API at all of its versions, and its errors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Chunks, kafka, noTopicId } from '@kaska/protocol'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { batchOf } from './batches.ts'
import {
  dialKafka,
  encodeBatch,
  type KafkaTestClient,
  type StoredFields,
  valuesOf,
} from './kafka-client.ts'
import { createTopic, type NativeBroker, startNativeBroker } from './native-broker.ts'

const { errorCode } = kafka
const [produce, fetch, listOffsets, metadata, apiVersions, initProducerId] = [0, 1, 2, 3, 18, 22]
const [epochEnd, describeCluster, describeTopicPartitions] = [23, 60, 75]

function versionsOf(broker: NativeBroker, key: number): number[] {
  const range = broker.kafka.versions.get(key)
  assert(range !== undefined)
  return Array.from({ length: range.max - range.min + 1 }, (_, index) => range.min + index)
}

interface Target {
  readonly name: string
  readonly id: string
}

function produceRequest(target: Target, records: Chunks | null, index = 0, acks = -1) {
  const partitionData = [{ index, records }]
  const topicData = [{ name: target.name, topicId: target.id, partitionData }]
  return { transactionalId: null, acks, timeoutMs: 1000, topicData }
}

async function send(
  client: KafkaTestClient,
  target: Target,
  values: string[],
  { version = 9, ...fields }: StoredFields & { version?: number } = {},
) {
  const records = encodeBatch(batchOf(values), fields)
  const answer = await client.ask(produce, version, produceRequest(target, records))
  return answer.responses[0].partitionResponses[0]
}

function fetchRequest(
  target: Target,
  fetchOffset: number,
  fields: object = {},
  limits: object = {},
) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20, ...fields }]
  const topics = [{ topic: target.name, topicId: target.id, partitions }]
  return { maxWaitMs: 0, minBytes: 1, maxBytes: 1 << 20, topics, ...limits }
}

async function read(client: KafkaTestClient, request: object, version = 12) {
  const answer = await client.ask(fetch, version, request)
  assert.equal(answer.errorCode, 0)
  return answer.responses[0].partitions[0]
}

test('ApiVersions lists what is served, in each of its versions', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' }
  for (const version of versionsOf(broker, apiVersions)) {
    const { errorCode: code, apiKeys } = await client.ask(apiVersions, version, software)
    assert.equal(code, 0)
    const rows = apiKeys.map((row: Record<string, number>) => Object.values(row))
    // Kafka lists all versions of Produce, though it serves them from 3 on.
    const expected = Array.from(broker.kafka.versions, ([key, { min, max }]) => [
      key,
      key === produce ? 0 : min,
      max,
    ])
    assert.deepEqual(rows, expected)
  }
  const unnamed = await client.ask(apiVersions, 3, {
    clientSoftwareName: '',
    clientSoftwareVersion: '',
  })
  assert.equal(unnamed.errorCode, errorCode.INVALID_REQUEST)
})

test('a version of ApiVersions that nobody knows is answered in the layout of version 0', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  // Key 18, version 99, correlation id 1, no client id, no tags, and a body of a later time.
  client.write(Uint8Array.of(0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0, 0xff))
  const answer = await client.answerTo({ key: apiVersions, version: 99, correlationId: 1 }, 0)
  assert.equal(answer.errorCode, errorCode.UNSUPPORTED_VERSION)
  assert.deepEqual(answer.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }])
  assert.equal(client.isClosed, false)
})

test('what is produced is fetched, at every version of both', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x')
  const expected: [number, string][] = []
  for (const version of versionsOf(broker, produce)) {
    const row = await send(client, topic, [`a${version}`, `b${version}`], { version })
    assert.deepEqual([row.errorCode, row.baseOffset], [0, expected.length])
    expected.push([expected.length, `a${version}`], [expected.length + 1, `b${version}`])
  }
  for (const version of versionsOf(broker, fetch)) {
    const row = await read(client, fetchRequest(topic, 0), version)
    assert.deepEqual(valuesOf(row.records), expected)
    assert.equal(row.highWatermark, expected.length)
    assert.equal(row.lastStableOffset, expected.length)
    if (version >= 5) assert.equal(row.logStartOffset, 0)
  }
})

test('a batch that is not sound is refused with the code that Kafka gives', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x')
  const good = encodeBatch(batchOf(['a']))
  const changed = (position: number, byte: number): Uint8Array[] => {
    const [header, ...records] = encodeBatch(batchOf(['a'])) as [Uint8Array, ...Uint8Array[]]
    header[position] = byte
    return [header, ...records]
  }
  const withAttributes = (attributes: number) => encodeBatch(batchOf(['a']), { attributes })
  const cases: [string, Chunks | null, number][] = [
    ['no records', null, errorCode.INVALID_RECORD],
    ['less than a header', [new Uint8Array(60)], errorCode.INVALID_RECORD],
    ['an old magic', changed(16, 1), errorCode.INVALID_RECORD],
    ['two batches', [...good, ...encodeBatch(batchOf(['b']))], errorCode.INVALID_RECORD],
    ['a cut batch', [good[0] as Uint8Array], errorCode.INVALID_RECORD],
    ['a wrong CRC', changed(30, 0xee), errorCode.CORRUPT_MESSAGE],
    ['a control batch', withAttributes(0x20), errorCode.INVALID_RECORD],
    ['a transaction', withAttributes(0x10), errorCode.INVALID_TXN_STATE],
    ['stamped by the client', withAttributes(0x08), errorCode.INVALID_TIMESTAMP],
    ['no such compression', withAttributes(0x07), errorCode.UNSUPPORTED_COMPRESSION_TYPE],
    [
      'a false count',
      encodeBatch({ ...batchOf(['a']), recordCount: 2, lastOffsetDelta: 1 }),
      errorCode.INVALID_RECORD,
    ],
    ['no sequence', encodeBatch(batchOf(['a']), { producerId: 1 }), errorCode.INVALID_RECORD],
  ]
  for (const [name, records, code] of cases) {
    const { responses } = await client.ask(produce, 9, produceRequest(topic, records))
    const [row] = responses[0].partitionResponses
    assert.equal(row.errorCode, code, name)
    assert.equal(row.baseOffset, -1, name)
  }
  const ask = async (version: number, input: object) => {
    const { responses } = await client.ask(produce, version, input)
    return responses[0].partitionResponses[0].errorCode
  }
  assert.equal(
    await ask(5, produceRequest(topic, withAttributes(4))),
    errorCode.UNSUPPORTED_COMPRESSION_TYPE,
  )
  assert.equal(await ask(9, produceRequest(topic, good, 7)), errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(
    await ask(9, produceRequest({ name: 'y', id: noTopicId }, good)),
    errorCode.UNKNOWN_TOPIC_OR_PARTITION,
  )
  assert.equal(
    await ask(13, produceRequest({ name: 'y', id: noTopicId }, good)),
    errorCode.UNKNOWN_TOPIC_ID,
  )
  assert.equal(await ask(9, produceRequest(topic, good, 0, 2)), errorCode.INVALID_REQUIRED_ACKS)
  const [partition] = (await client.ask(listOffsets, 5, offsetsRequest(-1))).topics[0].partitions
  assert.equal(partition.offset, 0, 'nothing was stored')
})

function offsetsRequest(timestamp: number, fields: object = {}) {
  const partitions = [{ partitionIndex: 0, timestamp, ...fields }]
  return { replicaId: -1, topics: [{ name: 'x', partitions }] }
}

test('a topic that a Kafka client makes has the size limit of Kafka', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const request = { topics: [{ name: 'made', topicId: noTopicId }], allowAutoTopicCreation: true }
  const [row] = (await client.ask(metadata, 12, request)).topics
  assert.equal(row.errorCode, 0)
  const topic = { name: 'made', id: row.topicId }
  assert.equal((await send(client, topic, ['x'.repeat(1_048_000)])).errorCode, 0)
  const tooLarge = await send(client, topic, ['x'.repeat(1_048_588)])
  assert.equal(tooLarge.errorCode, errorCode.MESSAGE_TOO_LARGE)
})

test('an idempotent producer: repeated batches are not stored again, gaps and old epochs refused', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x')
  let producerId = -1
  for (const version of versionsOf(broker, initProducerId)) {
    const answer = await client.ask(initProducerId, version, { transactionalId: null })
    assert.deepEqual([answer.errorCode, answer.producerEpoch], [0, 0])
    assert(answer.producerId > producerId)
    producerId = answer.producerId
  }
  const sendAt = async (baseSequence: number, producerEpoch = 0) => {
    const row = await send(client, topic, ['a', 'b'], { producerId, producerEpoch, baseSequence })
    return [row.errorCode, row.baseOffset]
  }
  assert.deepEqual(await sendAt(0), [0, 0])
  assert.deepEqual(await sendAt(2), [0, 2])
  assert.deepEqual(await sendAt(0), [0, 0])
  assert.deepEqual(await sendAt(2), [0, 2])
  assert.deepEqual(await sendAt(6), [errorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1])
  assert.deepEqual(await sendAt(0, 1), [0, 4])
  assert.deepEqual(await sendAt(4), [errorCode.INVALID_PRODUCER_EPOCH, -1])
  const lost = await send(client, topic, ['c'], {
    producerId: 7,
    producerEpoch: 0,
    baseSequence: 5,
  })
  assert.deepEqual([lost.errorCode, lost.logStartOffset], [errorCode.UNKNOWN_PRODUCER_ID, 0])
  const refused = await client.ask(initProducerId, 4, { transactionalId: 'tx' })
  assert.equal(refused.errorCode, errorCode.UNSUPPORTED_VERSION)
})

test('Metadata: one broker, the topics that Kafka can name, and their partitions', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  await createTopic(broker, 'ж')
  const topic = await createTopic(broker, 'x', 3)
  for (const version of versionsOf(broker, metadata)) {
    const all = await client.ask(metadata, version, { topics: version === 0 ? [] : null })
    assert.deepEqual(all.brokers, [{ nodeId: 1, host: 'localhost', port: 9092, rack: null }])
    assert.deepEqual(
      all.topics.map((row: { name: string }) => row.name),
      ['x'],
    )
    const [{ partitions, topicId }] = all.topics
    assert.equal(partitions.length, 3)
    assert.deepEqual([partitions[2].partitionIndex, partitions[2].leaderId], [2, 1])
    if (version >= 2) assert.equal(all.clusterId, broker.clusterId)
    if (version >= 7) assert.equal(partitions[0].leaderEpoch, 0)
    if (version >= 10) assert.equal(topicId, topic.id)
    if (version >= 1) {
      assert.deepEqual((await client.ask(metadata, version, { topics: [] })).topics, [])
    }
    const asked = ['x', 'y', 'ж', '..', 'x'].map((name) => ({ name, topicId: noTopicId }))
    const request = { topics: asked, allowAutoTopicCreation: false }
    if (version < 4) continue
    const rows = (await client.ask(metadata, version, request)).topics
    assert.deepEqual(
      rows.map((row: { errorCode: number }) => row.errorCode),
      [
        0,
        errorCode.UNKNOWN_TOPIC_OR_PARTITION,
        errorCode.INVALID_TOPIC_EXCEPTION,
        errorCode.INVALID_TOPIC_EXCEPTION,
      ],
    )
  }
  const byId = async (topicId: string, name: string | null) => {
    const topics = [
      { name, topicId },
      { name: 'left out', topicId: noTopicId },
    ]
    const answer = await client.ask(metadata, 12, { topics })
    assert.equal(answer.topics.length, 1)
    return answer.topics[0]
  }
  // Clients give no name, an empty one, or any.
  for (const name of [null, '', 'y']) {
    assert.equal((await byId(topic.id, name)).name, 'x')
    const unknown = await byId('AAAAAAAAAAAAAAAAAAAAAQ', name)
    assert.deepEqual([unknown.name, unknown.errorCode], [null, errorCode.UNKNOWN_TOPIC_ID])
  }
})

test('Fetch: limits, the first batch whatever its size, errors, fencing', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x')
  for (const letter of ['a', 'b', 'c']) await send(client, topic, [letter.repeat(1000)])
  const offsets = (row: { records: Chunks }) => valuesOf(row.records).map(([offset]) => offset)
  assert.deepEqual(offsets(await read(client, fetchRequest(topic, 1, {}, { maxBytes: 1 }))), [1])
  assert.deepEqual(
    offsets(await read(client, fetchRequest(topic, 1, { partitionMaxBytes: 1 }))),
    [1],
  )
  const two = { partitionMaxBytes: 2500 }
  assert.deepEqual(offsets(await read(client, fetchRequest(topic, 0, two))), [0, 1])
  assert.deepEqual(offsets(await read(client, fetchRequest(topic, 3))), [])
  const codeFor = async (offset: number, fields: object = {}) =>
    (await read(client, fetchRequest(topic, offset, fields))).errorCode
  assert.equal(await codeFor(4), errorCode.OFFSET_OUT_OF_RANGE)
  assert.equal(await codeFor(-1), errorCode.OFFSET_OUT_OF_RANGE)
  assert.equal(await codeFor(0, { partition: 9 }), errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(await codeFor(0, { currentLeaderEpoch: 5 }), errorCode.UNKNOWN_LEADER_EPOCH)
  assert.equal(await codeFor(0, { currentLeaderEpoch: 0 }), 0)
  const unknown = { name: 'y', id: 'AAAAAAAAAAAAAAAAAAAAAQ' }
  const [byName, byId] = [
    await read(client, fetchRequest(unknown, 0)),
    await read(client, fetchRequest(unknown, 0), 13),
  ]
  assert.equal(byName.errorCode, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(byId.errorCode, errorCode.UNKNOWN_TOPIC_ID)
  assert.equal(broker.budget.used < 1024 * 1024, true)
})

test('Fetch waits for its least bytes, or its time', async () => {
  await using broker = await startNativeBroker()
  const [client, producer] = [
    dialKafka(broker.kafka.accept.bind(broker.kafka)),
    dialKafka(broker.kafka.accept.bind(broker.kafka)),
  ]
  const topic = await createTopic(broker, 'x')
  const first = read(client, fetchRequest(topic, 0, {}, { maxWaitMs: 60_000 }))
  await send(producer, topic, ['a'])
  assert.equal(valuesOf((await first).records).length, 1)

  const waiting = read(client, fetchRequest(topic, 1, {}, { maxWaitMs: 60_000, minBytes: 2500 }))
  let isAnswered = false
  void waiting.then(() => {
    isAnswered = true
  })
  for (const letter of ['b', 'c']) {
    await send(producer, topic, [letter.repeat(1000)])
    assert.equal(isAnswered, false)
  }
  await send(producer, topic, ['d'.repeat(1000)])
  assert.deepEqual(
    valuesOf((await waiting).records).map(([offset]) => offset),
    [1, 2, 3],
  )
  const late = await read(client, fetchRequest(topic, 4, {}, { maxWaitMs: 20 }))
  assert.deepEqual([late.errorCode, late.highWatermark], [0, 4])
})

test('ListOffsets: the start, the end, and by time', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x')
  // Stamped 1000, 1001, 1002.
  await send(client, topic, ['a', 'b', 'c'])
  for (const version of versionsOf(broker, listOffsets)) {
    const offsetAt = async (timestamp: number) => {
      const answer = await client.ask(listOffsets, version, offsetsRequest(timestamp))
      const [row] = answer.topics[0].partitions
      if (version >= 4 && row.offset >= 0) assert.equal(row.leaderEpoch, 0)
      return [row.errorCode, row.offset, row.timestamp]
    }
    assert.deepEqual(await offsetAt(-1), [0, 3, -1])
    assert.deepEqual(await offsetAt(-2), [0, 0, -1])
    assert.deepEqual(await offsetAt(500), [0, 0, 1000])
    assert.deepEqual(await offsetAt(1001), [0, 1, 1001])
    assert.deepEqual(await offsetAt(1003), [0, -1, -1])
    const unsupported = [errorCode.UNSUPPORTED_VERSION, -1, -1]
    assert.deepEqual(await offsetAt(-3), version < 7 ? unsupported : [0, 2, 1002])
    assert.deepEqual(await offsetAt(-4), version < 8 ? unsupported : [0, 0, -1])
    assert.deepEqual(await offsetAt(-5), version < 9 ? unsupported : [0, -1, -1])
    assert.deepEqual(await offsetAt(-6), version < 11 ? unsupported : [0, -1, -1])
    assert.deepEqual(await offsetAt(-7), unsupported)
  }
  const fenced = await client.ask(listOffsets, 4, offsetsRequest(-1, { currentLeaderEpoch: 3 }))
  assert.equal(fenced.topics[0].partitions[0].errorCode, errorCode.UNKNOWN_LEADER_EPOCH)
})

test('ListOffsets: the largest timestamp, wherever it is', async () => {
  await using broker = await startNativeBroker({ syncMode: 'always' })
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x')
  const newest = async () => {
    const [row] = (await client.ask(listOffsets, 7, offsetsRequest(-3))).topics[0].partitions
    return [row.errorCode, row.offset, row.timestamp]
  }
  assert.deepEqual(await newest(), [0, -1, -1])
  for (const timestamp of [5000, 9000, 7000]) {
    const records = encodeBatch(batchOf(['a', 'b'], { timestamp }))
    await client.ask(produce, 9, produceRequest(topic, records))
  }
  assert.deepEqual(await newest(), [0, 3, 9001])
})

test('OffsetForLeaderEpoch tells where an epoch ends', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x')
  await send(client, topic, ['a', 'b'])
  for (const version of versionsOf(broker, epochEnd)) {
    const endOf = async (leaderEpoch: number) => {
      const topics = [{ topic: 'x', partitions: [{ partition: 0, leaderEpoch }] }]
      const [row] = (await client.ask(epochEnd, version, { topics })).topics[0].partitions
      return [row.errorCode, row.endOffset]
    }
    assert.deepEqual(await endOf(0), [0, 2])
    assert.deepEqual(await endOf(1), [0, -1])
    assert.deepEqual(await endOf(-1), [0, -1])
  }
})

test('DescribeCluster and DescribeTopicPartitions', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  for (const version of versionsOf(broker, describeCluster)) {
    const answer = await client.ask(describeCluster, version, {})
    assert.deepEqual([answer.clusterId, answer.controllerId], [broker.clusterId, 1])
    assert.equal(answer.brokers[0].brokerId, 1)
  }
  const controllers = await client.ask(describeCluster, 1, { endpointType: 2 })
  assert.equal(controllers.errorCode, errorCode.MISMATCHED_ENDPOINT_TYPE)

  await createTopic(broker, 'b', 5)
  await createTopic(broker, 'a', 2)
  const seen: string[] = []
  let cursor: object | null = null
  do {
    const request: object = { topics: [], responsePartitionLimit: 3, cursor }
    const answer = await client.ask(describeTopicPartitions, 0, request)
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex } of partitions) seen.push(`${name}${partitionIndex}`)
    }
    cursor = answer.nextCursor
  } while (cursor !== null)
  assert.deepEqual(seen, ['a0', 'a1', 'b0', 'b1', 'b2', 'b3', 'b4'])
  const named = { topics: [{ name: 'no' }, { name: 'ж' }] }
  const { topics } = await client.ask(describeTopicPartitions, 0, named)
  assert.deepEqual(
    topics.map((row: { errorCode: number }) => row.errorCode),
    [errorCode.UNKNOWN_TOPIC_OR_PARTITION, errorCode.INVALID_TOPIC_EXCEPTION],
  )
})

test('after a restart: the old leader epoch is fenced, and a reader learns where the log parts', async () => {
  const disk = new MemoryDisk()
  let topic: Target
  {
    await using before = await startNativeBroker({ disk })
    topic = await createTopic(before, 'x')
    await send(dialKafka(before.kafka.accept.bind(before.kafka)), topic, ['a', 'b'])
  }
  await using broker = await startNativeBroker({ disk })
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  await send(client, topic, ['c', 'd'])
  const fenced = await read(client, fetchRequest(topic, 0, { currentLeaderEpoch: 0 }))
  assert.equal(fenced.errorCode, errorCode.FENCED_LEADER_EPOCH)
  const parted = await read(client, fetchRequest(topic, 3, { lastFetchedEpoch: 0 }))
  assert.deepEqual([parted.errorCode, parted.divergingEpoch], [0, { epoch: 0, endOffset: 2 }])
  assert.deepEqual(parted.records, [])
  for (const [offset, epoch] of [
    [2, 0],
    [3, 1],
  ]) {
    const row = await read(client, fetchRequest(topic, offset ?? 0, { lastFetchedEpoch: epoch }))
    assert.equal(row.divergingEpoch.endOffset, -1)
    assert.equal(valuesOf(row.records).at(-1)?.[0], 3)
  }
  const topics = [
    {
      topic: 'x',
      partitions: [0, 1, 2].map((leaderEpoch) => ({
        partition: 0,
        currentLeaderEpoch: 1,
        leaderEpoch,
      })),
    },
  ]
  const ends = (await client.ask(epochEnd, 4, { topics })).topics[0].partitions
  assert.deepEqual(
    ends.map((row: { leaderEpoch: number; endOffset: number }) => [row.leaderEpoch, row.endOffset]),
    [
      [0, 2],
      [1, 4],
      [-1, -1],
    ],
  )
  const first = await client.ask(listOffsets, 5, offsetsRequest(-2))
  const last = await client.ask(listOffsets, 5, offsetsRequest(-1))
  const epochs = [first, last].map((answer) => answer.topics[0].partitions[0].leaderEpoch)
  assert.deepEqual(epochs, [0, 1])
})

test('a fetch of nothing, and one with an error, do not wait', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const patient = { maxWaitMs: 60_000, minBytes: 1, maxBytes: 1000 }
  assert.deepEqual((await client.ask(fetch, 12, { ...patient, topics: [] })).responses, [])
  const unknown = await client.ask(
    fetch,
    12,
    fetchRequest({ name: 'y', id: noTopicId }, 0, {}, patient),
  )
  assert.equal(unknown.responses[0].partitions[0].errorCode, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const topic = await createTopic(broker, 'x')
  const beyond = await client.ask(fetch, 12, fetchRequest(topic, 9, {}, patient))
  assert.equal(beyond.responses[0].partitions[0].errorCode, errorCode.OFFSET_OUT_OF_RANGE)
  const stale = { ...fetchRequest(topic, 0), sessionId: 5, sessionEpoch: 1 }
  assert.equal((await client.ask(fetch, 12, stale)).errorCode, errorCode.FETCH_SESSION_ID_NOT_FOUND)
})

test('only the first batch of an answer may be larger than the limits', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const topic = await createTopic(broker, 'x', 3)
  for (const index of [0, 1, 2]) {
    const records = encodeBatch(batchOf([String(index).repeat(1000)]))
    await client.ask(produce, 9, produceRequest(topic, records, index))
  }
  const partsRead = async (maxBytes: number, partitionMaxBytes: number) => {
    const partitions = [0, 1, 2].map((partition) => ({
      partition,
      fetchOffset: 0,
      partitionMaxBytes,
    }))
    const topics = [{ topic: 'x', partitions }]
    const request = { maxWaitMs: 60_000, minBytes: 1, maxBytes, topics }
    const rows = (await client.ask(fetch, 12, request)).responses[0].partitions
    return rows.map((row: { records: Chunks }) => valuesOf(row.records).length)
  }
  assert.deepEqual(await partsRead(10_000, 10_000), [1, 1, 1])
  assert.deepEqual(await partsRead(1, 10_000), [1, 0, 0])
  assert.deepEqual(await partsRead(1500, 10_000), [1, 0, 0])
  assert.deepEqual(await partsRead(2500, 10_000), [1, 1, 0])
  assert.deepEqual(await partsRead(10_000, 1), [1, 0, 0])
})
