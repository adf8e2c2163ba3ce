/** Settings as Kafka's clients read and change them: each API at all of its versions, and its errors. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { kafka, topicNameOf } from '@kaska/protocol'
import { brokerSettings } from '../src/config/broker-config.ts'
import { topicSettings } from '../src/config/topic-settings.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { batchOf, context } from './batches.ts'
import { dialKafka, encodeBatch, type KafkaTestClient } from './kafka-client.ts'
import { type NativeBrokerOptions, startNativeBroker } from './native-broker.ts'

const { errorCode } = kafka
const [produce, metadata, create, describe, alter, increment] = [0, 3, 19, 32, 33, 44]
const [topicType, brokerType] = [2, 4]
const [set, forget, append, subtract] = [0, 1, 2, 3]

async function start(options: NativeBrokerOptions = {}) {
  const broker = await startNativeBroker(options)
  const client = dialKafka(broker.kafka.accept.bind(broker.kafka))
  const { brokers } = await client.ask(metadata, 9, { topics: [] })
  const nodeId: number = brokers[0].nodeId
  return { broker, client, nodeId, [Symbol.asyncDispose]: () => broker.close() }
}

async function createTopic(client: KafkaTestClient, name: string): Promise<void> {
  const topics = [{ name, numPartitions: 1, replicationFactor: 1 }]
  const answer = await client.ask(create, 7, { topics })
  assert.equal(answer.topics[0].errorCode, 0)
}

interface Row {
  readonly name: string
  readonly value: string | null
  readonly configSource: number
  readonly readOnly: boolean
  readonly isDefault: boolean
  readonly configType: number
  readonly documentation: string | null
  readonly synonyms: readonly { name: string; value: string; source: number }[]
}

async function describeOne(
  client: KafkaTestClient,
  resourceType: number,
  resourceName: string,
  { names = null as readonly string[] | null, version = 4, more = {} } = {},
): Promise<{ errorCode: number; configs: readonly Row[] }> {
  const resources = [{ resourceType, resourceName, configurationKeys: names }]
  const answer = await client.ask(describe, version, { resources, ...more })
  assert.equal(answer.results.length, 1)
  return answer.results[0]
}

/** `[value, source]` of a topic's setting. */
async function settingOf(client: KafkaTestClient, topic: string, name: string) {
  const { configs } = await describeOne(client, topicType, topic, { names: [name] })
  const [row] = configs
  assert(row !== undefined && configs.length === 1)
  return [row.value, row.configSource]
}

type Change = readonly [name: string, value: string | null, operation?: number]

/** The codes, in the order of the resources. */
async function change(
  client: KafkaTestClient,
  resources: readonly (readonly [type: number, name: string, ...changes: Change[]])[],
  { key = increment, version = 1, validateOnly = false } = {},
): Promise<number[]> {
  const rows = resources.map(([resourceType, resourceName, ...changes]) => {
    const configs = changes.map(([name, value, configOperation = set]) => ({
      name,
      value,
      configOperation,
    }))
    return { resourceType, resourceName, configs }
  })
  const { responses } = await client.ask(key, version, { resources: rows, validateOnly })
  assert.deepEqual(
    responses.map((row: { resourceName: string }) => row.resourceName),
    rows.map(({ resourceName }) => resourceName),
  )
  return responses.map((row: { errorCode: number }) => row.errorCode)
}

