/** Topics that Kafka's clients make, grow and delete: each API at all of its versions, and its errors. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { kafka, noTopicId, topicNameOf } from '@kaska/protocol'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { context } from './batches.ts'
import { dialKafka, type KafkaTestClient } from './kafka-client.ts'
import { type NativeBroker, type NativeBrokerOptions, startNativeBroker } from './native-broker.ts'

const { errorCode } = kafka
const [metadata, create, remove, grow] = [3, 19, 20, 37]

interface TopicFields {
  readonly name: string
  readonly numPartitions?: number
  readonly replicationFactor?: number
  readonly assignments?: readonly { partitionIndex: number; brokerIds: number[] }[]
  readonly configs?: readonly { name: string; value: string | null }[]
}

async function start(options: NativeBrokerOptions = {}) {
  const broker = await startNativeBroker(options)
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  return { broker, client, [Symbol.asyncDispose]: () => broker.close() }
}

function versionsOf(broker: NativeBroker, key: number): number[] {
  const { min, max } = broker.kafka.versions.get(key) as kafka.VersionRange
  return Array.from({ length: max - min + 1 }, (_, index) => min + index)
}

/** `name: code` for each row of the answer. */
async function createAll(
  client: KafkaTestClient,
  topics: readonly TopicFields[],
  { version = 7, validateOnly = false } = {},
): Promise<Record<string, number>> {
  const full = topics.map((one) => ({ numPartitions: -1, replicationFactor: -1, ...one }))
  const answer = await client.ask(create, version, { topics: full, validateOnly })
  return codesOf(answer.topics)
}

function codesOf(rows: readonly { name: string; errorCode: number }[]): Record<string, number> {
  const codes = Object.fromEntries(rows.map((row) => [row.name, row.errorCode]))
  assert.equal(Object.keys(codes).length, rows.length)
  return codes
}

async function partitionsOf(client: KafkaTestClient, name: string): Promise<number> {
  const request = { topics: [{ name }], allowAutoTopicCreation: false }
  const answer = await client.ask(metadata, 9, request)
  return answer.topics[0].errorCode === 0 ? answer.topics[0].partitions.length : 0
}

