/**
 * HTTP and metrics of a gateway, on three brokers of Apache Kafka: the same paths as a broker with logs of its
 * own answers. What comes is what openapi.json says.
 */
import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Consumer } from '@platformatic/kafka'
import { createGateway, type Gateway } from '../src/gateway.ts'
import { operations } from '../src/http/openapi-operations.ts'
import { namedSchemas } from '../src/http/openapi-schemas.ts'
import { mismatches } from './json-schema.ts'
import { walkExamples } from './openapi-walk.ts'
import { parseMetrics } from './prometheus-text.ts'
import { startCluster } from './start-cluster.ts'

const cluster = await startCluster()
if (typeof cluster === 'string') test('three brokers of Apache Kafka', { skip: cluster }, () => {})
else {
  const { bootstrap } = cluster
  let gateway: Gateway
  let url = ''
  before(async () => {
    gateway = await createGateway({ engine: `kafka://${bootstrap}` })
    const { port } = await gateway.listen({ port: 0 })
    url = `http://127.0.0.1:${port}`
  })
  after(async () => {
    await gateway.close()
    await cluster.stop()
  })

  /** Asks with JSON, and holds the answer against openapi.json. */
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const { status } = response
    const json = text === '' ? undefined : JSON.parse(text)
    const operation = operations.find((each) => {
      const pattern = each.path.replaceAll(/\{\w+\}/g, '[^/]+')
      const isAt = new RegExp(`^${pattern}$`).test(`/api/v1${path.split('?')[0]}`)
      return isAt && each.method.toUpperCase() === method
    })
    assert(operation !== undefined, path)
    const schema =
      status < 400
        ? operation.answers[status]?.content?.['application/json']
        : { $ref: '#/components/schemas/Problem' }
    if (json !== undefined) {
      assert(schema !== undefined, `${method} ${path}: ${status} ${text}`)
      assert.deepEqual(mismatches(json, schema, namedSchemas), [], `${method} ${path}: ${text}`)
    }
    return { status, json }
  }

  test('a topic is made with settings, described, changed, grown and deleted', async () => {
    const made = await ask('POST', '/topics', {
      name: 'orders',
      partitions: 2,
      config: { 'retention.ms': 86_400_000, 'max.message.bytes': '2000000' },
    })
    assert.equal(made.status, 201)
    assert.equal((await ask('POST', '/topics', { name: 'orders' })).status, 409)
    const wrong = await ask('POST', '/topics', { name: 'other', config: { 'retention.mz': 1 } })
    assert.equal(wrong.status, 400)
    assert.match(wrong.json.detail, /retention\.mz/)

    const settings = async () => {
      const { status, json } = await ask('GET', '/topics/orders')
      assert.equal(status, 200)
      // biome-ignore lint/suspicious/noExplicitAny: the schema was looked at.
      return new Map<string, any>(json.config.map((entry: { name: string }) => [entry.name, entry]))
    }
    const described = await settings()
    const { doc, ...retention } = described.get('retention.ms')
    assert.deepEqual(retention, {
      name: 'retention.ms',
      value: '86400000',
      isDefault: false,
      defaultValue: '-1',
      type: 'long',
    })
    assert.match(doc, /maximum time/)
    assert.doesNotMatch(described.get('cleanup.policy').doc, /<|>/)
    assert.equal(described.get('segment.ms').isDefault, true)
    assert.equal(described.get('segment.ms').defaultValue, '604800000')

    const config = { 'retention.ms': null, 'segment.ms': 3_600_000 }
    const changed = await ask('PATCH', '/topics/orders', { config, partitions: 5 })
    assert.equal(changed.status, 200)
    assert.equal(changed.json.partitions, 5)
    assert.equal(changed.json.bounds.length, 5)
    const now = await settings()
    assert.equal(now.get('retention.ms').isDefault, true)
    assert.equal(now.get('segment.ms').value, '3600000')
    assert.equal(now.get('segment.ms').isDefault, false)
    assert.equal(now.get('max.message.bytes').value, '2000000')
    for (const body of [
      { partitions: 4 },
      { config: { 'segment.ms': 'long' } },
      { config: { no: 1 } },
    ]) {
      assert.equal((await ask('PATCH', '/topics/orders', body)).status, 400, JSON.stringify(body))
    }
    assert.equal((await ask('PATCH', '/topics/nowhere', { config })).status, 404)

    const { json: page } = await ask('GET', '/topics?details=1')
    assert.deepEqual(
      page.topics.map(({ name, messages, bytes, isWhole, messagesIn, retentionMs }: never) => {
        return { name, messages, bytes, isWhole, messagesIn, retentionMs }
      }),
      [
        {
          name: 'orders',
          messages: 0,
          bytes: 0,
          isWhole: true,
          messagesIn: null,
          retentionMs: null,
        },
      ],
    )
    assert.equal((await ask('DELETE', '/topics/orders')).status, 204)
    assert.equal((await ask('GET', '/topics/orders')).status, 404)
    assert.deepEqual((await ask('GET', '/topics')).json, { topics: [] })
  })

  test('messages are sent, read, followed and deleted', async () => {
    await ask('POST', '/topics', { name: 'events', partitions: 2 })
    const events = await follow('events')
    const messages = [0, 1, 0, 0].map((partition, index) => ({
      partition,
      value: `event ${index}`,
    }))
    const sent = await ask('POST', '/topics/events/messages', { messages })
    assert.equal(sent.status, 201)
    assert.deepEqual(
      (await events(4)).sort(),
      messages.map(({ value }) => value),
    )
    const read = await ask('GET', '/topics/events/messages?last=2')
    assert.deepEqual(
      read.json.messages.map(({ offset, value }: never) => ({ offset, value })),
      [
        { offset: 1, value: 'event 2' },
        { offset: 2, value: 'event 3' },
      ],
    )
    const described = await ask('GET', '/topics/events')
    const [first] = described.json.bounds
    assert.deepEqual([first.startOffset, first.endOffset], [0, 3])
    assert(first.bytes > 0)

    const truncated = await ask('POST', '/topics/events/truncate', { partition: 0, before: 2 })
    assert.deepEqual(
      truncated.json.bounds.map(({ startOffset, endOffset }: never) => [startOffset, endOffset]),
      [
        [2, 3],
        [0, 1],
      ],
    )
    const beyond = await ask('POST', '/topics/events/truncate', { partition: 0, before: 9 })
    assert.equal(beyond.status, 416)
    assert.deepEqual([beyond.json.startOffset, beyond.json.endOffset], [2, 3])
    const emptied = await ask('POST', '/topics/events/truncate', {})
    assert.deepEqual(
      emptied.json.bounds.map(({ startOffset, endOffset }: never) => endOffset - startOffset),
      [0, 0],
    )
    assert.equal((await ask('DELETE', '/topics/events')).status, 204)
  })

  for (const protocol of ['classic', 'consumer'] as const) {
    test(`a group of Kafka's (${protocol}) has members, lag and offsets that are moved`, async (context) => {
      const [topic, group] = [`read-${protocol}`, `readers-${protocol}`]
      const place = `/groups/${group}/offsets/${topic}/0`
      await ask('POST', '/topics', { name: topic, partitions: 2 })
      const messages = Array.from({ length: 10 }, (_, index) => {
        return { partition: index % 2, value: String(index) }
      })
      await ask('POST', `/topics/${topic}/messages`, { messages })
      const consumer = await read(context, { topic, group, protocol })

      // Who speaks the newer protocol says some seconds later that it has what it was assigned.
      const described = await until(
        async () => (await ask('GET', `/groups/${group}`)).json,
        ({ state }) => state === 'Stable',
      )
      const [member] = described.members
      assert.equal(described.members.length, 1)
      assert.deepEqual([member.clientId, member.clientHost], ['reader', '127.0.0.1'])
      assert.deepEqual(
        member.assignment.map(({ topic: name, partitions }: never) => [
          name,
          [...(partitions as number[])].sort(),
        ]),
        [[topic, [0, 1]]],
      )
      assert.equal(described.protocolType, 'consumer')
      const rows = new Map<number, Record<string, unknown>>(
        described.offsets.map((row: { partition: number }) => [row.partition, row]),
      )
      const { lagMs, ...first } = rows.get(0) ?? {}
      assert.deepEqual(first, {
        topic,
        partition: 0,
        offset: 3,
        startOffset: 0,
        endOffset: 5,
        lag: 2,
        committedAt: null,
        metadata: '',
        isNative: false,
        memberId: member.memberId,
      })
      assert.equal(typeof lagMs, 'number')
      assert.deepEqual([rows.get(1)?.['offset'], rows.get(1)?.['lag']], [null, null])
      const { json: listed } = await ask('GET', '/groups')
      const row = listed.groups.find(({ name }: { name: string }) => name === group)
      assert.deepEqual(row, {
        name: group,
        state: 'Stable',
        protocolType: 'consumer',
        members: 1,
        topics: [topic],
        lag: 2,
      })
      const { json: page } = await ask('GET', '/topics?details=1')
      const details = page.topics.find(({ name }: { name: string }) => name === topic)
      assert.deepEqual(details.groups, [group])

      // While it is running it alone moves its offsets.
      const toStart = { topic, to: 'earliest' }
      assert.equal((await ask('POST', `/groups/${group}/reset`, toStart)).status, 409)
      assert.equal((await ask('PUT', place, { offset: 1 })).status, 409)
      assert.equal((await ask('DELETE', `/groups/${group}`)).status, 409)
      const dry = await ask('POST', `/groups/${group}/reset`, { ...toStart, dryRun: true })
      assert.deepEqual(
        dry.json.offsets.map(({ before, after: moved }: never) => [before, moved]),
        [
          [3, 0],
          [null, 0],
        ],
      )
      await consumer.close(true)
      assert.equal((await ask('GET', `/groups/${group}`)).json.state, 'Empty')
      const moved = await ask('POST', `/groups/${group}/reset`, { topic, to: 'latest' })
      assert.equal(moved.status, 200)
      assert.equal((await ask('GET', place)).json.offset, 5)
      const { json: level } = await ask('GET', `/groups/${group}`)
      assert.deepEqual(
        level.offsets.map(({ offset, lag, metadata }: never) => ({ offset, lag, metadata })),
        [
          { offset: 5, lag: 0, metadata: '' },
          { offset: 5, lag: 0, metadata: '' },
        ],
      )
      assert.equal((await ask('DELETE', `/groups/${group}`)).status, 204)
      assert.equal((await ask('GET', `/groups/${group}`)).status, 404)
      assert.equal((await ask('DELETE', `/groups/${group}`)).status, 404)
      await ask('DELETE', `/topics/${topic}`)
    })
  }

  test('what is committed natively is a group too', async () => {
    await ask('POST', '/topics', { name: 'bills' })
    await ask('POST', '/topics/bills/messages', { value: 'one' })
    assert.equal((await ask('PUT', '/groups/billing/offsets/bills/0', { offset: 0 })).status, 200)
    const { json } = await ask('GET', '/groups')
    assert.deepEqual(json.groups, [
      { name: 'billing', state: 'Empty', protocolType: '', members: 0, topics: ['bills'], lag: 1 },
    ])
  })

  test('figures of the gateway, and what the cluster tells of topics and groups', async () => {
    const { json: stats } = await ask('GET', '/stats')
    assert.equal(stats.clusterId, gateway.clusterId)
    assert.deepEqual(
      [stats.topics, stats.sync, stats.disk, stats.partitionsOpen, stats.dataDirectory],
      [1, null, null, null, null],
    )
    assert(stats.totals.messagesIn > 0)
    const response = await fetch(`${url}/metrics`)
    assert.equal(response.status, 200)
    const families = parseMetrics(await response.text())
    const value = (name: string) => families.get(name)?.samples[0]?.value
    assert.equal(value('kaska_topics'), 1)
    const lags = families.get('kaska_group_lag')?.samples ?? []
    assert.deepEqual(
      lags.map(({ labels, value: lag }) => [Object.fromEntries(labels), lag]),
      [[{ group: 'billing', topic: 'bills', partition: '0' }, 1]],
    )
    assert.equal(value('kaska_topic_messages'), 1)
    assert(Number(value('kaska_topic_bytes')) > 0)
    for (const unknown of [
      'kaska_open_partitions',
      'kaska_disk_used_bytes',
      'kaska_topic_bytes_in_total',
    ]) {
      assert.equal(value(unknown), undefined, unknown)
    }
    const connections = await ask('GET', '/connections')
    assert.equal(connections.status, 200)
  })

  test('the examples of openapi.json work', async () => {
    await ask('POST', '/topics', { name: 'orders', partitions: 2 })
    await walkExamples(url)
  })

  test('a broker that is killed is not missed; without any, the gateway says what it knows', async () => {
    await ask('POST', '/topics', { name: 'kept' })
    const [killed, ...others] = cluster.brokers
    await killed?.end('SIGKILL')
    const paths = ['/stats', '/groups', '/topics?details=1', '/topics/kept']
    for (const path of paths) assert.equal((await ask('GET', path)).status, 200, path)
    assert.equal((await fetch(`${url}/metrics`)).status, 200)

    await Promise.all(others.map((broker) => broker.end('SIGKILL')))
    const { status, json: stats } = await ask('GET', '/stats')
    assert.deepEqual([status, stats.topics], [200, null])
    const response = await fetch(`${url}/metrics`)
    assert.equal(response.status, 200)
    const families = parseMetrics(await response.text())
    assert.deepEqual(families.get('kaska_topics')?.samples, [])
    assert.equal(families.get('kaska_uptime_seconds')?.samples.length, 1)
    for (const path of ['/groups', '/topics', '/topics/kept']) {
      const problem = await ask('GET', path)
      assert.deepEqual([problem.status, problem.json.code], [503, 'CONNECTION'], path)
    }
  })

  /** What is asked for again and again until it is as it should be. */
  async function until<T>(read: () => Promise<T>, isThere: (value: T) => boolean): Promise<T> {
    for (;;) {
      const value = await read()
      if (isThere(value)) return value
      await setTimeout(50)
    }
  }

  /** The values of a tail, as they come. */
  async function follow(topic: string): Promise<(count: number) => Promise<string[]>> {
    const response = await fetch(`${url}/api/v1/topics/${topic}/tail`)
    assert.equal(response.status, 200)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const decoder = new TextDecoder()
    const more = async () => decoder.decode((await reader.read()).value, { stream: true })
    let text = await more()
    return async (count) => {
      const found = () => Array.from(text.matchAll(/^data: (.*)$/gm), ([, data]) => data ?? '')
      while (found().length < count) text += await more()
      await reader.cancel()
      return found().map((data) => JSON.parse(data).value)
    }
  }

  /** A consumer alone in its group, that has committed 3 in partition 0. */
  async function read(
    context: TestContext,
    wanted: {
      readonly topic: string
      readonly group: string
      readonly protocol: 'classic' | 'consumer'
    },
  ) {
    const { topic, group, protocol } = wanted
    const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
      clientId: 'reader',
      groupId: group,
      ...(protocol === 'classic' ? { groupProtocol: protocol } : { groupProtocol: protocol }),
      bootstrapBrokers: [bootstrap.split(',')[1] ?? ''],
    })
    context.after(() => void consumer.close(true).catch(() => {}))
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false })
    const messages = stream[Symbol.asyncIterator]()
    const seen = new Set<number>()
    // The stream stays: without one, it would leave.
    for (let isCommitted = false; !isCommitted || seen.size < 2; ) {
      const { value: message } = await messages.next()
      assert(message !== undefined)
      seen.add(message.partition)
      if (message.partition !== 0 || message.offset !== 2n) continue
      await message.commit()
      isCommitted = true
    }
    return consumer
  }
}
