/**
 * Nothing lost and nothing twice, whatever happens to the connection and to the broker: what a client
 * sends again is in the log once, and a reader goes on where it stood.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { type Client, ConnectionError, connect, UnknownTopicError } from '@kaska/client'
import { freePorts } from '../../../compat/lib/broker-process.ts'
import { startBroker } from '../src/testing.ts'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'
import { textOf } from './client-modes.ts'
import { FaultyProxy } from './faulty-proxy.ts'

/** A port for a broker that comes back on it. */
async function portToKeep(): Promise<string> {
  return (await freePorts(1)).join()
}

/** All values of a topic's first partition. */
async function valuesOf(client: Client, topic: string): Promise<string[]> {
  const end = await client.endOffset(topic)
  await client.subscribe([topic])
  client.seek(topic, 0)
  const values: string[] = []
  while (client.position(topic) < end) values.push(textOf(await client.poll({ timeoutMs: 5000 })))
  client.unsubscribe()
  return values
}

test('the answer is lost: the same message, sent again, is in the log once', async () => {
  await using kaska = await startBroker()
  await using proxy = await FaultyProxy.start(kaska.port)
  await using client = await connect(proxy.url)
  await client.createTopic('orders')
  await client.send('orders', '0')
  for (let round = 1; round <= 5; round++) {
    proxy.loseAnswers()
    const sent = [client.send('orders', `${round}`), client.sendBatch('orders', [`b${round}`])]
    await proxy.answerLost()
    proxy.cut()
    await Promise.all(sent)
  }
  assert.deepEqual(await valuesOf(client, 'orders'), [
    '0',
    ...[1, 2, 3, 4, 5].flatMap((round) => [`${round}`, `b${round}`]),
  ])
})

test('connections that break at any time: each message once, in order, at its offset', async () => {
  await using kaska = await startBroker()
  await using proxy = await FaultyProxy.start(kaska.port)
  await using client = await connect(proxy.url, { batchBytes: 500 })
  await client.createTopic('orders')
  const sends: Promise<{ offset: number }>[] = []
  for (let round = 0; round < 20; round++) {
    if (round % 2 === 0) proxy.loseAnswers()
    for (let index = 0; index < 100; index++) sends.push(client.send('orders', `${sends.length}`))
    if (round % 2 === 0) await proxy.answerLost()
    else await sends[sends.length - 50]
    proxy.cut()
  }
  const results = await Promise.all(sends)
  assert.deepEqual(
    results.map(({ offset }) => offset),
    results.map((_, index) => index),
  )
  assert.deepEqual(
    await valuesOf(client, 'orders'),
    results.map((_, index) => `${index}`),
  )
  assert.ok(proxy.connections > 15)
})

test('creating, deleting and committing are repeated without harm', async () => {
  await using kaska = await startBroker()
  await using proxy = await FaultyProxy.start(kaska.port)
  await using client = await connect(proxy.url)
  const losing = async <T>(call: () => Promise<T>): Promise<T> => {
    proxy.loseAnswers()
    const called = call()
    await proxy.answerLost()
    proxy.cut()
    return await called
  }
  const topic = await losing(() => client.createTopic('orders'))
  assert.deepEqual(await client.topics(), [topic])
  await client.send('orders', 'x')
  const commits = await losing(() =>
    Promise.all([1, 2, 3].map((offset) => client.commit('billing', 'orders', offset))),
  )
  assert.equal(commits.length, 3)
  assert.equal(await client.committed('billing', 'orders'), 3)
  await losing(() => client.deleteTopic('orders'))
  assert.equal(await client.topicCount(), 0)
  await assert.rejects(client.deleteTopic('orders'), UnknownTopicError)
})

test('a reader goes on at its positions, also one that waits', async () => {
  await using kaska = await startBroker()
  await using proxy = await FaultyProxy.start(kaska.port)
  await using client = await connect(proxy.url)
  await using sender = await connect(kaska.url)
  await client.createTopic('orders')
  await client.subscribe(['orders'])
  const seen: string[] = []
  const reading = (async () => {
    for await (const message of client.messages()) {
      seen.push(textOf(message))
      if (seen.length === 50) break
    }
  })()
  for (let index = 0; index < 50; index++) {
    await sender.send('orders', `${index}`)
    if (index % 10 === 5) proxy.cut()
  }
  await reading
  assert.deepEqual(
    seen,
    Array.from({ length: 50 }, (_, index) => `${index}`),
  )
  proxy.refuse(true)
  proxy.cut()
  const waiting = client.poll({ timeoutMs: 60_000 })
  await sender.send('orders', 'last')
  proxy.refuse(false)
  assert.equal(textOf(await waiting), 'last')
})

