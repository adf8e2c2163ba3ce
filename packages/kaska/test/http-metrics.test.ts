/** /metrics as Prometheus reads it: a strict parser of the text format, and counters that move. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connect } from '@kaska/client'
import { topicNameOf } from '@kaska/protocol'
import { type BrokerOptions, createBroker } from '../src/broker.ts'
import { metricTable } from '../src/http/metric-table.ts'
import { histogramText, sampleText } from '../src/http/metrics-text.ts'
import { dialKafkaPort } from './kafka-socket.ts'
import { type Family, parseMetrics } from './prometheus-text.ts'

async function start(context: TestContext, options: BrokerOptions = { memory: true }) {
  const broker = await createBroker(options)
  context.after(() => broker.close())
  const { port } = await broker.listen({ port: 0 })
  const client = await connect(`kaska://127.0.0.1:${port}`, { clientId: 'shop' })
  context.after(() => client.close())
  const scrape = async (): Promise<Map<string, Family>> => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`)
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    return parseMetrics(await response.text())
  }
  return { broker, port, client, scrape }
}

function sampleOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name.replace(/_(bucket|sum|count)$/, '')) ?? families.get(name)
  const found = family?.samples.find((sample) => {
    const isSame = Object.entries(labels).every(([key, value]) => sample.labels.get(key) === value)
    return sample.name === name && isSame && sample.labels.size === Object.keys(labels).length
  })
  return found?.value
}

test('every metric of the table is there, with its type and no other labels', async (context) => {
  const { scrape, client } = await start(context, {
    memory: true,
    topics: [{ name: 'orders' }],
  })
  await client.send('orders', { value: 'x' })
  const families = await scrape()
  assert.deepEqual(
    [...families.keys()],
    metricTable.map(({ name }) => name),
  )
  for (const { name, type, help, labels } of metricTable) {
    const family = families.get(name)
    assert.equal(family?.type, type)
    assert.equal(family?.help, help)
    for (const sample of family?.samples ?? []) {
      const names = [...sample.labels.keys()].filter((label) => label !== 'le')
      assert.deepEqual(names, [...labels])
    }
    // Prometheus' conventions: counters are totals, times are in seconds.
    assert.equal(name.endsWith('_total'), type === 'counter', name)
    assert(!/_(ms|milliseconds|kb|mb)(_|$)/.test(name), name)
  }
})

test('counters move with the traffic of both protocols', async (context) => {
  const { scrape, client, port } = await start(context, {
    memory: true,
    topics: [{ name: 'orders' }],
  })
  for (let index = 0; index < 5; index++) await client.send('orders', { value: 'x' })
  const first = await scrape()
  const send = { protocol: 'native', operation: 'send' }
  assert.equal(sampleOf(first, 'kaska_messages_in_total'), 5)
  assert.equal(sampleOf(first, 'kaska_requests_total', send), 5)
  assert.equal(sampleOf(first, 'kaska_request_duration_seconds_count', send), 5)
  assert.equal(sampleOf(first, 'kaska_topic_messages', { topic: 'orders' }), 5)
  assert.equal(sampleOf(first, 'kaska_topic_messages_in_total', { topic: 'orders' }), 5)
  assert.equal(sampleOf(first, 'kaska_connections', { protocol: 'native' }), 1)
  assert.equal(sampleOf(first, 'kaska_requests_total', { ...send, protocol: 'kafka' }), undefined)

  using kafka = dialKafkaPort(port)
  const fetchOf = (topic: string) => ({
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1e6,
    topics: [{ topic, partitions: [{ partition: 0, partitionMaxBytes: 1e6 }] }],
  })
  await kafka.ask(1, 12, fetchOf('orders'))
  await kafka.ask(1, 12, fetchOf('none'))
  const second = await scrape()
  const fetched = { protocol: 'kafka', operation: 'Fetch' }
  assert.equal(sampleOf(second, 'kaska_messages_out_total'), 5)
  assert.equal(sampleOf(second, 'kaska_topic_messages_out_total', { topic: 'orders' }), 5)
  assert.equal(sampleOf(second, 'kaska_requests_total', fetched), 2)
  assert.equal(sampleOf(second, 'kaska_request_failures_total', fetched), 1)
  assert.equal(sampleOf(second, 'kaska_connections', { protocol: 'kafka' }), 1)
  const http = { protocol: 'http', operation: 'GET /metrics' }
  assert.equal(sampleOf(second, 'kaska_requests_total', http), 1)
})

test('the lag of groups, native and with metadata of all kinds', async (context) => {
  const { broker, scrape, client } = await start(context, {
    memory: true,
    topics: [{ name: 'orders', partitions: 3 }],
  })
  for (let index = 0; index < 5; index++) {
    await client.send('orders', { value: 'x', partition: index % 2 })
  }
  const group = 'a "group"\nwith \\ everything'
  const asking = { principal: null, clientId: '', address: 'test' }
  const [topic] = await broker.engine.resolve([topicNameOf('orders')], asking)
  assert(topic !== undefined)
  const commits = [1, 2, 0].map((offset, partition) => ({ topic: topic.id, partition, offset }))
  await broker.engine.commit(group, commits, asking)
  const families = await scrape()
  const labels = { group, topic: 'orders' }
  assert.equal(sampleOf(families, 'kaska_group_lag', { ...labels, partition: '0' }), 2)
  assert.equal(sampleOf(families, 'kaska_group_lag', { ...labels, partition: '1' }), 0)
  // Nobody has ever used it.
  assert.equal(sampleOf(families, 'kaska_group_lag', { ...labels, partition: '2' }), 0)
  assert.equal(sampleOf(families, 'kaska_group_lags_left_out'), 0)
  assert.equal(broker.openPartitions, 2)
})

test('series are bounded: topics and names beyond the limits are counted', async (context) => {
  const topics = Array.from({ length: 205 }, (_, index) => ({ name: `topic-${index}` }))
  const { scrape } = await start(context, {
    memory: true,
    topics: [{ name: 'x'.repeat(5000) }, ...topics],
  })
  const families = await scrape()
  assert.equal(families.get('kaska_topic_messages')?.samples.length, 200)
  assert.equal(sampleOf(families, 'kaska_topics_left_out'), 6)
  assert.equal(sampleOf(families, 'kaska_topics'), 206)
})

test('those that ask together share an answer, and later ones get another', async (context) => {
  const { scrape } = await start(context)
  const [one, other] = await Promise.all([scrape(), scrape()])
  const third = await scrape()
  assert.equal(one.size, other.size)
  const uptime = (families: Map<string, Family>) => sampleOf(families, 'kaska_uptime_seconds') ?? 0
  assert(uptime(third) > uptime(one))
})

test('labels and numbers are written as the format has them', () => {
  const family = (text: string) => parseMetrics(`# HELP a b\n# TYPE a gauge\n${text}`).get('a')
  for (const value of ['', '"', '\\', '\n', '\\n', 'ä€𝄞', ' }{,=', '\u0000\r']) {
    const [sample] =
      family(sampleText('a', { labels: { x: value, y: 'z' }, value: 1 }))?.samples ?? []
    assert.equal(sample?.labels.get('x'), value)
  }
  for (const value of [0, -1.5, 1e300, 1e-7, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.equal(family(sampleText('a', { value }))?.samples[0]?.value, value)
  }
  const text = histogramText('a', { buckets: [{ bound: 0.1, count: 1 }], count: 2, sum: 0.5 })
  assert.equal(parseMetrics(`# HELP a b\n# TYPE a histogram\n${text}`).get('a')?.samples.length, 4)
})
