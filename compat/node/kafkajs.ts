/** kafkajs, checked: see checks.ts. */
import assert from 'node:assert/strict'
import path from 'node:path'
import process from 'node:process'
import kafkajs from 'kafkajs'
import { Checks, rejection, sleep, uniqueName, until } from './checks.ts'
import { addGroupChecks } from './group-checks.ts'
import { compressions, KafkajsTools } from './kafkajs-tools.ts'

const bootstrap = process.argv[2] ?? ''
const checks = new Checks()
const tools = new KafkajsTools(bootstrap)

for (const [name, compression] of Object.entries(compressions)) {
  checks.add(`produce and consume: ${name}`, async () => {
    const topic = await tools.createTopic()
    const values = Array.from({ length: 100 }, (_, index) => `message ${index} `.repeat(20))
    await tools.send(
      topic,
      values.map((value) => ({ value })),
      compression,
    )
    const messages = await tools.read(topic, values.length)
    assert.deepEqual(
      messages.map(({ value }) => value?.toString()),
      values,
    )
    assert.deepEqual(
      messages.map(({ offset }) => offset),
      values.map((_, index) => index),
    )
  })
}

checks.add('keys and headers: binary, repeated, empty', async () => {
  const topic = await tools.createTopic()
  const key = Buffer.from([0, 255, 128, 10])
  const headers = { one: Buffer.from([0, 255]), twice: ['a', 'b'], empty: '' }
  await tools.send(topic, [{ key, value: 'v', headers, timestamp: '1700000000123' }])
  const [message] = await tools.read(topic, 1)
  assert.deepEqual(message?.key, key)
  assert.equal(message?.timestamp, '1700000000123')
  assert.deepEqual(message?.headers?.['one'], Buffer.from([0, 255]))
  assert.deepEqual(String(message?.headers?.['twice']), 'a,b')
  assert.deepEqual(String(message?.headers?.['empty']), '')
})

checks.add('null and empty values', async () => {
  const topic = await tools.createTopic()
  await tools.send(topic, [{ value: null }, { value: '' }, { key: '', value: null }])
  const messages = await tools.read(topic, 3)
  assert.deepEqual(
    messages.map(({ value }) => value),
    [null, Buffer.alloc(0), null],
  )
  assert.deepEqual(
    messages.map(({ key }) => key),
    [null, null, Buffer.alloc(0)],
  )
})

checks.add('messages of 1 MB', async () => {
  const topic = await tools.createTopic()
  const values = [1, 2, 3].map((fill) => Buffer.alloc(1_000_000, fill))
  for (const value of values) await tools.send(topic, [{ value }])
  const messages = await tools.read(topic, 3)
  assert.ok(messages.every(({ value }, index) => value?.equals(values[index] ?? Buffer.alloc(0))))
})

checks.add('acks: all, leader, none', async () => {
  const topic = await tools.createTopic()
  await tools.withProducer(async (producer) => {
    for (const acks of [-1, 1, 0]) {
      await producer.send({ topic, acks, messages: [{ value: `acks ${acks}` }] })
    }
    await producer.send({ topic, messages: [{ value: 'end' }] })
  })
  const messages = await tools.read(topic, 4)
  const values = messages.map(({ value }) => value?.toString())
  assert.deepEqual(values, ['acks -1', 'acks 1', 'acks 0', 'end'])
})

checks.add('a topic made by its first message', async () => {
  const topic = uniqueName('auto')
  await tools.send(topic, [{ value: 'first' }])
  assert.equal((await tools.read(topic, 1))[0]?.value?.toString(), 'first')
})

checks.add(
  'idempotent producer over a restart of the broker',
  async () => {
    const topic = await tools.createTopic()
    const values = Array.from({ length: 300 }, (_, index) => String(index))
    await tools.withProducer(
      async (producer) => {
        let restarted: Promise<void> | undefined
        for (const value of values) {
          if (value === '100') restarted = checks.restartBroker('kill')
          await producer.send({ topic, messages: [{ value }] })
        }
        await restarted
      },
      { idempotent: true, maxInFlightRequests: 1 },
    )
    const messages = await tools.read(topic, values.length)
    assert.deepEqual(
      messages.map(({ value }) => value?.toString()),
      values,
    )
  },
  { msMax: 60_000 },
)

