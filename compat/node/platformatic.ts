/** @platformatic/kafka, checked: see checks.ts. */
import assert from 'node:assert/strict'
import path from 'node:path'
import process from 'node:process'
import {
  Admin,
  Consumer,
  ListOffsetTimestamps,
  type Message,
  type MessageToProduce,
  Producer,
  type SendOptions,
} from '@platformatic/kafka'
import { Checks, rejection, told, uniqueName, until } from './checks.ts'
import { addGroupChecks } from './group-checks.ts'
import { KafkajsTools } from './kafkajs-tools.ts'

const bootstrap = process.argv[2] ?? ''
const checks = new Checks()
const base = { clientId: 'kaska-compat', bootstrapBrokers: [bootstrap] }
const admin = new Admin(base)
const topicType = 2
const [setOperation, deleteOperation] = [0, 1]

type Sent = Omit<MessageToProduce, 'topic'>
type Options = Omit<SendOptions<Buffer, Buffer, Buffer, Buffer>, 'messages'>

async function createTopic(partitions = 1, configs: { name: string; value: string }[] = []) {
  const topic = uniqueName('topic')
  await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs })
  return topic
}

async function send(topic: string, messages: readonly Sent[], options: Options = {}) {
  const producer = new Producer(base)
  try {
    return await producer.send({ ...options, messages: messages.map((one) => ({ ...one, topic })) })
  } finally {
    await producer.close()
  }
}

/** The first `count` messages of a topic, by partition and offset. */
async function read(topic: string, count: number): Promise<Message[]> {
  const consumer = new Consumer({ ...base, groupId: uniqueName('reader'), maxWaitTime: 200 })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false })
  const messages: Message[] = []
  for await (const message of stream) {
    messages.push(message)
    if (messages.length === count) break
  }
  await consumer.close(true)
  return messages.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
}

const texts = (messages: readonly Message[]): string[] => messages.map(({ value }) => String(value))
const numbered = (count: number): Sent[] =>
  Array.from({ length: count }, (_, index) => ({ value: Buffer.from(String(index)) }))

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
  checks.add(`produce and consume: ${compression}`, async () => {
    const topic = await createTopic()
    const values = Array.from({ length: 100 }, (_, index) => `message ${index} `.repeat(20))
    await send(
      topic,
      values.map((value) => ({ value: Buffer.from(value) })),
      { compression },
    )
    const messages = await read(topic, values.length)
    assert.deepEqual(texts(messages), values)
    const offsets = messages.map(({ offset }) => Number(offset))
    assert.deepEqual(offsets, [...values.keys()])
  })
}

checks.add('keys and headers: binary, empty', async () => {
  const topic = await createTopic()
  const key = Buffer.from([0, 255, 128, 10])
  const headers = new Map([
    [Buffer.from('one'), Buffer.from([0, 255])],
    [Buffer.from('empty'), Buffer.alloc(0)],
  ])
  const timestamp = 1_700_000_000_123n
  await send(topic, [{ key, value: Buffer.from('v'), headers, timestamp }])
  const [message] = await read(topic, 1)
  assert.deepEqual(message?.key, key)
  assert.equal(message?.timestamp, timestamp)
  assert.deepEqual(message?.headerEntries, [...headers])
})

checks.add('null and empty values', async () => {
  const topic = await createTopic()
  await send(topic, [{ key: Buffer.from('k') }, { value: Buffer.alloc(0) }])
  const messages = await read(topic, 2)
  assert.equal(messages[0]?.value ?? null, null)
  assert.equal(messages[1]?.value?.length, 0)
})

checks.add('messages of 1 MB', async () => {
  const topic = await createTopic()
  const values = [1, 2, 3].map((fill) => Buffer.alloc(1_000_000, fill))
  for (const value of values) await send(topic, [{ value }])
  const messages = await read(topic, 3)
  assert.ok(messages.every(({ value }, index) => value.equals(values[index] ?? Buffer.alloc(0))))
})

checks.add('acks: all, leader, none', async () => {
  const topic = await createTopic()
  for (const acks of [-1, 1, 0]) await send(topic, [{ value: Buffer.from(`${acks}`) }], { acks })
  await send(topic, [{ value: Buffer.from('end') }])
  assert.deepEqual(texts(await read(topic, 4)), ['-1', '1', '0', 'end'])
})

checks.add('a topic made by its first message', async () => {
  const topic = uniqueName('auto')
  await send(topic, [{ value: Buffer.from('first') }], { autocreateTopics: true })
  assert.deepEqual(texts(await read(topic, 1)), ['first'])
})