suite('CreateTopics', () => {
  test('at each version the topic is there for the next request', async () => {
    await using kafkaSide = await start()
    const { broker, client } = kafkaSide
    for (const version of versionsOf(broker, create)) {
      const name = `made-by-${version}`
      const topics = [{ name, numPartitions: 3, replicationFactor: 1 }]
      const answer = await client.ask(create, version, { topics })
      const [row] = answer.topics
      assert.equal(row.errorCode, 0)
      assert.equal(row.name, name)
      const topic = broker.engine.topicNamed(name)
      assert.equal(topic?.partitions, 3)
      assert.equal(await partitionsOf(client, name), 3)
      if (version >= 5) {
        assert.equal(row.numPartitions, 3)
        assert.equal(row.replicationFactor, 1)
        const sizes = row.configs.find((one: { name: string }) => one.name === 'max.message.bytes')
        assert.deepEqual([sizes.value, sizes.configSource], ['1048588', 5])
      }
      assert.equal(row.topicId, version >= 7 ? topic?.id : noTopicId)
    }
  })

  test("defaults are the broker's; a native topic has others", async () => {
    await using kafkaSide = await start({ config: { 'num.partitions': 4 } })
    const { broker, client } = kafkaSide
    assert.deepEqual(await createAll(client, [{ name: 'a' }]), { a: 0 })
    assert.equal(broker.engine.topicNamed('a')?.partitions, 4)
    const settingOf = async (name: string, setting: string) => {
      const { config } = await broker.engine.describeTopic(topicNameOf(name), context)
      return config.find((one) => one.name === setting)?.value
    }
    const request = { name: topicNameOf('native'), partitions: 1, config: new Map() }
    await broker.engine.createTopic(request, context)
    assert.equal(await settingOf('a', 'retention.ms'), '604800000')
    assert.equal(await settingOf('native', 'retention.ms'), '-1')
    assert.equal(await settingOf('native', 'max.message.bytes'), String(64 * 1024 * 1024 + 65_536))
  })

  test('what is wrong with one topic concerns that one alone', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    await createAll(client, [{ name: 'there' }, { name: 'a.b' }])
    const value = (name: string, text: string | null) => [{ name, value: text }]
    const codes = await createAll(client, [
      { name: 'good', configs: value('retention.ms', ' 5 ') },
      { name: 'there' },
      { name: 'a_b' },
      { name: '' },
      { name: '..' },
      { name: 'bad name' },
      { name: 'x'.repeat(250) },
      { name: 'none', numPartitions: 0 },
      { name: 'less', numPartitions: -2 },
      { name: 'many', numPartitions: 10_001 },
      { name: 'copies', replicationFactor: 3 },
      { name: 'copy', replicationFactor: 0 },
      { name: 'unknown', configs: value('no.such', '1') },
      { name: 'type', configs: value('retention.ms', 'x') },
      { name: 'null', configs: value('retention.ms', null) },
      { name: 'compact', configs: value('cleanup.policy', 'compact') },
    ])
    assert.deepEqual(codes, {
      good: 0,
      there: errorCode.TOPIC_ALREADY_EXISTS,
      a_b: errorCode.INVALID_TOPIC_EXCEPTION,
      '': errorCode.INVALID_TOPIC_EXCEPTION,
      '..': errorCode.INVALID_TOPIC_EXCEPTION,
      'bad name': errorCode.INVALID_TOPIC_EXCEPTION,
      ['x'.repeat(250)]: errorCode.INVALID_TOPIC_EXCEPTION,
      none: errorCode.INVALID_PARTITIONS,
      less: errorCode.INVALID_PARTITIONS,
      many: errorCode.POLICY_VIOLATION,
      copies: errorCode.INVALID_REPLICATION_FACTOR,
      copy: errorCode.INVALID_REPLICATION_FACTOR,
      unknown: errorCode.INVALID_CONFIG,
      type: errorCode.INVALID_CONFIG,
      null: errorCode.INVALID_CONFIG,
      compact: errorCode.INVALID_CONFIG,
    })
    assert.equal(await partitionsOf(client, 'type'), 0)
    assert.equal(await partitionsOf(client, 'good'), 1)
  })

  test('a topic named twice is made by neither', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    const codes = await createAll(client, [{ name: 'a' }, { name: 'b' }, { name: 'a' }])
    assert.deepEqual(codes, { a: errorCode.INVALID_REQUEST, b: 0 })
    assert.equal(await partitionsOf(client, 'a'), 0)
  })

  test('a name that collides is free when the other one is deleted, and is not auto-created', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    assert.deepEqual(await createAll(client, [{ name: 'a_b' }]), { a_b: 0 })
    const refused = { 'a.b': errorCode.INVALID_TOPIC_EXCEPTION }
    assert.deepEqual(await createAll(client, [{ name: 'a.b' }]), refused)
    const auto = { topics: [{ name: 'a.b' }], allowAutoTopicCreation: true }
    assert.deepEqual(codesOf((await client.ask(metadata, 9, auto)).topics), refused)
    await client.ask(remove, 5, { topicNames: ['a_b'] })
    assert.deepEqual(await createAll(client, [{ name: 'a.b' }]), { 'a.b': 0 })
    assert.deepEqual(await createAll(client, [{ name: 'a_b' }]), {
      a_b: errorCode.INVALID_TOPIC_EXCEPTION,
    })
  })

  test('assignments name this broker, and all partitions from 0 on', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    const node = (await client.ask(metadata, 9, { topics: [] })).brokers[0].nodeId
    const at = (partitionIndex: number, ...brokerIds: number[]) => ({ partitionIndex, brokerIds })
    const codes = await createAll(client, [
      { name: 'good', assignments: [at(1, node), at(0, node)] },
      { name: 'stranger', assignments: [at(0, node + 1)] },
      { name: 'gap', assignments: [at(0, node), at(2, node)] },
      { name: 'again', assignments: [at(0, node), at(0, node)] },
      { name: 'twice', assignments: [at(0, node, node)] },
      { name: 'nobody', assignments: [at(0)] },
      { name: 'counted', numPartitions: 1, assignments: [at(0, node)] },
      { name: 'copied', replicationFactor: 1, assignments: [at(0, node)] },
    ])
    const refused = errorCode.INVALID_REPLICA_ASSIGNMENT
    assert.deepEqual(codes, {
      good: 0,
      stranger: refused,
      gap: refused,
      again: refused,
      twice: refused,
      nobody: refused,
      counted: errorCode.INVALID_REQUEST,
      copied: errorCode.INVALID_REQUEST,
    })
    assert.equal(await partitionsOf(client, 'good'), 2)
  })

  test('to validate makes nothing', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    const wanted = [{ name: 'a' }, { name: 'b', replicationFactor: 2 }]
    assert.deepEqual(await createAll(client, wanted, { validateOnly: true }), {
      a: 0,
      b: errorCode.INVALID_REPLICATION_FACTOR,
    })
    assert.equal(await partitionsOf(client, 'a'), 0)
  })

  test('thousands at once', async () => {
    await using kafkaSide = await start()
    const { client, broker } = kafkaSide
    const wanted = Array.from({ length: 3000 }, (_, index) => ({ name: `t-${index}` }))
    const codes = await createAll(client, wanted)
    assert.ok(Object.values(codes).every((code) => code === 0))
    const topicNames = wanted.map(({ name }) => name)
    const { responses } = await client.ask(remove, 5, { topicNames })
    assert.ok(Object.values(codesOf(responses)).every((code) => code === 0))
    assert.equal(await broker.engine.topicCount(context), 0)
  })
})