test('a broker that is killed and started again: each message once, positions and commits kept', async () => {
  await using directory = await temporaryDirectory()
  const args = ['--data', directory.path, '--sync', 'always', '--port', await portToKeep()]
  let broker = await ServeProcess.start(args)
  const { url } = broker
  await using sender = await connect(url)
  await using reader = await connect(url)
  await sender.createTopic('orders')
  await reader.subscribe(['orders'])
  const seen: string[] = []
  const total = 1500
  const reading = (async () => {
    for await (const message of reader.messages()) {
      seen.push(textOf(message))
      if (seen.length === total) break
    }
  })()
  try {
    const sends: Promise<{ offset: number }>[] = []
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < total / 3; index++) {
        sends.push(sender.send('orders', `${sends.length}`))
        if (index % 100 === 0) await sends[sends.length - 1]
      }
      const commit = sender.commit('billing', 'orders', round)
      await broker.stop('SIGKILL')
      broker = await ServeProcess.start(args)
      await commit
    }
    const results = await Promise.all(sends)
    assert.deepEqual(
      results.map(({ offset }) => offset),
      results.map((_, index) => index),
    )
    await reading
    assert.deepEqual(
      seen,
      results.map((_, index) => `${index}`),
    )
    assert.equal(await sender.committed('billing', 'orders'), 2)
    assert.equal(reader.position('orders'), total)
  } finally {
    await broker.stop('SIGKILL')
  }
})

test('a broker that is stopped in good order breaks nothing that is under way', async () => {
  await using directory = await temporaryDirectory()
  const args = ['--data', directory.path, '--sync', 'os', '--port', await portToKeep()]
  let broker = await ServeProcess.start(args)
  const { url } = broker
  await using client = await connect(url)
  await client.createTopic('orders')
  const sends: Promise<{ offset: number }>[] = []
  try {
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 300; index++) sends.push(client.send('orders', `${sends.length}`))
      await sends[sends.length - 150]
      for (let index = 0; index < 300; index++) sends.push(client.send('orders', `${sends.length}`))
      const size = client.endOffset('orders')
      await broker.stop('SIGTERM')
      broker = await ServeProcess.start(args)
      await size
    }
    const results = await Promise.all(sends)
    assert.deepEqual(
      results.map(({ offset }) => offset),
      results.map((_, index) => index),
    )
  } finally {
    await broker.stop('SIGKILL')
  }
})

test('a memory broker that comes back empty: the topic is unknown, then it is used anew', async () => {
  const port = Number(await portToKeep())
  const first = await startBroker({ port })
  await using client = await connect(first.url)
  await client.createTopic('orders')
  await client.subscribe(['orders'])
  await client.send('orders', 'gone')
  const waiting = assert.rejects(client.poll(), /./)
  await first.close()
  await using second = await startBroker({ port })
  await waiting
  await assert.rejects(client.send('orders', 'x'), UnknownTopicError)
  await using other = await connect(second.url)
  await other.createTopic('orders')
  assert.equal((await client.send('orders', 'new')).offset, 0)
  assert.equal(await client.messageSize('orders', 0), 3)
})

test('nobody listens: connect says within a moment what to do', async () => {
  await assert.rejects(connect('kaska://127.0.0.1:1'), (error) => {
    assert.ok(error instanceof ConnectionError)
    assert.match(error.message, /127\.0\.0\.1:1: .*npx kaska/)
    return true
  })
})

test('something listens that never answers, or is no broker: connect ends within its time', async () => {
  const sockets = new Set<net.Socket>()
  let answer = ''
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(answer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const url = `kaska://127.0.0.1:${port}`
  const start = performance.now()
  await assert.rejects(connect(url, { connectTimeoutMs: 300 }), { code: 'CONNECTION' })
  // That would be by itself after 5 s.
  assert.ok(performance.now() - start < 4500)
  const controller = new AbortController()
  const given = assert.rejects(connect(url, { signal: controller.signal }), /enough/)
  controller.abort(new Error('enough'))
  await given
  answer = `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nX: ${'x'.repeat(100)}\r\n\r\n`
  await assert.rejects(connect(url), { code: 'PROTOCOL' })
  for (const socket of sockets) socket.destroy()
  server.close()
})