checks.add('offsets: earliest, latest, by time', async () => {
  const topic = await tools.createTopic(2)
  const base = 1_700_000_000_000
  const messages = Array.from({ length: 10 }, (_, index) => ({
    partition: 0,
    value: String(index),
    timestamp: String(base + index * 1_000),
  }))
  for (const message of messages) await tools.send(topic, [message])
  await tools.withAdmin(async (admin) => {
    const sorted = (list: { partition: number }[]) => list.sort((a, b) => a.partition - b.partition)
    const [zero, one] = sorted(await admin.fetchTopicOffsets(topic))
    assert.deepEqual(zero, { partition: 0, offset: '10', high: '10', low: '0' })
    assert.deepEqual(one, { partition: 1, offset: '0', high: '0', low: '0' })
    const at = async (timestamp: number) =>
      sorted(await admin.fetchTopicOffsetsByTimestamp(topic, timestamp))
    assert.deepEqual((await at(base + 4_500))[0], { partition: 0, offset: '5' })
    assert.deepEqual((await at(base - 1))[0], { partition: 0, offset: '0' })
    // Past the last message kafkajs itself takes the end.
    assert.deepEqual((await at(base + 10_000))[0], { partition: 0, offset: '10' })
  })
})

checks.add('seek: back, and out of range', async () => {
  const topic = await tools.createTopic()
  await tools.send(
    topic,
    Array.from({ length: 10 }, (_, index) => ({ value: String(index) })),
  )
  const from7 = await tools.read(topic, 3, { 0: 7 })
  assert.deepEqual(
    from7.map(({ offset }) => offset),
    [7, 8, 9],
  )
  // kafkajs goes to its default, here the beginning.
  const outOfRange = await tools.read(topic, 1, { 0: 1_000 })
  assert.equal(outOfRange[0]?.offset, 0)
})

addGroupChecks({
  checks,
  tools,
  bootstrap,
  member: {
    program: process.execPath,
    argv: ['--conditions=source', path.join(import.meta.dirname, 'kafkajs-member.ts')],
  },
  assignors: [''],
  withoutStatic: 'kafkajs has no static members',
})

checks.add('commits: set, fetch, go on from them', async () => {
  const topic = await tools.createTopic(2)
  const groupId = uniqueName('group')
  const values = Array.from({ length: 20 }, (_, index) => ({
    partition: index % 2,
    value: String(index),
  }))
  await tools.send(topic, values)
  const committed = async (): Promise<string[]> =>
    await tools.withAdmin(async (admin) => {
      const [of] = await admin.fetchOffsets({ groupId, topics: [topic] })
      const partitions = (of?.partitions ?? []).sort((a, b) => a.partition - b.partition)
      return partitions.map(({ offset }) => offset)
    })
  assert.deepEqual(await committed(), ['-1', '-1'])
  await tools.withAdmin((admin) =>
    admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '4' }] }),
  )
  assert.deepEqual(await committed(), ['4', '-1'])
  const seen: string[] = []
  const consumer = tools.kafka.consumer({ groupId, maxWaitTimeInMs: 200 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.push(message.value?.toString() ?? '')
    },
  })
  await until('all from the committed offsets on', () => seen.length >= 16)
  await consumer.disconnect()
  assert.deepEqual(
    seen.map(Number).sort((a, b) => a - b),
    [...[1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]],
  )
  assert.deepEqual(await committed(), ['10', '10'])
})

checks.add(
  'commits: reset',
  async () => {
    const topic = await tools.createTopic(2)
    const groupId = uniqueName('group')
    await tools.send(topic, [{ value: 'x', partition: 1 }])
    await tools.withAdmin(async (admin) => {
      const offsets = async () => {
        const [of] = await admin.fetchOffsets({ groupId, topics: [topic], resolveOffsets: true })
        const partitions = (of?.partitions ?? []).sort((a, b) => a.partition - b.partition)
        return partitions.map(({ offset }) => offset)
      }
      await admin.resetOffsets({ groupId, topic, earliest: false })
      assert.deepEqual(await offsets(), ['0', '1'])
      await admin.resetOffsets({ groupId, topic, earliest: true })
      assert.deepEqual(await offsets(), ['0', '0'])
    })
  },
  // kafkajs waits 5 s in each.
  { isSlow: true },
)