suite('Metadata', () => {
  test('thousands of topics at once are made, and are in the list of all', async () => {
    await using kafkaSide = await start({ config: { 'num.partitions': 2 } })
    const { client } = kafkaSide
    const wanted = Array.from({ length: 3000 }, (_, index) => ({ name: `t-${index}` }))
    const request = { topics: wanted, allowAutoTopicCreation: true }
    const made = await client.ask(metadata, 9, request)
    const names = made.topics.map((row: { name: string }) => row.name)
    assert.deepEqual(
      names,
      wanted.map(({ name }) => name),
    )
    assert.ok(Object.values(codesOf(made.topics)).every((code) => code === 0))
    const all = await client.ask(metadata, 9, { topics: null })
    assert.equal(all.topics.length, 3000)
    assert.equal(all.topics[2999].partitions.length, 2)
  })

  test('auto.create.topics.enable=false makes none; num.partitions says of how many parts', async () => {
    const request = { topics: [{ name: 'a' }], allowAutoTopicCreation: true }
    const config = { 'auto.create.topics.enable': false }
    await using without = await start({ config })
    const refused = { a: errorCode.UNKNOWN_TOPIC_OR_PARTITION }
    assert.deepEqual(codesOf((await without.client.ask(metadata, 9, request)).topics), refused)
    await using parts = await start({ config: { 'num.partitions': 7 } })
    await parts.client.ask(metadata, 9, request)
    assert.equal(await partitionsOf(parts.client, 'a'), 7)
  })

  test('an answer for which there is no memory ends the connection, and is reported', async () => {
    await using kafkaSide = await start({ memoryBytesMax: 512 * 1024 })
    const { broker, client } = kafkaSide
    const used = broker.budget.used
    const make = { partitions: 10_000, config: new Map<string, string>() }
    for (const name of ['a', 'b']) {
      await broker.engine.createTopic({ name: topicNameOf(name), ...make }, context)
    }
    client.send(metadata, 9, { topics: null })
    await client.closed()
    assert.match(broker.reports.join(), /no memory free for so large an answer/)
    assert.equal(broker.budget.used, used)
  })
})

suite('DeleteTopics', () => {
  test('at each version, by name; from 6 on by id too', async () => {
    await using kafkaSide = await start()
    const { broker, client } = kafkaSide
    for (const version of versionsOf(broker, remove)) {
      await createAll(client, [{ name: 'a' }])
      const request =
        version < 6 ? { topicNames: ['a', 'b'] } : { topics: [{ name: 'a' }, { name: 'b' }] }
      const { responses } = await client.ask(remove, version, request)
      assert.deepEqual(codesOf(responses), { a: 0, b: errorCode.UNKNOWN_TOPIC_OR_PARTITION })
      assert.equal(await partitionsOf(client, 'a'), 0)
    }
    await createAll(client, [{ name: 'a' }])
    const topicId = broker.engine.topicNamed('a')?.id
    const again = { topics: [{ name: null, topicId }] }
    const [row] = (await client.ask(remove, 6, again)).responses
    assert.deepEqual([row.name, row.topicId, row.errorCode], ['a', topicId, 0])
    const [gone] = (await client.ask(remove, 6, again)).responses
    assert.deepEqual([gone.name, gone.errorCode], [null, errorCode.UNKNOWN_TOPIC_ID])
  })

  test('a topic that is named twice, or in no clear way, is left alone', async () => {
    await using kafkaSide = await start()
    const { broker, client } = kafkaSide
    await createAll(client, [{ name: 'a' }, { name: 'b' }, { name: 'c' }])
    const id = (name: string) => broker.engine.topicNamed(name)?.id
    const topics = [
      { name: 'a' },
      { name: 'a' },
      { name: 'b' },
      { name: null, topicId: id('b') },
      { name: 'c', topicId: id('c') },
      { name: null, topicId: noTopicId },
    ]
    const { responses } = await client.ask(remove, 6, { topics })
    assert.equal(responses.length, 4)
    for (const row of responses) assert.equal(row.errorCode, errorCode.INVALID_REQUEST)
    assert.equal(await broker.engine.topicCount(context), 3)
  })

  test('delete.topic.enable=false refuses all', async () => {
    await using kafkaSide = await start({ config: { 'delete.topic.enable': false } })
    const { client } = kafkaSide
    await createAll(client, [{ name: 'a' }])
    const asked = async (version: number) =>
      (await client.ask(remove, version, { topicNames: ['a'] })).responses[0].errorCode
    assert.equal(await asked(1), errorCode.INVALID_REQUEST)
    assert.equal(await asked(5), errorCode.TOPIC_DELETION_DISABLED)
    assert.equal(await partitionsOf(client, 'a'), 1)
  })
})

