/**
 * The gateway to three brokers of Apache Kafka, as a process: the command line through it, Kafka clients that
 * bootstrap there, and what happens when a broker behind it, or the gateway itself, is killed.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect as connectSocket } from 'node:net'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '@kaska/client'
import { joinChunks, noTopicId } from '@kaska/protocol'
import { Consumer, Producer } from '@platformatic/kafka'
import type { ApacheKafkaCluster } from '../../../compat/lib/apache-kafka-cluster.ts'
import { freePorts } from '../../../compat/lib/broker-process.ts'
import { batchOf } from './batches.ts'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'
import { textOf } from './client-modes.ts'
import { encodeBatch, KafkaTestClient, valuesOf } from './kafka-client.ts'
import { throughOutage } from './outage.ts'
import { startCluster } from './start-cluster.ts'

const [produce, fetch, metadata, apiVersions] = [0, 1, 3, 18]

/** How long there is sending before and after what happens. */
const phaseMs = 1_000

const cluster = await startCluster()
if (typeof cluster === 'string') test('three brokers of Apache Kafka', { skip: cluster }, () => {})
else {
  after(() => cluster.stop())
  test('the command line works through it, and nothing is kept where it runs', () =>
    commandLine(cluster))
  test('a Kafka client that comes there is sent to the brokers of the cluster', (t) =>
    sentOn(cluster, t))
  test("@platformatic/kafka's producer and consumer bootstrap there", () => bootstrapped(cluster))
  test('its stop takes a moment, whatever is under way', () => stopped(cluster))
  test('the gateway is killed, again and again: each message once, in order', (t) =>
    gatewayKilled(cluster, t))
  test('a broker behind it is killed: each message once, in order', (t) => brokerKilled(cluster, t))
}

const engineOf = ({ bootstrap }: ApacheKafkaCluster) => ['--engine', `kafka://${bootstrap}`]

