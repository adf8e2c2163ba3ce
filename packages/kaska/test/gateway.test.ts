/**
 * The gateway without a cluster of Apache Kafka: how it is asked for, what it refuses, and what it says when
 * there is nobody. Where somebody has to answer, a Kaska broker is the cluster: it speaks Kafka's protocol too.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ConnectionError, connect, InvalidArgumentError } from '@kaska/client'
import { createGateway } from '../src/gateway.ts'
import { startBroker } from '../src/testing.ts'
import { run, start, temporaryDirectory } from './cli-process.ts'
import { textOf } from './client-modes.ts'

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

test('nobody there: an error within 5 s that says what to do, without the password', async () => {
  await using directory = await temporaryDirectory()
  // What stands in the environment for a broker is weaker than --engine.
  const env = { KASKA_DATA: 'data', KASKA_SYNC: 'os' }
  const began = performance.now()
  const args = ['serve', '--port', '0', '--engine', unreachable]
  const { code, stdout, stderr } = await run(args, { env, cwd: directory.path })
  assert.ok(performance.now() - began < 5_000)
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

test('its end ends a poll that waits, at once, and more ports are refused', async () => {
  await using cluster = await startBroker()
  const engine = `kafka://127.0.0.1:${cluster.port}`
  const gateway = await createGateway({ engine, topics: [{ name: 'orders' }] })
  const { url } = await gateway.listen({ port: 0 })
  await using client = await connect(url, { requestTimeoutMs: 500 })
  await client.subscribe(['orders'])
  const waiting = client.poll({ timeoutMs: 60_000 })
  waiting.catch(() => {})
  await client.topicCount()
  const began = performance.now()
  await gateway.close()
  assert.ok(performance.now() - began < 2_000)
  await assert.rejects(waiting, ConnectionError)
  await assert.rejects(gateway.listen({ port: 0 }), /closed/)
})

test('a cluster that is away for a while is waited for', async () => {
  await using directory = await temporaryDirectory()
  const where = { data: directory.path, sync: 'os' } as const
  let cluster = await startBroker(where)
  const { port } = cluster
  const engine = `kafka://127.0.0.1:${port}`
  await using gateway = await createGateway({ engine, topics: [{ name: 'orders' }] })
  const { url } = await gateway.listen({ port: 0 })
  await using client = await connect(url)
  await client.subscribe(['orders'])
  await client.send('orders', 'before')
  await cluster.close()
  const sending = client.send('orders', 'meanwhile')
  const counting = client.topicCount()
  // Both have been asked of the cluster, in vain.
  await delay(200)
  cluster = await startBroker({ ...where, port })
  try {
    assert.deepEqual([(await sending).offset, await counting], [1, 1])
    assert.equal(textOf(await client.poll({ timeoutMs: 10_000 })), 'before')
    assert.equal(textOf(await client.poll({ timeoutMs: 10_000 })), 'meanwhile')
  } finally {
    await client.close()
    await cluster.close()
  }
})