checks.add('admin: topics', async () => {
  await tools.withAdmin(async (admin) => {
    const topic = await tools.createTopic(3)
    assert.ok((await admin.listTopics()).includes(topic))
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.equal(topics[0]?.partitions.length, 3)
    const again = admin.createTopics({ topics: [{ topic, numPartitions: 3 }] })
    assert.equal(await again, false)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
    await until('five partitions', async () => {
      const metadata = await admin.fetchTopicMetadata({ topics: [topic] })
      return metadata.topics[0]?.partitions.length === 5
    })
    await admin.deleteTopics({ topics: [topic] })
    await until('it is gone', async () => !(await admin.listTopics()).includes(topic))
  })
})

checks.add('admin: cluster', async () => {
  const cluster = await tools.withAdmin((admin) => admin.describeCluster())
  assert.equal(cluster.brokers.length, 1)
  assert.equal(`${cluster.brokers[0]?.host}:${cluster.brokers[0]?.port}`, bootstrap)
  assert.equal(cluster.controller, cluster.brokers[0]?.nodeId)
  assert.ok(cluster.clusterId.length > 0)
})

checks.add('admin: configs', async () => {
  const topic = await tools.createTopic(1, { 'retention.ms': '1234567' })
  const type = kafkajs.ConfigResourceTypes.TOPIC
  await tools.withAdmin(async (admin) => {
    const describe = async () => {
      const resources = [{ type, name: topic }]
      const described = await admin.describeConfigs({ resources, includeSynonyms: false })
      const entries = described.resources[0]?.configEntries ?? []
      return new Map(entries.map((entry) => [entry.configName, entry]))
    }
    const before = await describe()
    assert.equal(before.get('retention.ms')?.configValue, '1234567')
    assert.equal(before.get('retention.ms')?.configSource, 1)
    assert.equal(before.get('cleanup.policy')?.configValue, 'delete')
    assert.equal(before.get('cleanup.policy')?.isDefault, true)
    assert.equal(before.get('max.message.bytes')?.configValue, '1048588')
    const configEntries = [{ name: 'max.message.bytes', value: '2000000' }]
    const resources = [{ type, name: topic, configEntries }]
    await admin.alterConfigs({ validateOnly: false, resources })
    await until('it is altered', async () => {
      const after = await describe()
      return after.get('max.message.bytes')?.configValue === '2000000'
    })
    // AlterConfigs sets all of them: what is not named is the default again.
    assert.equal((await describe()).get('retention.ms')?.configValue, '604800000')
  })
  await tools.send(topic, [{ value: Buffer.alloc(1_500_000) }])
})

checks.add('admin: groups', async () => {
  const topic = await tools.createTopic()
  await tools.send(topic, [{ value: 'x' }])
  const groupId = uniqueName('group')
  const consumer = tools.kafka.consumer({ groupId, maxWaitTimeInMs: 200 })
  let count = 0
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async () => {
      count++
    },
  })
  await until('it consumes', () => count === 1)
  await tools.withAdmin(async (admin) => {
    const { groups } = await admin.listGroups()
    assert.ok(
      groups.some((group) => group.groupId === groupId && group.protocolType === 'consumer'),
    )
    const described = (await admin.describeGroups([groupId])).groups[0]
    assert.equal(described?.state, 'Stable')
    assert.equal(described?.protocol, 'RoundRobinAssigner')
    assert.equal(described?.members.length, 1)
    const busy = await rejection(admin.deleteGroups([groupId]))
    assert.match(String(busy), /Error/)
    await consumer.disconnect()
    assert.equal((await admin.describeGroups([groupId])).groups[0]?.state, 'Empty')
    await admin.deleteGroups([groupId])
    assert.equal((await admin.describeGroups([groupId])).groups[0]?.state, 'Dead')
    assert.ok(!(await admin.listGroups()).groups.some((group) => group.groupId === groupId))
  })
})

