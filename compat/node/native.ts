/**
 * Kaska's own client and Kafka clients on the same topics, groups and names: what one writes the other
 * reads. For Kaska only.
 */
import assert from 'node:assert/strict'
import process from 'node:process'
import { type Client, connect } from '@kaska/client'
import { Consumer, type Message, Producer } from '@platformatic/kafka'
import { Checks, rejection, told, uniqueName, until } from './checks.ts'
import { compressions, KafkajsTools, type ReadMessage } from './kafkajs-tools.ts'

const bootstrap = process.argv[2] ?? ''
const checks = new Checks()
const tools = new KafkajsTools(bootstrap)
const base = { clientId: 'kaska-compat', bootstrapBrokers: [bootstrap] }

/** A message as any of the clients tells it. */
interface Told {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly string[]
  readonly timestamp: number
}

const textOf = (bytes: Uint8Array | string | null | undefined): string | null =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('latin1')

async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  await using client = await connect(`kaska://${bootstrap}`)
  return await work(client)
}

async function createTopic(partitions = 1): Promise<string> {
  const topic = uniqueName('topic')
  await withClient((client) => client.createTopic(topic, { partitions }))
  return topic
}

const readers = { native: readNative, kafkajs: readKafkajs, platformatic: readPlatformatic }

async function readNative(topic: string, count: number): Promise<Told[]> {
  return await withClient(async (client) => {
    await client.subscribe([topic])
    client.seek(topic, 0)
    const messages: Told[] = []
    while (messages.length < count) {
      const message = await client.poll({ timeoutMs: 10_000 })
      if (message === undefined) break
      const { offset, timestamp } = message
      const headers = message.headers.map(([name, value]) => `${name}=${textOf(value)}`)
      const [key, value] = [textOf(message.key), textOf(message.value)]
      messages.push({ offset, key, value, headers, timestamp })
    }
    return messages
  })
}

async function readKafkajs(topic: string, count: number): Promise<Told[]> {
  const messages = await tools.read(topic, count)
  return messages.map((message: ReadMessage) => {
    const headers = Object.entries(message.headers ?? {}).flatMap(([name, values]) =>
      [values].flat().map((value) => `${name}=${textOf(value)}`),
    )
    const { offset } = message
    const [key, value] = [textOf(message.key), textOf(message.value)]
    return { offset, key, value, headers, timestamp: Number(message.timestamp) }
  })
}

async function readPlatformatic(topic: string, count: number): Promise<Told[]> {
  const consumer = new Consumer({ ...base, groupId: uniqueName('reader'), maxWaitTime: 200 })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false })
  const messages: Told[] = []
  for await (const message of stream as AsyncIterable<Message>) {
    const headers = message.headerEntries.map(([name, value]) => `${name}=${textOf(value)}`)
    const [key, value] = [textOf(message.key), textOf(message.value)]
    const [offset, timestamp] = [Number(message.offset), Number(message.timestamp)]
    messages.push({ offset, key, value, headers, timestamp })
    if (messages.length === count) break
  }
  await consumer.close(true)
  return messages
}

const timestamp = 1_700_000_000_123
const numbered = Array.from({ length: 20 }, (_, index) => `message ${index} `.repeat(10))
const written = (offset: number): Told => {
  const key = `key ${offset}`
  return { offset, key, value: numbered[offset] ?? '', headers: ['h=1'], timestamp }
}
const expected = [...numbered.keys()].map(written)

async function readByAll(topic: string): Promise<void> {
  for (const [name, read] of Object.entries(readers)) {
    assert.deepEqual(await read(topic, expected.length), expected, `read by ${name}`)
  }
}

checks.add('written natively, read by all', async () => {
  const topic = await createTopic()
  await withClient(async (client) => {
    const messages = expected.map(({ key, value }) => ({
      key,
      value,
      headers: { h: '1' },
      timestamp,
    }))
    await client.sendBatch(topic, messages)
  })
  await readByAll(topic)
})

for (const [name, compression] of Object.entries(compressions)) {
  checks.add(`written by kafkajs, read by all: ${name}`, async () => {
    const topic = await createTopic()
    const headers = { h: '1' }
    const messages = expected.map(({ key, value }) => {
      return { key, value, headers, timestamp: String(timestamp) }
    })
    await tools.send(topic, messages, compression)
    await readByAll(topic)
  })
  checks.add(`written by platformatic, read by all: ${name}`, async () => {
    const topic = await createTopic()
    const producer = new Producer(base)
    const headers = new Map([[Buffer.from('h'), Buffer.from('1')]])
    const messages = expected.map(({ key, value }) => {
      const [keyBytes, bytes] = [Buffer.from(key ?? ''), Buffer.from(value ?? '')]
      return { topic, key: keyBytes, value: bytes, headers, timestamp: BigInt(timestamp) }
    })
    await producer.send({ messages, compression: name as keyof typeof compressions })
    await producer.close()
    await readByAll(topic)
  })
}