suite('CreatePartitions', () => {
  const growAll = async (
    client: KafkaTestClient,
    topics: readonly { name: string; count: number; assignments?: object[] }[],
    { version = 3, validateOnly = false } = {},
  ) => {
    const full = topics.map((one) => ({ assignments: null, ...one }))
    const answer = await client.ask(grow, version, { topics: full, validateOnly })
    return codesOf(answer.results)
  }

  test('at each version, and after a restart', async () => {
    const disk = new MemoryDisk()
    let count = 1
    {
      await using kafkaSide = await start({ disk })
      const { broker, client } = kafkaSide
      await createAll(client, [{ name: 'a' }, { name: 'gone', numPartitions: 2 }])
      for (const version of versionsOf(broker, grow)) {
        assert.deepEqual(await growAll(client, [{ name: 'a', count: ++count }], { version }), {
          a: 0,
        })
        assert.equal(await partitionsOf(client, 'a'), count)
      }
      await growAll(client, [{ name: 'gone', count: 4 }])
      await client.ask(remove, 5, { topicNames: ['gone'] })
    }
    await using kafkaSide = await start({ disk })
    assert.equal(await partitionsOf(kafkaSide.client, 'a'), count)
    const { config } = await kafkaSide.broker.engine.describeTopic(topicNameOf('a'), context)
    assert.equal(config.find(({ name }) => name === 'retention.ms')?.value, '604800000')
  })

  test('what cannot be', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    const node = (await client.ask(metadata, 9, { topics: [] })).brokers[0].nodeId
    const names = ['same', 'less', 'many', 'twice', 'good', 'short', 'far']
    await createAll(
      client,
      names.map((name) => ({ name, numPartitions: 2 })),
    )
    const codes = await growAll(client, [
      { name: 'same', count: 2 },
      { name: 'less', count: -1 },
      { name: 'many', count: 10_001 },
      { name: 'twice', count: 3 },
      { name: 'twice', count: 4 },
      { name: 'unknown', count: 4 },
      { name: 'good', count: 4, assignments: [{ brokerIds: [node] }, { brokerIds: [node] }] },
      { name: 'short', count: 4, assignments: [{ brokerIds: [node] }] },
      { name: 'far', count: 3, assignments: [{ brokerIds: [node + 1] }] },
    ])
    assert.deepEqual(codes, {
      same: errorCode.INVALID_PARTITIONS,
      less: errorCode.INVALID_PARTITIONS,
      many: errorCode.INVALID_PARTITIONS,
      twice: errorCode.INVALID_REQUEST,
      unknown: errorCode.UNKNOWN_TOPIC_OR_PARTITION,
      good: 0,
      short: errorCode.INVALID_REPLICA_ASSIGNMENT,
      far: errorCode.INVALID_REPLICA_ASSIGNMENT,
    })
    for (const name of names)
      assert.equal(await partitionsOf(client, name), name === 'good' ? 4 : 2)
    const validated = await growAll(client, [{ name: 'same', count: 9 }], { validateOnly: true })
    assert.deepEqual(validated, { same: 0 })
    assert.equal(await partitionsOf(client, 'same'), 2)
  })
})