checks.add('admin: delete records', async () => {
  const topic = await tools.createTopic()
  await tools.send(
    topic,
    Array.from({ length: 10 }, (_, index) => ({ value: String(index) })),
  )
  await tools.withAdmin(async (admin) => {
    // kafkajs only knows the topics that it was asked about before.
    assert.equal((await admin.fetchTopicOffsets(topic))[0]?.low, '0')
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] })
    const [offsets] = await admin.fetchTopicOffsets(topic)
    assert.equal(offsets?.low, '6')
    assert.equal(offsets?.high, '10')
  })
  assert.deepEqual(
    (await tools.read(topic, 4)).map(({ offset }) => offset),
    [6, 7, 8, 9],
  )
})

checks.add('errors: an unknown topic', async () => {
  const topic = uniqueName('unknown')
  // kafkajs takes it for a topic that is about to be there.
  const retry = { retries: 1, initialRetryTime: 10 }
  const error = await rejection(
    tools.withProducer((producer) => producer.send({ topic, messages: [{ value: 'x' }] }), {
      allowAutoTopicCreation: false,
      retry,
    }),
  )
  assert.match(String(error), /does not host this topic-partition/)
  await tools.withAdmin(
    async (admin) => {
      assert.ok(!(await admin.listTopics()).includes(topic), 'and it was not made')
      const gone = await rejection(admin.deleteTopics({ topics: [topic], timeout: 1_000 }))
      assert.match(String(gone), /does not host this topic-partition/)
    },
    { retry },
  )
})

checks.add('errors: a message that is too large', async () => {
  const topic = await tools.createTopic()
  const error = await rejection(tools.send(topic, [{ value: Buffer.alloc(1_100_000) }]))
  assert.match(JSON.stringify(error), /MESSAGE_TOO_LARGE/)
  await tools.send(topic, [{ value: 'small' }])
})

checks.add('errors: an invalid name, an invalid setting, too many replicas', async () => {
  await tools.withAdmin(async (admin) => {
    const create = async (topic: string, more: object): Promise<string> => {
      const error = await rejection(admin.createTopics({ topics: [{ topic, ...more }] }))
      const errors = (error as Error & { errors?: { type: string }[] }).errors ?? []
      return `${JSON.stringify(error)} ${JSON.stringify(errors)}`
    }
    assert.match(await create('no/slash', { numPartitions: 1 }), /INVALID_TOPIC_EXCEPTION/)
    const topic = uniqueName('topic')
    const config = (name: string, value: string) => ({ configEntries: [{ name, value }] })
    assert.match(await create(topic, config('no.such.config', '1')), /INVALID_CONFIG/)
    assert.match(await create(topic, config('retention.ms', 'soon')), /INVALID_CONFIG/)
    assert.match(await create(topic, { replicationFactor: 5 }), /INVALID_REPLICATION_FACTOR/)
    assert.match(await create(topic, { numPartitions: 0 }), /INVALID_PARTITIONS/)
    assert.ok(!(await admin.listTopics()).includes(topic))
  })
})

checks.add('a consumer that waits is woken by a message', async () => {
  const topic = await tools.createTopic()
  const maxWaitTimeInMs = 20_000
  const consumer = tools.kafka.consumer({ groupId: uniqueName('group'), maxWaitTimeInMs })
  const waits: number[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      waits.push(Date.now() - Number(message.value))
    },
  })
  for (let count = 1; count <= 3; count++) {
    await sleep(count === 1 ? 1_500 : 100)
    await tools.send(topic, [{ value: String(Date.now()) }])
    await until('it is seen', () => waits.length === count)
  }
  // It ends when its fetch does: that has to be woken too.
  await Promise.all([consumer.disconnect(), tools.send(topic, [{ value: 'end' }])])
  assert.ok(Math.max(...waits) < maxWaitTimeInMs / 2, `milliseconds: ${waits}`)
})

await checks.run()