checks.add('one topic, all of them writing in turns, each compression', async () => {
  const topic = await createTopic()
  const values: string[] = []
  await withClient(async (client) => {
    for (const [name, compression] of Object.entries(compressions)) {
      const next = [`native before ${name}`, `kafka ${name} 1`, `kafka ${name} 2`]
      await client.send(topic, next[0] ?? '')
      await tools.send(
        topic,
        next.slice(1).map((value) => ({ value })),
        compression,
      )
      values.push(...next)
    }
  })
  for (const [name, read] of Object.entries(readers)) {
    const messages = await read(topic, values.length)
    assert.deepEqual(
      messages.map(({ value }) => value),
      values,
      name,
    )
    assert.deepEqual(
      messages.map(({ offset }) => offset),
      [...values.keys()],
      name,
    )
  }
})

checks.add('null and empty values, keys and headers go both ways', async () => {
  const topic = await createTopic()
  await withClient(async (client) => {
    await client.send(topic, { value: null, key: 'k' })
    await client.send(topic, {
      value: '',
      headers: [
        ['a', '1'],
        ['a', ''],
        ['b', '2'],
      ],
    })
  })
  await tools.send(topic, [{ value: null }, { value: '', headers: { a: ['1', ''], b: '2' } }])
  for (const [name, read] of Object.entries(readers)) {
    const messages = await read(topic, 4)
    assert.deepEqual(
      messages.map(({ value }) => value),
      [null, '', null, ''],
      name,
    )
    assert.deepEqual(
      messages.map(({ key }) => key),
      ['k', null, null, null],
      name,
    )
    assert.deepEqual(messages[1]?.headers, ['a=1', 'a=', 'b=2'], name)
    assert.deepEqual(messages[3]?.headers, ['a=1', 'a=', 'b=2'], name)
  }
})

checks.add("commits of the one are the other's", async () => {
  const topic = await createTopic(2)
  const groupId = uniqueName('group')
  await tools.send(
    topic,
    numbered.map((value, index) => ({ value, partition: index % 2 })),
  )
  await withClient(async (client) => {
    await client.commit(groupId, topic, 4, 0)
    const offsets = await tools.withAdmin(async (admin) => {
      const [of] = await admin.fetchOffsets({ groupId, topics: [topic] })
      return of?.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
    })
    assert.deepEqual(offsets, ['4', '-1'])
    await tools.withAdmin((admin) =>
      admin.setOffsets({ groupId, topic, partitions: [{ partition: 1, offset: '7' }] }),
    )
    assert.equal(await client.committed(groupId, topic, 0), 4)
    assert.equal(await client.committed(groupId, topic, 1), 7)
  })
})

checks.add('a native commit is refused while the group has members', async () => {
  const topic = await createTopic()
  const groupId = uniqueName('group')
  await tools.send(topic, [{ value: 'x' }])
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
  await withClient(async (client) => {
    const refused = await rejection(client.commit(groupId, topic, 0))
    assert.match(told(refused), /GroupActiveError/)
    await consumer.disconnect()
    assert.equal(await client.committed(groupId, topic), 1)
    await client.commit(groupId, topic, 0)
    assert.equal(await client.committed(groupId, topic), 0)
  })
})

checks.add(
  'topics: what Kafka cannot name is not listed there; internal ones not natively',
  async () => {
    const name = `${uniqueName('a name')}/\u{1f4e8}`
    const topic = uniqueName('topic')
    await withClient(async (client) => {
      await client.createTopic(name)
      await client.createTopic(topic)
      const listed = await tools.withAdmin((admin) => admin.listTopics())
      assert.ok(listed.includes(topic))
      assert.ok(!listed.includes(name))
      const topics = (await client.topics()).map((info) => info.name)
      assert.ok(topics.some((each) => String(each) === topic))
      assert.ok(!topics.some((each) => String(each).startsWith('__')))
    })
  },
)

checks.add('a native reader that waits sees what a Kafka client sends', async () => {
  const topic = await createTopic()
  await withClient(async (client) => {
    await client.subscribe([topic])
    const waiting = client.poll({ timeoutMs: 10_000 })
    await tools.send(topic, [{ value: 'woken' }])
    assert.equal(textOf((await waiting)?.value), 'woken')
  })
})

checks.add('a topic deleted natively is gone for Kafka clients', async () => {
  const topic = await createTopic()
  await tools.send(topic, [{ value: 'old' }])
  await withClient((client) => client.deleteTopic(topic))
  const listed = await tools.withAdmin((admin) => admin.listTopics())
  assert.ok(!listed.includes(topic))
  await withClient((client) => client.createTopic(topic))
  await tools.send(topic, [{ value: 'new' }])
  assert.deepEqual(
    (await readNative(topic, 1)).map(({ value }) => value),
    ['new'],
  )
})

await checks.run()
