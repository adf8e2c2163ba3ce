/**
 * The gateway without a cluster of Apache Kafka: how it is asked for, what it refuses, and what it says when
 * there is nobody. Where somebody has to answer, a Kaska broker is the cluster: it speaks Kafka's protocol too.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { ConnectionError, connect, InvalidArgumentError } from '@kaska/client'
import { type Engine, native } from '@kaska/protocol'
import { createBroker } from '../src/broker.ts'
import { createGateway } from '../src/gateway.ts'
import { startBroker } from '../src/testing.ts'
import { run, start, temporaryDirectory } from './cli-process.ts'
import { textOf } from './client-modes.ts'
import { FaultyProxy } from './faulty-proxy.ts'
import { dialKafkaPort } from './kafka-socket.ts'
import { dial } from './raw-client.ts'

const unreachable = 'kafka://ada:secret@127.0.0.1:1'

test('what a broker with logs of its own is told does not go with --engine, and why is said', async () => {
  const cases: [string[], RegExp][] = [
    [['--data', 'x'], /--data does not go with --engine: nothing is kept here/],
    [['--memory'], /--memory does not go with --engine: nothing is kept here/],
    [['--sync', 'os'], /--sync does not go with --engine: .*min\.insync\.replicas/],
    [['--config', 'num.partitions=3'], /--config does not go with --engine: .*own configuration/],
    [['--advertise', 'a:1'], /--advertise does not go with --engine: .*own brokers/],
  ]
  await Promise.all(
    cases.map(async ([args, message]) => {
      const { code, stdout, stderr } = await run(['serve', '--engine', unreachable, ...args])
      assert.match(stderr, message)
      assert.match(stderr, /^kaska: [^\n]*\n$/)
      assert.deepEqual([code, stdout], [2, ''])
    }),
  )
  const odd = await run(['serve', '--engine', 'http://b1:9092'])
  assert.match(odd.stderr, /^kaska: --engine: a cluster is named like kafka:/)
  assert.equal(odd.code, 2)
})

test('nobody there: an error that says what to do, without the password', async () => {
  await using directory = await temporaryDirectory()
  // What stands in the environment for a broker is weaker than --engine.
  const env = { KASKA_DATA: 'data', KASKA_SYNC: 'os' }
  const args = ['serve', '--port', '0', '--engine', unreachable]
  const { code, stdout, stderr } = await run(args, { env, cwd: directory.path })
  assert.match(stderr, /^kaska: no broker of the cluster answers: [^\n]*127\.0\.0\.1:1[^\n]*\n$/)
  assert.match(stderr, /; see that the cluster runs/)
  assert.doesNotMatch(stderr, /secret/)
  assert.deepEqual([code, stdout], [1, ''])
  assert.deepEqual(await readdir(directory.path), [])
})

test('a broker that says nothing is not waited for', async () => {
  const silent = createServer((socket) => socket.on('error', () => {}).resume())
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  await assert.rejects(
    createGateway({ engine: `kafka://127.0.0.1:${port}`, connectTimeoutMs: 1_000 }),
    (error) => error instanceof ConnectionError && /no answer in 1000 ms/.test(error.message),
  )
  silent.close()
})

test('without the package that speaks to clusters: the line that installs it', async () => {
  const hook = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) {
      if (name !== '@platformatic/kafka') return next(name, context)
      throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' })
    } })`
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` }
  const { code, stderr } = await run(['serve', '--engine', 'kafka://127.0.0.1:1'], { env })
  assert.match(stderr, /^kaska: [^\n]*npm install @platformatic\/kafka@[\d.]+\n$/)
  assert.equal(code, 1)
})

test('the ready line names the brokers; KASKA_ENGINE says it too; a signal stops it', async () => {
  await using directory = await temporaryDirectory()
  await using cluster = await startBroker()
  const brokers = `127.0.0.1:${cluster.port}`
  const env = { KASKA_ENGINE: `kafka://${brokers},127.0.0.1:1`, KASKA_TOPIC: 'orders:2' }
  const child = start(['--port', '0'], { env, cwd: directory.path })
  const [line] = await once(child.stdout ?? child, 'data')
  assert.match(
    String(line),
    new RegExp(
      `^kaska \\S+ ready on kaska://\\S+:\\d+, engine kafka://${brokers},127.0.0.1:1 \\(\\d+ ms\\)\\n$`,
    ),
  )
  const url = /kaska:\/\/[^\s,]+/.exec(String(line))?.[0] ?? ''
  const { stdout } = await run(['topic', 'list', '--json', '-b', url])
  assert.match(stdout, /^\{"name":"orders","id":"[\w-]{22}","partitions":2\}\n$/)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'close'), [0, null])
  assert.deepEqual(await readdir(directory.path), [])
})

test('its cluster id is that of the cluster, where everything is', async () => {
  await using cluster = await startBroker()
  await using gateway = await createGateway({ engine: `kafka://127.0.0.1:${cluster.port}` })
  assert.equal(gateway.clusterId, cluster.broker.clusterId)
  assert.deepEqual(gateway.engine.capabilities, { kind: 'kafka', retriesSurviveCrash: true })
  const { url } = await gateway.listen({ port: 0 })
  {
    await using near = await connect(url)
    await near.createTopic('orders')
    await near.send('orders', 'hello')
  }
  await using far = await connect(cluster.url)
  await far.subscribe(['orders'])
  await far.seek('orders', 0)
  assert.equal(textOf(await far.poll({ timeoutMs: 5_000 })), 'hello')
})

test('a program in its process reads and sends without a socket', async () => {
  await using cluster = await startBroker()
  const engine = `kafka://127.0.0.1:${cluster.port}`
  await using gateway = await createGateway({ engine, topics: [{ name: 'orders' }] })
  await using client = await connect(gateway)
  await client.subscribe(['orders'])
  await client.send('orders', 'hello')
  assert.equal(textOf(await client.poll({ timeoutMs: 5_000 })), 'hello')
})

test('there is nothing to advertise', async () => {
  await using cluster = await startBroker()
  await using gateway = await createGateway({ engine: `kafka://127.0.0.1:${cluster.port}` })
  const advertise = { host: 'a', port: 1 }
  await assert.rejects(gateway.listen({ port: 0, advertise }), InvalidArgumentError)
})

test('its end answers a poll that waits, and more ports are refused', async () => {
  await using cluster = await startBroker()
  const engine = `kafka://127.0.0.1:${cluster.port}`
  const gateway = await createGateway({ engine, topics: [{ name: 'orders' }] })
  const { port } = await gateway.listen({ port: 0 })
  const client = await dial(port)
  const waiting = client.poll(await client.resolve('orders'), 0, 60_000)
  await client.call(native.operation.ping)
  await gateway.close()
  // A connection that is not answered in time would be closed without a word.
  assert.deepEqual((await waiting).batches, [])
  await client.closed
  await assert.rejects(gateway.listen({ port: 0 }), /closed/)
})

test('a port may be closed by several at once, and the gateway waits for that', async () => {
  await using cluster = await startBroker()
  const engine = `kafka://127.0.0.1:${cluster.port}`
  const gateway = await createGateway({ engine, topics: [{ name: 'orders' }] })
  const listening = await gateway.listen({ port: 0 })
  const client = await dial(listening.port)
  const waiting = client.poll(await client.resolve('orders'), 0, 60_000)
  using kafka = dialKafkaPort(listening.port)
  await kafka.ask(3, 12, { topics: [] })
  await Promise.all([listening.close(), listening.close(), gateway.close()])
  assert.deepEqual((await waiting).batches, [])
  await listening.close()
})

/** Resolves when the engine has asked its cluster for a send and a count in vain. */
function askedInVain(engine: Engine): Promise<unknown> {
  const send = engine.send.bind(engine)
  const topicCount = engine.topicCount.bind(engine)
  const sent = new Promise<void>((resolve) => {
    engine.send = async (...args) => {
      const results = await send(...args)
      if (results.some(({ error }) => error instanceof ConnectionError)) resolve()
      return results
    }
  })
  const counted = new Promise<void>((resolve) => {
    engine.topicCount = (...args) => {
      const count = topicCount(...args)
      count.catch(() => resolve())
      return count
    }
  })
  return Promise.all([sent, counted])
}