async function commandLine(cluster: ApacheKafkaCluster): Promise<void> {
  await using directory = await temporaryDirectory()
  const cwd = directory.path
  await using gateway = await ServeProcess.start(
    [...engineOf(cluster), '--topic', 'first:2', '--topic', 'first:3'],
    { cwd },
  )
  assert.match(
    gateway.ready,
    new RegExp(`ready on \\S+, engine kafka://${cluster.bootstrap} \\(\\d+ ms\\)\\n$`),
  )
  const run = async (args: string[], input?: string) => {
    const options = input === undefined ? { cwd } : { cwd, input }
    const { code, stdout, stderr } = await gateway.run(args, options)
    assert.equal(code, 0, stderr)
    return stdout
  }
  const { partitions } = JSON.parse(await run(['topic', 'describe', 'first', '--json']))
  assert.equal(partitions.length, 2)
  await run(['topic', 'create', 'orders'])
  assert.equal(await run(['topic', 'list', '-q']), 'first\norders\n')
  const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index}\n`).join('')
  await run(['produce', 'orders'], lines)
  assert.equal(await run(['consume', 'orders', '-o', 'start', '-e']), lines)
  await run(['offset', 'commit', 'billing', 'orders', '7'])
  assert.equal(await run(['offset', 'committed', 'billing', 'orders']), '7\n')
  const next = await run(['consume', 'orders', '--as', 'billing', '-n', '1'])
  assert.equal(next, 'line 7\n')
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null })
  assert.deepEqual(await readdir(cwd), [])
}

async function dialKafka(port: number) {
  const socket = connectSocket(port, '127.0.0.1')
  const client = new KafkaTestClient((chunks) => socket.write(joinChunks(chunks)))
  socket.on('data', (chunk) => client.received(chunk))
  socket.on('error', () => {})
  socket.on('close', () => client.ended())
  await once(socket, 'connect')
  return Object.assign(client, { [Symbol.dispose]: () => void socket.destroy() })
}

async function sentOn(cluster: ApacheKafkaCluster, t: TestContext): Promise<void> {
  await using gateway = await ServeProcess.start([...engineOf(cluster), '--topic', 'sent-on'])
  using client = await dialKafka(gateway.port)
  const { apiKeys } = await client.ask(apiVersions, 3, {
    clientSoftwareName: 'test',
    clientSoftwareVersion: '1',
  })
  t.diagnostic(`${apiKeys.length} APIs`)
  const wanted = { topics: [{ name: 'sent-on', topicId: noTopicId }] }
  const { brokers, topics } = await client.ask(metadata, 12, wanted)
  assert.deepEqual(
    brokers.map(({ port }: { port: number }) => port).sort(),
    cluster.brokers.map(({ port }) => port).sort(),
  )
  const { leaderId } = topics[0].partitions[0]
  const leader = brokers.find(({ nodeId }: { nodeId: number }) => nodeId === leaderId)
  using broker = await dialKafka(leader.port)
  const partitionData = [{ index: 0, records: encodeBatch(batchOf(['hello'])) }]
  const answer = await broker.ask(produce, 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: 'sent-on', partitionData }],
  })
  assert.equal(answer.responses[0].partitionResponses[0].errorCode, 0)
  const fetched = await broker.ask(fetch, 12, {
    maxWaitMs: 5_000,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [
      {
        topic: 'sent-on',
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }],
      },
    ],
  })
  assert.deepEqual(valuesOf(fetched.responses[0].partitions[0].records), [[0, 'hello']])

  // Native clients see what Kafka clients have sent.
  await using near = await connect(gateway.url)
  await near.subscribe(['sent-on'])
  near.seek('sent-on', 0)
  assert.equal(textOf(await near.poll({ timeoutMs: 10_000 })), 'hello')
}

async function bootstrapped(cluster: ApacheKafkaCluster): Promise<void> {
  await using gateway = await ServeProcess.start([...engineOf(cluster), '--topic', 'theirs:3'])
  const base = { clientId: 'test', bootstrapBrokers: [`127.0.0.1:${gateway.port}`] }
  const producer = new Producer(base)
  const values = Array.from({ length: 30 }, (_, index) => `message ${index}`)
  await producer.send({
    messages: values.map((value) => ({ topic: 'theirs', value: Buffer.from(value) })),
  })
  await producer.close()
  const consumer = new Consumer({ ...base, groupId: 'readers', maxWaitTime: 200 })
  const stream = await consumer.consume({ topics: ['theirs'], mode: 'earliest', autocommit: false })
  const found: string[] = []
  for await (const { value } of stream) {
    found.push(String(value))
    if (found.length === values.length) break
  }
  await consumer.close(true)
  assert.deepEqual(found.sort(), values.sort())
}

async function stopped(cluster: ApacheKafkaCluster): Promise<void> {
  await using gateway = await ServeProcess.start([...engineOf(cluster), '--topic', 'stopped'])
  const { url } = gateway
  await using client = await connect(url, { requestTimeoutMs: 500, deliveryTimeoutMs: 1_000 })
  await client.subscribe(['stopped'])
  const waiting = client.poll({ timeoutMs: 60_000 })
  waiting.catch(() => {})
  using kafka = await dialKafka(gateway.port)
  await kafka.ask(metadata, 12, { topics: [] })
  await client.topicCount()
  const sends = Array.from({ length: 1_000 }, (_, index) => client.send('stopped', `${index}`))
  for (const send of sends) send.catch(() => {})
  const began = performance.now()
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null })
  assert.ok(performance.now() - began < 5_000)
  await Promise.allSettled([...sends, waiting])
}

async function gatewayKilled(cluster: ApacheKafkaCluster, t: TestContext): Promise<void> {
  const [port = 0] = await freePorts(1)
  const args = [...engineOf(cluster), '--port', String(port)]
  let gateway = await ServeProcess.start(args)
  try {
    await throughOutage(t, gateway.url, 'gateway-killed', async () => {
      for (let round = 0; round < 5; round++) {
        await delay(phaseMs / 2)
        await gateway.stop('SIGKILL')
        gateway = await ServeProcess.start(args)
      }
      await delay(phaseMs)
    })
  } finally {
    await gateway.stop()
  }
}

async function brokerKilled(cluster: ApacheKafkaCluster, t: TestContext): Promise<void> {
  await using gateway = await ServeProcess.start(engineOf(cluster))
  const [broker] = cluster.brokers
  assert.ok(broker !== undefined)
  await throughOutage(t, gateway.url, 'broker-killed', async () => {
    await delay(phaseMs)
    await broker.end('SIGKILL')
    await delay(2 * phaseMs)
    await broker.start()
    await delay(phaseMs)
  })
}