suite('DescribeConfigs', () => {
  test('at each version: all settings, or those that are named', async () => {
    await using kafkaSide = await start()
    const { client, nodeId } = kafkaSide
    await createTopic(client, 'a')
    for (let version = 0; version <= 4; version++) {
      const all = await describeOne(client, topicType, 'a', { version })
      assert.equal(all.errorCode, 0)
      assert.equal(all.configs.length, topicSettings.length)
      const broker = await describeOne(client, brokerType, String(nodeId), { version })
      assert.equal(broker.configs.length, brokerSettings.length)
      const none = await describeOne(client, topicType, 'a', { version, names: [] })
      assert.equal(none.configs.length, topicSettings.length)
      const names = ['retention.ms', 'no.such']
      const { configs } = await describeOne(client, topicType, 'a', { version, names })
      assert.equal(configs.length, 1)
      const [row] = configs
      assert.equal(row?.value, '604800000')
      if (version === 0) assert.equal(row?.isDefault, true)
      else assert.equal(row?.configSource, 5)
      if (version >= 3) assert.equal(row?.configType, 5)
    }
  })

  test('what would count without a value, and what a setting does, where that is asked for', async () => {
    await using kafkaSide = await start({ config: { 'log.retention.hours': 2 } })
    const { client, nodeId } = kafkaSide
    await createTopic(client, 'a')
    await change(client, [[topicType, 'a', ['retention.ms', '5']]])
    const names = ['retention.ms']
    const plain = await describeOne(client, topicType, 'a', { names })
    assert.deepEqual([plain.configs[0]?.synonyms, plain.configs[0]?.documentation], [[], null])
    const more = { includeSynonyms: true, includeDocumentation: true }
    const { configs } = await describeOne(client, topicType, 'a', { names, more })
    assert.match(configs[0]?.documentation ?? '', /for ever/)
    assert.deepEqual(
      configs[0]?.synonyms.map(({ name, value, source }) => [name, value, source]),
      [
        ['retention.ms', '5', 1],
        ['log.retention.hours', '2', 4],
        ['log.retention.hours', '168', 5],
      ],
    )
    const hours = { names: ['log.retention.hours', 'log.retention.ms', 'num.partitions'] }
    const broker = await describeOne(client, brokerType, String(nodeId), hours)
    assert.deepEqual(
      broker.configs.map(({ name, value, configSource, readOnly }) => [
        name,
        value,
        configSource,
        readOnly,
      ]),
      [
        ['log.retention.hours', '2', 4, true],
        ['log.retention.ms', null, 5, true],
        ['num.partitions', '1', 5, true],
      ],
    )
  })

  test('what there is not', async () => {
    await using kafkaSide = await start()
    const { client, nodeId } = kafkaSide
    const codeOf = async (type: number, name: string) =>
      (await describeOne(client, type, name)).errorCode
    assert.equal(await codeOf(topicType, 'no'), errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert.equal(await codeOf(topicType, 'bad name'), errorCode.INVALID_TOPIC_EXCEPTION)
    assert.equal(await codeOf(brokerType, String(nodeId + 1)), errorCode.INVALID_REQUEST)
    assert.equal(await codeOf(brokerType, 'x'), errorCode.INVALID_REQUEST)
    assert.equal(await codeOf(7, 'x'), errorCode.INVALID_REQUEST)
    const cluster = await describeOne(client, brokerType, '')
    assert.deepEqual([cluster.errorCode, cluster.configs.length], [0, 0])
  })

  test('an answer for which there is no memory is refused, and its memory comes back', async () => {
    await using kafkaSide = await start({ memoryBytesMax: 4 * 1024 * 1024 })
    const { broker, client } = kafkaSide
    await createTopic(client, 'a')
    const used = broker.budget.used
    const resources = Array.from({ length: 1000 }, () => ({
      resourceType: topicType,
      resourceName: 'a',
      configurationKeys: null,
    }))
    const request = { resources, includeDocumentation: true }
    const { results } = await client.ask(describe, 4, request)
    const codes = results.map((row: { errorCode: number }) => row.errorCode)
    assert.equal(codes[0], 0)
    assert.equal(codes.at(-1), errorCode.REQUEST_TIMED_OUT)
    assert.equal(broker.budget.used, used)
  })
})

suite('IncrementalAlterConfigs', () => {
  test('a value counts at once, and after a restart; deleted, the default does again', async () => {
    const disk = new MemoryDisk()
    {
      await using kafkaSide = await start({ disk })
      const { client, broker } = kafkaSide
      await createTopic(client, 'a')
      const send = async () => {
        const records = encodeBatch(batchOf(['x'.repeat(500)]))
        const partitionData = [{ index: 0, records }]
        const topicData = [{ name: 'a', partitionData }]
        const request = { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }
        return (await client.ask(produce, 9, request)).responses[0].partitionResponses[0].errorCode
      }
      assert.equal(await send(), 0)
      for (const version of [0, 1]) {
        const smaller = [[topicType, 'a', ['max.message.bytes', ' 100 ']]] as const
        assert.deepEqual(await change(client, smaller, { version }), [0])
        assert.deepEqual(await settingOf(client, 'a', 'max.message.bytes'), ['100', 1])
        assert.equal(await send(), errorCode.MESSAGE_TOO_LARGE)
        const back = [[topicType, 'a', ['max.message.bytes', null, forget]]] as const
        assert.deepEqual(await change(client, back, { version }), [0])
        assert.deepEqual(await settingOf(client, 'a', 'max.message.bytes'), ['1048588', 5])
        assert.equal(await send(), 0)
      }
      await change(client, [[topicType, 'a', ['segment.ms', '7'], ['retention.ms', '-1']]])
      await change(client, [[topicType, 'a', ['segment.ms', null, forget]]])
      const { config } = await broker.engine.describeTopic(topicNameOf('a'), context)
      const own = config.filter(({ isDefault }) => !isDefault)
      assert.deepEqual(own, [{ name: 'retention.ms', value: '-1', isDefault: false }])
    }
    await using kafkaSide = await start({ disk })
    assert.deepEqual(await settingOf(kafkaSide.client, 'a', 'retention.ms'), ['-1', 1])
    assert.deepEqual(await settingOf(kafkaSide.client, 'a', 'segment.ms'), ['604800000', 5])
  })

  test('lists are added to and taken from', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    await createTopic(client, 'a')
    const policy = async (value: string, operation: number) => {
      const codes = await change(client, [[topicType, 'a', ['cleanup.policy', value, operation]]])
      return [codes[0], (await settingOf(client, 'a', 'cleanup.policy'))[0]]
    }
    assert.deepEqual(await policy('delete', append), [0, 'delete'])
    assert.deepEqual(await policy('compact', subtract), [0, 'delete'])
    assert.deepEqual(await policy('compact', append), [errorCode.INVALID_CONFIG, 'delete'])
    assert.deepEqual(await policy('delete', subtract), [0, ''])
    assert.deepEqual(await policy('delete', append), [0, 'delete'])
  })

  test('a resource is changed as a whole, or refused', async () => {
    await using kafkaSide = await start()
    const { client, nodeId } = kafkaSide
    await createTopic(client, 'a')
    const refused = async (...changes: Change[]) => {
      const [code] = await change(client, [[topicType, 'a', ['segment.ms', '7'], ...changes]])
      assert.deepEqual(await settingOf(client, 'a', 'segment.ms'), ['604800000', 5])
      return code
    }
    assert.equal(await refused(['retention.ms', 'x']), errorCode.INVALID_CONFIG)
    assert.equal(await refused(['no.such', '1']), errorCode.INVALID_CONFIG)
    assert.equal(await refused(['compression.type', 'zstd']), errorCode.INVALID_CONFIG)
    assert.equal(await refused(['retention.ms', '1', append]), errorCode.INVALID_CONFIG)
    assert.equal(await refused(['no.such', '1', append]), errorCode.INVALID_CONFIG)
    assert.equal(await refused(['retention.ms', null]), errorCode.INVALID_REQUEST)
    assert.equal(await refused(['retention.ms', '1', 9]), errorCode.INVALID_REQUEST)
    assert.equal(await refused(['segment.ms', '8']), errorCode.INVALID_REQUEST)
    const many = [
      [topicType, 'no', ['segment.ms', '7']],
      [topicType, 'a', ['segment.ms', '8']],
      [brokerType, String(nodeId), ['num.partitions', '8']],
      [brokerType, String(nodeId + 1), ['num.partitions', '8']],
      [brokerType, '', ['num.partitions', '8']],
      [7, 'x', ['a', 'b']],
    ] as const
    const invalid = errorCode.INVALID_REQUEST
    const unknown = errorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert.deepEqual(await change(client, many), [unknown, 0, invalid, invalid, invalid, invalid])
    const twice = [
      [topicType, 'a', ['segment.ms', '9']],
      [topicType, 'a', ['retention.ms', '9']],
    ] as const
    assert.deepEqual(await change(client, twice), [invalid, invalid])
    assert.deepEqual(await settingOf(client, 'a', 'segment.ms'), ['8', 1])
  })

  test('to validate changes nothing', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    await createTopic(client, 'a')
    await createTopic(client, 'b')
    const wanted = [
      [topicType, 'a', ['segment.ms', '9']],
      [topicType, 'b', ['segment.ms', 'x']],
    ] as const
    const codes = await change(client, wanted, { validateOnly: true })
    assert.deepEqual(codes, [0, errorCode.INVALID_CONFIG])
    assert.deepEqual(await settingOf(client, 'a', 'segment.ms'), ['604800000', 5])
  })

  test('changes of one topic that are under way together are all made', async () => {
    await using kafkaSide = await start()
    const { client, broker } = kafkaSide
    await createTopic(client, 'a')
    const other = dialKafka(broker.kafka.accept.bind(broker.kafka))
    const one = change(client, [[topicType, 'a', ['segment.ms', '9']]])
    const two = change(other, [[topicType, 'a', ['retention.ms', '8']]])
    assert.deepEqual(await Promise.all([one, two]), [[0], [0]])
    assert.deepEqual(await settingOf(client, 'a', 'segment.ms'), ['9', 1])
    assert.deepEqual(await settingOf(client, 'a', 'retention.ms'), ['8', 1])
  })
})