checks.add(
  'idempotent producer over a restart of the broker',
  async () => {
    const topic = await createTopic()
    const producer = new Producer({ ...base, idempotent: true, retries: 200, retryDelay: 200 })
    let restarted: Promise<void> | undefined
    const messages = numbered(300)
    for (const [index, { value }] of messages.entries()) {
      if (index === 100) restarted = checks.restartBroker('kill')
      await producer.send({ messages: [{ topic, value: value ?? Buffer.alloc(0) }], acks: -1 })
    }
    await restarted
    await producer.close()
    assert.deepEqual(
      texts(await read(topic, 300)),
      messages.map(({ value }) => String(value)),
    )
  },
  { msMax: 60_000 },
)

checks.add('offsets: earliest, latest, by time, of the largest timestamp', async () => {
  const topic = await createTopic()
  const start = 1_700_000_000_000n
  for (const at of [0n, 1_000n, 5_000n, 3_000n]) {
    await send(topic, [{ value: Buffer.from('x'), timestamp: start + at }])
  }
  const at = async (timestamp: bigint) => {
    const partitions = [{ partitionIndex: 0, timestamp }]
    const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
    return listed?.partitions[0]
  }
  assert.equal((await at(ListOffsetTimestamps.EARLIEST))?.offset, 0n)
  assert.equal((await at(ListOffsetTimestamps.LATEST))?.offset, 4n)
  assert.equal((await at(ListOffsetTimestamps.MAX))?.offset, 2n)
  assert.equal((await at(ListOffsetTimestamps.MAX))?.timestamp, start + 5_000n)
  assert.equal((await at(start + 500n))?.offset, 1n)
  assert.equal((await at(start + 500n))?.timestamp, start + 1_000n)
  assert.equal((await at(start + 5_001n))?.offset, -1n)
})

checks.add('seek: back', async () => {
  const topic = await createTopic()
  await send(topic, numbered(10))
  const consumer = new Consumer({ ...base, groupId: uniqueName('reader'), maxWaitTime: 200 })
  const offsets = [{ topic, partition: 0, offset: 7n }]
  const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets })
  const seen: number[] = []
  for await (const message of stream) {
    seen.push(Number(message.offset))
    if (seen.length === 3) break
  }
  await consumer.close(true)
  assert.deepEqual(seen, [7, 8, 9])
})

addGroupChecks({
  checks,
  tools: new KafkajsTools(bootstrap),
  bootstrap,
  member: {
    program: process.execPath,
    argv: ['--conditions=source', path.join(import.meta.dirname, 'platformatic-member.ts')],
  },
  assignors: ['', 'cooperative-sticky'],
})

checks.add('commits: set, list, delete, go on from them', async () => {
  const topic = await createTopic(2)
  const groupId = uniqueName('group')
  await send(
    topic,
    numbered(20).map((message, index) => ({ ...message, partition: index % 2 })),
  )
  const committed = async (): Promise<Map<number, bigint>> => {
    const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
    const partitions = group?.topics.find(({ name }) => name === topic)?.partitions ?? []
    return new Map(partitions.map((one) => [one.partitionIndex, one.committedOffset]))
  }
  assert.equal((await committed()).size, 0)
  const partitionOffsets = [
    { partition: 0, offset: 4n },
    { partition: 1, offset: 8n },
  ]
  await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] })
  assert.deepEqual([...(await committed())].sort(), [
    [0, 4n],
    [1, 8n],
  ])
  const consumer = new Consumer({ ...base, groupId, maxWaitTime: 200 })
  const stream = await consumer.consume({ topics: [topic], mode: 'committed', autocommit: false })
  const seen: string[] = []
  for await (const message of stream) {
    seen.push(`${message.partition}-${message.offset}`)
    await message.commit()
    if (seen.length === 8) break
  }
  await consumer.close(true)
  assert.deepEqual(seen.sort(), ['0-4', '0-5', '0-6', '0-7', '0-8', '0-9', '1-8', '1-9'])
  assert.equal((await committed()).get(1), 10n)
  const topics = [{ name: topic, partitionIndexes: [0] }]
  await admin.deleteConsumerGroupOffsets({ groupId, topics })
  assert.deepEqual([...(await committed())], [[1, 10n]])
})

checks.add('admin: topics', async () => {
  const topic = uniqueName('topic')
  const [made] = await admin.createTopics({ topics: [topic], partitions: 3, replicas: 1 })
  assert.equal(made?.name, topic)
  assert.equal(made?.partitions, 3)
  assert.match(made?.id ?? '', /^[0-9a-f-]{36}$/)
  await until('it is listed', async () => (await admin.listTopics()).includes(topic))
  const again = await rejection(admin.createTopics({ topics: [topic], partitions: 3 }))
  assert.match(told(again), /already exists/i)
  await admin.createPartitions({ topics: [{ name: topic, count: 5, assignments: null as never }] })
  await until('five partitions', async () => {
    const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
    return metadata.topics.get(topic)?.partitionsCount === 5
  })
  await admin.deleteTopics({ topics: [topic] })
  await until('it is gone', async () => !(await admin.listTopics()).includes(topic))
})