test('a cluster that is away for a while is waited for', async () => {
  await using directory = await temporaryDirectory()
  // The cluster is known by a port that stays, whatever port it has had.
  await using door = await FaultyProxy.start(0)
  const open = async () => {
    const broker = await createBroker({ data: directory.path, sync: 'os' })
    const advertise = { host: '127.0.0.1', port: door.port }
    const { port } = await broker.listen({ port: 0, advertise })
    door.brokerPort = port
    return broker
  }
  let cluster = await open()
  try {
    const engine = `kafka://127.0.0.1:${door.port}`
    await using gateway = await createGateway({ engine, topics: [{ name: 'orders' }] })
    const { url } = await gateway.listen({ port: 0 })
    await using client = await connect(url)
    await client.subscribe(['orders'])
    await client.send('orders', 'before')
    door.refuse(true)
    await cluster.close()
    const inVain = askedInVain(gateway.engine)
    const sending = client.send('orders', 'meanwhile')
    const counting = client.topicCount()
    await inVain
    cluster = await open()
    door.refuse(false)
    assert.deepEqual([(await sending).offset, await counting], [1, 1])
    assert.equal(textOf(await client.poll({ timeoutMs: 10_000 })), 'before')
    assert.equal(textOf(await client.poll({ timeoutMs: 10_000 })), 'meanwhile')
  } finally {
    await cluster.close()
  }
})
