/** Topics whose names Kafka cannot carry: Kafka's clients hear of them nowhere, and can ask nothing of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafka, noTopicId, topicNameOf } from '@kaska/protocol'
import { batchOf, context } from './batches.ts'
import { dialKafka, encodeBatch } from './kafka-client.ts'
import { startNativeBroker } from './native-broker.ts'

const { errorCode } = kafka
const [produce, fetch, listOffsets, metadata] = [0, 1, 2, 3]
const offsetFetch = 9
const describeTopicPartitions = 75
const names = ['ж', 'with space', 'a/b', '.', '..', 'x'.repeat(250)]

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all kinds.
const namesOf = (rows: any[]) => rows.map(({ name }) => name)

test('what is listed has names that Kafka has', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka((transport) => broker.kafka.accept(transport))
  for (const name of [...names, 'a.b_c-D9']) {
    const request = { name: topicNameOf(name), partitions: 1, config: new Map() }
    const { id } = await broker.engine.createTopic(request, context)
    await broker.engine.commit('readers', [{ topic: id, partition: 0, offset: 0 }], context)
  }
  const plain = ['a.b_c-D9']
  assert.deepEqual(namesOf((await client.ask(metadata, 12, { topics: null })).topics), plain)
  assert.deepEqual(namesOf((await client.ask(metadata, 0, { topics: [] })).topics), plain)
  const described = await client.ask(describeTopicPartitions, 0, {
    topics: [],
    responsePartitionLimit: 100,
    cursor: null,
  })
  assert.deepEqual(namesOf(described.topics), plain)
  const single = await client.ask(offsetFetch, 7, { groupId: 'readers', topics: null })
  assert.deepEqual(namesOf(single.topics), plain)
  const groups = [{ groupId: 'readers', memberEpoch: -1, topics: null }]
  const [group] = (await client.ask(offsetFetch, 9, { groups })).groups
  assert.deepEqual(namesOf(group.topics), plain)
  const [byId] = (await client.ask(offsetFetch, 10, { groups })).groups
  assert.equal(byId.topics.length, 1)
})

test('what is asked by such a name, or by its id, is not there', async () => {
  await using broker = await startNativeBroker()
  const client = dialKafka((transport) => broker.kafka.accept(transport))
  for (const name of names) {
    const request = { name: topicNameOf(name), partitions: 1, config: new Map() }
    const { id: topicId } = await broker.engine.createTopic(request, context)
    for (const version of [12, 13]) {
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
      const topics = [{ topic: name, topicId, partitions }]
      const wanted = { maxWaitMs: 0, minBytes: 1, maxBytes: 1000, topics }
      const { responses } = await client.ask(fetch, version, wanted)
      const code =
        version === 12 ? errorCode.UNKNOWN_TOPIC_OR_PARTITION : errorCode.UNKNOWN_TOPIC_ID
      assert.equal(responses[0].partitions[0].errorCode, code, name)
      const partitionData = [{ index: 0, records: encodeBatch(batchOf(['a'])) }]
      const sent = await client.ask(produce, version, {
        transactionalId: null,
        acks: -1,
        timeoutMs: 1000,
        topicData: [{ name, topicId, partitionData }],
      })
      assert.equal(sent.responses[0].partitionResponses[0].errorCode, code, name)
    }
    const offsets = await client.ask(listOffsets, 5, {
      replicaId: -1,
      topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    })
    const [row] = offsets.topics[0].partitions
    assert.equal(row.errorCode, errorCode.UNKNOWN_TOPIC_OR_PARTITION, name)
    const byName = { topics: [{ name, topicId: noTopicId }], allowAutoTopicCreation: true }
    const [named] = (await client.ask(metadata, 12, byName)).topics
    assert.equal(named.errorCode, errorCode.INVALID_TOPIC_EXCEPTION, name)
    const [identified] = (await client.ask(metadata, 12, { topics: [{ name: null, topicId }] }))
      .topics
    assert.equal(identified.errorCode, errorCode.UNKNOWN_TOPIC_ID, name)
  }
})