checks.add('admin: configs', async () => {
  const topic = await createTopic(1, [{ name: 'retention.ms', value: '1234567' }])
  const describe = async () => {
    const resources = [{ resourceType: topicType, resourceName: topic }] as const
    const [described] = await admin.describeConfigs({ resources: [...resources] })
    return new Map(described?.configs.map((config) => [config.name, config]))
  }
  const before = await describe()
  assert.equal(before.get('retention.ms')?.value, '1234567')
  assert.equal(before.get('retention.ms')?.configSource, 1)
  assert.equal(before.get('cleanup.policy')?.value, 'delete')
  const alter = (name: string, configOperation: number, value?: string) =>
    admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: topicType,
          resourceName: topic,
          configs: [{ name, configOperation: configOperation as 0, value: value as string }],
        },
      ],
    })
  await alter('max.message.bytes', setOperation, '2000000')
  await alter('retention.ms', deleteOperation)
  await until('it is altered', async () => {
    const after = await describe()
    const values = ['max.message.bytes', 'retention.ms'].map((name) => after.get(name)?.value)
    return values.join() === '2000000,604800000'
  })
  const wrong = await rejection(alter('no.such.config', setOperation, '1'))
  assert.match(told(wrong), /config/i)
  await send(topic, [{ value: Buffer.alloc(1_500_000) }])
})

checks.add('admin: groups', async () => {
  const topic = await createTopic()
  await send(topic, [{ value: Buffer.from('x') }])
  const groupId = uniqueName('group')
  const consumer = new Consumer({ ...base, groupId, maxWaitTime: 200 })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false })
  for await (const message of stream) {
    await message.commit()
    const listed = (await admin.listGroups()).get(groupId)
    assert.equal(listed?.state, 'Stable')
    assert.equal(listed?.groupType, 'classic')
    const group = (await admin.describeGroups({ groups: [groupId] })).get(groupId)
    assert.equal(group?.state, 'Stable')
    const [member] = group?.members.values() ?? []
    assert.equal(member?.clientId, 'kaska-compat')
    assert.deepEqual(member?.assignments?.get(topic)?.partitions, [0])
    const busy = await rejection(admin.deleteGroups({ groups: [groupId] }))
    assert.match(told(busy), /not empty/i)
    break
  }
  await consumer.close(true)
  assert.equal((await admin.listGroups()).get(groupId)?.state, 'Empty')
  await admin.deleteGroups({ groups: [groupId] })
  assert.equal((await admin.listGroups()).has(groupId), false)
})

checks.add('admin: delete records', async () => {
  const topic = await createTopic()
  await send(topic, numbered(10))
  const partitions = [{ partition: 0, offset: 6n }]
  const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions }] })
  assert.equal(deleted?.partitions[0]?.lowWatermark, 6n)
  assert.deepEqual(texts(await read(topic, 4)), ['6', '7', '8', '9'])
})

checks.add('errors: an unknown topic', async () => {
  const topic = uniqueName('unknown')
  const value = Buffer.from('x')
  const sent = await rejection(send(topic, [{ value }], { autocreateTopics: false }))
  assert.match(told(sent), /UNKNOWN_TOPIC|does not host|topic/i)
  assert.ok(!(await admin.listTopics()).includes(topic), 'and it was not made')
  const gone = await rejection(admin.deleteTopics({ topics: [topic] }))
  assert.match(told(gone), /does not host this topic-partition/i)
})

checks.add('errors: a message that is too large', async () => {
  const topic = await createTopic()
  const error = await rejection(send(topic, [{ value: Buffer.alloc(1_100_000) }]))
  assert.match(told(error), /larger than the max|too large/i)
  await send(topic, [{ value: Buffer.from('small') }])
})

checks.add('errors: an invalid name, an invalid setting, too many replicas', async () => {
  const create = async (options: object): Promise<string> =>
    told(await rejection(admin.createTopics({ topics: [uniqueName('topic')], ...options })))
  assert.match(await create({ topics: ['no/slash'] }), /invalid topic/i)
  const configs = (name: string, value: string) => ({ configs: [{ name, value }] })
  assert.match(await create(configs('no.such.config', '1')), /config/i)
  assert.match(await create(configs('retention.ms', 'soon')), /config/i)
  assert.match(await create({ replicas: 5 }), /replication factor/i)
  assert.match(await create({ partitions: 0 }), /partitions/i)
})

await checks.run()
