/** What the broker says of itself over HTTP: /stats, the details of topics, and who is connected. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { connect } from '@kaska/client'
import { native, topicNameOf } from '@kaska/protocol'
import { WebSocket as WebSocketClient } from 'ws'
import { certificate, privateKey } from '../../client/test/test-certificate.ts'
import { type Broker, type BrokerOptions, createBroker, type ListenOptions } from '../src/broker.ts'
import { dialKafkaPort, kafkaOver } from './kafka-socket.ts'
import { dial, sendPart } from './raw-client.ts'

// What is answered is looked at as it comes.
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Json = any

interface Started {
  readonly broker: Broker
  readonly port: number
  get(path: string): Promise<Json>
}

async function start(
  context: TestContext,
  options: BrokerOptions = { memory: true },
  listenOptions: ListenOptions = {},
) {
  const broker = await createBroker({ topics: [{ name: 'orders', partitions: 2 }], ...options })
  context.after(() => broker.close())
  const { port } = await broker.listen({ port: 0, ...listenOptions })
  const get = async (at: string): Promise<Json> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1${at}`)
    assert.equal(response.status, 200)
    return await response.json()
  }
  return { broker, port, get } satisfies Started
}

test('/stats: the broker at a glance', async (context) => {
  const { get } = await start(context)
  const stats = await get('/stats')
  assert.equal(stats.topics, 1)
  assert.equal(stats.dataDirectory, null)
  assert.equal(stats.disk, null)
  assert.equal(stats.sync, 'always')
  assert.match(stats.software, /^kaska \d/)
  assert.equal(stats.clusterId.length, 22)
  assert.deepEqual(stats.connections, { native: 0, kafka: 0, http: 1, websocket: 0 })
  assert(stats.memory.rssBytes > 1e6 && stats.memory.budgetTotalBytes > 1e6)
  assert(stats.uptimeMs >= 0 && Math.abs(stats.time - Date.now()) < 60_000)
  assert.deepEqual(Object.keys(stats.eventLoop), ['p50Ms', 'p99Ms', 'maxMs'])
})

test('/stats counts messages and requests of both protocols', async (context) => {
  const { get, port } = await start(context)
  const client = await connect(`kaska://127.0.0.1:${port}`, { clientId: 'shop' })
  context.after(() => client.close())
  for (let index = 0; index < 10; index++) await client.send('orders', { value: `${index}` })
  const before = await get('/stats')
  assert.equal(before.totals.messagesIn, 10)
  assert(before.totals.bytesIn > 10 * 61)
  assert.equal(before.totals.messagesOut, 0)
  const send = before.latency.find((each: Json) => each.operation === 'send')
  assert.deepEqual([send.protocol, send.count], ['native', 10])
  assert(send.p50Ms > 0 && send.p50Ms <= send.p99Ms && send.p99Ms <= send.maxMs)

  using kafka = dialKafkaPort(port)
  await kafka.ask(18, 3, { clientSoftwareName: 'test-client', clientSoftwareVersion: '1.2' })
  const { brokers } = await kafka.ask(3, 9, { topics: [{ name: 'orders' }] })
  assert.equal(brokers.length, 1)
  const fetched = await kafka.ask(1, 12, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1e6,
    topics: [{ topic: 'orders', partitions: [{ partition: 0, partitionMaxBytes: 1e6 }] }],
  })
  assert.equal(fetched.errorCode, 0)
  const after = await get('/stats')
  const page = await get('/topics?details=1')
  const [orders] = page.topics
  assert.equal(orders.messages, 10)
  assert.equal(orders.messagesIn, 10)
  assert.equal(orders.messagesOut, after.totals.messagesOut)
  assert(after.totals.messagesOut > 0)
  assert(after.totals.requests >= before.totals.requests + 3)
  assert(
    after.latency.some((each: Json) => each.protocol === 'kafka' && each.operation === 'Fetch'),
  )
  assert.deepEqual(after.connections, { native: 1, kafka: 1, http: 1, websocket: 0 })
})

test('/topics?details=1: settings and readers beside the figures', async (context) => {
  const { broker, get } = await start(context, {
    memory: true,
    topics: [
      { name: 'orders', config: { 'retention.ms': '5000', 'retention.bytes': '700' } },
      { name: 'billing', config: { 'cleanup.policy': '', 'retention.ms': '5000' } },
      { name: 'idle' },
    ],
  })
  const client = await connect(broker)
  context.after(() => client.close())
  await client.send('orders', { value: 'x' })
  const asking = { principal: null, clientId: '', address: 'test' }
  const [orders] = await broker.engine.resolve([topicNameOf('orders')], asking)
  assert(orders !== undefined)
  for (const name of ['one', 'two']) {
    await broker.engine.commit(name, [{ topic: orders.id, partition: 0, offset: 1 }], asking)
  }
  const { topics } = await get('/topics?details=1')
  const rows = topics.map(({ name, retentionMs, retentionBytes, groups, messages }: Json) => {
    return { name, retentionMs, retentionBytes, groups, messages }
  })
  const nothing = { retentionMs: null, retentionBytes: null, groups: [], messages: 0 }
  assert.deepEqual(rows, [
    { name: 'orders', retentionMs: 5000, retentionBytes: 700, groups: ['one', 'two'], messages: 1 },
    { name: 'billing', ...nothing },
    { name: 'idle', ...nothing },
  ])
  assert.deepEqual(Object.keys((await get('/topics')).topics[0]), ['name', 'id', 'partitions'])
})

test('/connections: who is connected, with what, and what went wrong', async (context) => {
  const { get, port } = await start(context)
  const client = await connect(`kaska://127.0.0.1:${port}`, { clientId: 'shop' })
  context.after(() => client.close())
  await client.send('orders', { value: 'x' })
  await assert.rejects(client.describeTopic('missing'))
  using kafka = dialKafkaPort(port)
  await kafka.ask(18, 3, { clientSoftwareName: 'test-client', clientSoftwareVersion: '1.2' })
  await kafka.ask(1, 12, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1e6,
    topics: [{ topic: 'none', partitions: [{ partition: 0, partitionMaxBytes: 1e6 }] }],
  })
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'kaska')
  context.after(() => webSocket.close())
  await new Promise((resolve) => webSocket.addEventListener('open', resolve))

  const { connections } = await get('/connections')
  const of = (protocol: string) => connections.find((each: Json) => each.protocol === protocol)
  const native = of('native')
  assert.equal(native.clientId, 'shop')
  assert.equal(native.isTls, false)
  assert.match(native.address, /^127\.0\.0\.1:\d+$/)
  assert(native.bytesIn > 0 && native.bytesOut > 0)
  assert(native.lastRequestAt >= native.connectedAt - 1)
  const describe = native.requests.find((each: Json) => each.operation === 'describeTopic')
  assert.deepEqual(describe, { operation: 'describeTopic', count: 1, failures: 1 })
  assert.match(native.lastError.text, /^describeTopic: there is no topic 'missing'/)
  const other = of('kafka')
  assert.equal(other.clientId, 'test')
  assert.equal(other.software, 'test-client 1.2')
  assert.equal(other.lastError.text, 'Fetch: UNKNOWN_TOPIC_OR_PARTITION')
  assert(of('http').bytesIn > 0)
  assert.equal(of('websocket').software, 'node')
})

test('a connection that this side ends is noted', async (context) => {
  const { get, port } = await start(context)
  const socket = connectSocket(port, '127.0.0.1')
  socket.write('KSK\u0001\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff')
  socket.resume()
  await new Promise((resolve) => socket.on('close', resolve))
  const { connections, refused } = await get('/connections')
  assert.equal(connections.length, 1)
  assert.equal(refused.length, 1)
  assert.equal(refused[0].protocol, 'native')

  const stranger = connectSocket(port, '127.0.0.1')
  stranger.on('error', () => {})
  stranger.write('\u0016\u0003\u0001')
  await new Promise((resolve) => stranger.on('close', resolve))
  const [newest] = (await get('/connections')).refused
  assert.equal(newest.protocol, 'unknown')
  assert.match(newest.text, /^it speaks TLS, and the broker has no certificate/)
})

async function secureWebSocket(port: number): Promise<WebSocketClient> {
  const webSocket = new WebSocketClient(`wss://localhost:${port}/ws`, 'kaska', { ca: certificate })
  await once(webSocket, 'open')
  return webSocket
}

test('what comes over TLS is shown as such', async (context) => {
  const tlsOptions = { cert: certificate, key: privateKey }
  const { port, get } = await start(context, { memory: true }, { tls: tlsOptions })
  const socket = tls.connect({ host: '127.0.0.1', port, ca: certificate, servername: 'localhost' })
  context.after(() => socket.destroy())
  const kafka = kafkaOver(socket)
  await kafka.ask(18, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' })
  const webSocket = await secureWebSocket(port)
  context.after(() => webSocket.terminate())
  const { connections } = await get('/connections')
  const shown = connections.map(({ protocol, isTls }: Json) => [protocol, isTls])
  assert.deepEqual(shown, [
    ['kafka', true],
    ['websocket', true],
    ['http', false],
  ])
})

test('sizes of topics need no open logs', async (context) => {
  const data = mkdtempSync(path.join(tmpdir(), 'kaska-stats-'))
  context.after(() => rmSync(data, { recursive: true }))
  const first = await createBroker({ data, topics: [{ name: 'orders', partitions: 3 }] })
  const client = await connect(first)
  for (let index = 0; index < 20; index++) {
    await client.send('orders', { value: `${index}`, partition: index % 2 })
  }
  await client.close()
  await first.close()

  const { broker, get } = await start(context, { data, topics: [] })
  const { topics } = await get('/topics?details=1')
  const [orders] = topics
  assert.equal(orders.messages, 20)
  assert(orders.bytes > 20 * 61)
  assert.equal(orders.messagesIn, 0)
  const stats = await get('/stats')
  assert.equal(stats.disk.usedBytes, orders.bytes)
  assert(stats.disk.freeBytes > 0)
  assert.equal(broker.openPartitions, 0)
  assert.equal(stats.dataDirectory, data)
})

test('a request that fails for a part of it counts as failed', async (context) => {
  const { port, get } = await start(context)
  const client = await dial(port)
  context.after(() => client.destroy())
  const ref = await client.resolve('orders')
  await client.poll(ref, 0)
  await client.poll(ref, 999)
  await client.ask(native.operation.send, (writer) => {
    native.writeSendRequest(writer, [
      sendPart(ref, [new Uint8Array(1)], 0),
      sendPart(ref, [new Uint8Array(1)], 9),
    ])
  })
  const { connections } = await get('/connections')
  const shown = connections.find(({ protocol }: Json) => protocol === 'native')
  assert.deepEqual(shown.requests, [
    { operation: 'resolve', count: 1, failures: 0 },
    { operation: 'poll', count: 2, failures: 1 },
    { operation: 'send', count: 1, failures: 1 },
  ])
  assert.match(shown.lastError.text, /^send: .*no partition 9/)
  assert.equal((await get('/stats')).totals.failures, 2)
})