test('a timestamp too far ahead is refused, as far as the topic says', async () => {
  await using kafkaSide = await start()
  const { client, broker } = kafkaSide
  await createTopic(client, 'a')
  const send = async (aheadMs: number, name = 'a') => {
    const records = encodeBatch(batchOf(['x'], { timestamp: Date.now() + aheadMs }))
    const topicData = [{ name, partitionData: [{ index: 0, records }] }]
    const request = { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }
    return (await client.ask(produce, 9, request)).responses[0].partitionResponses[0].errorCode
  }
  assert.equal(await send(3_500_000), 0)
  assert.equal(await send(3_700_000), errorCode.INVALID_TIMESTAMP)
  assert.equal(await send(-10 * 365 * 86_400_000), 0)
  await change(client, [[topicType, 'a', ['message.timestamp.after.max.ms', '60000']]])
  assert.equal(await send(30_000), 0)
  assert.equal(await send(70_000), errorCode.INVALID_TIMESTAMP)
  await change(client, [[topicType, 'a', ['message.timestamp.type', 'LogAppendTime']]])
  assert.equal(await send(70_000), 0)
  const native = { name: topicNameOf('native'), partitions: 1, config: new Map<string, string>() }
  await broker.engine.createTopic(native, context)
  assert.equal(await send(10 ** 12, 'native'), 0)
})

suite('AlterConfigs', () => {
  test('replaces all settings, at each version', async () => {
    await using kafkaSide = await start()
    const { client } = kafkaSide
    await createTopic(client, 'a')
    for (const version of [0, 1, 2]) {
      await change(client, [[topicType, 'a', ['segment.ms', '9']]])
      const wanted = [[topicType, 'a', ['retention.ms', '7']]] as const
      assert.deepEqual(await change(client, wanted, { key: alter, version }), [0])
      assert.deepEqual(await settingOf(client, 'a', 'segment.ms'), ['604800000', 5])
      assert.deepEqual(await settingOf(client, 'a', 'retention.ms'), ['7', 1])
      assert.deepEqual(await change(client, [[topicType, 'a']], { key: alter, version }), [0])
      assert.deepEqual(await settingOf(client, 'a', 'retention.ms'), ['604800000', 5])
    }
    const bad = [[topicType, 'a', ['retention.ms', null]]] as const
    const [code] = await change(client, bad, { key: alter, version: 2 })
    assert.equal(code, errorCode.INVALID_REQUEST)
  })
})
