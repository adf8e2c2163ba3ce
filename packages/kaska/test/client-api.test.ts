/** The client's API, line by line as docs and the README promise it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { connect, type Message, SendBatchError } from '@kaska/client'
import { certificate, privateKey } from '../../client/test/test-certificate.ts'
import { startBroker } from '../src/testing.ts'
import { testBothWays, textOf } from './client-modes.ts'

testBothWays(
  'topics: created, listed in their order, counted, described, deleted',
  async (given) => {
    const { client } = given
    assert.deepEqual(await client.topics(), [])
    const orders = await client.createTopic('orders', { partitions: 3 })
    assert.deepEqual(Object.keys(orders).sort(), ['id', 'name', 'partitions'])
    assert.match(orders.id, /^[\w-]{22}$/)
    const other = await client.createTopic('a', { config: { 'max.message.bytes': '5000' } })
    assert.equal(other.partitions, 1)
    const names = Array.from({ length: 1500 }, (_, index) => `topic ${index}`)
    await Promise.all(names.map((name) => client.createTopic(name)))
    const topics = await client.topics()
    assert.deepEqual(topics.slice(0, 2), [orders, other])
    assert.equal(topics.length, 1502)
    assert.equal(await client.topicCount(), 1502)
    const { config, ...info } = await client.describeTopic('a')
    assert.deepEqual(info, other)
    const size = config.find(({ name }) => name === 'max.message.bytes')
    assert.deepEqual(size, { name: 'max.message.bytes', value: '5000', isDefault: false })
    await client.deleteTopic('orders')
    assert.equal(await client.topicCount(), 1501)
    assert.equal((await client.topics())[0]?.name, 'a')
  },
)

testBothWays('send: bytes, text and fields; what is received is what was sent', async (given) => {
  const { client } = given
  await client.createTopic('orders', { partitions: 2 })
  await client.subscribe(['orders'])
  const before = Date.now()
  const plain = await client.send('orders', { value: new Uint8Array([0, 255]), partition: 1 })
  assert.deepEqual([plain.partition, plain.offset], [1, 0])
  assert.ok(plain.timestamp >= before && plain.timestamp <= Date.now())
  const headers = { trace: 'abc', list: ['1', new Uint8Array(0), null] }
  const full = await client.send('orders', {
    key: 'käse',
    value: null,
    headers,
    timestamp: 1234,
    partition: 0,
  })
  assert.deepEqual(full, { partition: 0, offset: 0, timestamp: 1234 })
  await client.send('orders', { value: '', partition: 0 })
  const messages: (Message | undefined)[] = []
  for (let index = 0; index < 3; index++) messages.push(await client.poll({ timeoutMs: 5000 }))
  const first = messages.find((message) => message?.partition === 1)
  assert.deepEqual(
    { ...first },
    {
      topic: 'orders',
      partition: 1,
      offset: 0,
      timestamp: plain.timestamp,
      key: null,
      value: new Uint8Array([0, 255]),
      headers: [],
    },
  )
  const [second, third] = messages.filter((message) => message?.partition === 0)
  const bytes = (text: string) => new TextEncoder().encode(text)
  assert.deepEqual(
    { ...second },
    {
      topic: 'orders',
      partition: 0,
      offset: 0,
      timestamp: 1234,
      key: bytes('käse'),
      value: null,
      headers: [
        ['trace', bytes('abc')],
        ['list', bytes('1')],
        ['list', bytes('')],
        ['list', null],
      ],
    },
  )
  assert.deepEqual([third?.offset, third?.value], [1, new Uint8Array(0)])
  const copy = first?.copy()
  assert.deepEqual(copy, first)
  assert.equal(copy?.value?.buffer.byteLength, 2)
})

testBothWays(
  'a value of 5 MiB is one contiguous view; what a reader does is its own',
  async (given) => {
    const { client, another } = given
    await client.createTopic('orders')
    const readers = [await another(), await another()]
    for (const reader of readers) await reader.subscribe(['orders'])
    const value = new Uint8Array(5 << 20).map((_, index) => index % 251)
    const sent = client.send('orders', value)
    const small = client.send('orders', 'small')
    await Promise.all([sent, small])
    // The bytes are the sender's again.
    const given5 = value.slice()
    value.fill(0)
    for (const reader of readers) {
      const message = await reader.poll({ timeoutMs: 5000 })
      assert.ok(message?.value instanceof Uint8Array)
      assert.ok(Buffer.from(given5).equals(message.value))
      message.value.fill(1)
      const next = await reader.poll({ timeoutMs: 5000 })
      assert.equal(textOf(next), 'small')
      next?.value?.fill(0)
    }
  },
)

testBothWays('sends in one turn keep their order, and are together', async ({ client }) => {
  await client.createTopic('orders')
  const sends = Array.from({ length: 5000 }, (_, index) => client.send('orders', `${index}`))
  const results = await Promise.all(sends)
  assert.deepEqual(
    results.map(({ offset }) => offset),
    results.map((_, index) => index),
  )
  await client.subscribe(['orders'])
  client.seek('orders', 0)
  let index = 0
  for await (const message of client.messages()) {
    assert.equal(textOf(message), `${index}`)
    if (++index === 5000) break
  }
})

testBothWays(
  'sendBatch: one result per message; SendBatchError says which part failed',
  async (given) => {
    const { client } = given
    await client.createTopic('orders', { partitions: 2, config: { 'max.message.bytes': '1000' } })
    const results = await client.sendBatch('orders', [
      { value: 'a', partition: 1, timestamp: 1 },
      { value: 'b', partition: 0, timestamp: 2 },
      { value: 'c', partition: 1, timestamp: 3 },
    ])
    assert.deepEqual(results, [
      { partition: 1, offset: 0, timestamp: 1 },
      { partition: 0, offset: 0, timestamp: 2 },
      { partition: 1, offset: 1, timestamp: 3 },
    ])
    const mixed = [
      { value: 'd', partition: 0, timestamp: 4 },
      { value: 'e', partition: 1, timestamp: 5 },
      { value: 'x'.repeat(2000), partition: 1 },
    ]
    await assert.rejects(client.sendBatch('orders', mixed), (error) => {
      assert.ok(error instanceof SendBatchError)
      assert.equal(error.code, 'SEND_BATCH')
      assert.deepEqual(error.results[0], { partition: 0, offset: 1, timestamp: 4 })
      for (const index of [1, 2]) {
        const result: SendBatchError['results'][number] | undefined = error.results[index]
        assert.ok(result !== undefined && 'error' in result)
        assert.equal(result.error.name, 'MessageTooLargeError')
      }
      return true
    })
    // All or nothing in a partition.
    assert.deepEqual(
      [await client.endOffset('orders', 0), await client.endOffset('orders', 1)],
      [2, 2],
    )
  },
)

testBothWays('sizes and offsets', async ({ client }) => {
  await client.createTopic('orders', { partitions: 2 })
  assert.deepEqual([await client.startOffset('orders'), await client.endOffset('orders')], [0, 0])
  assert.equal(await client.offsetAt('orders', 0), undefined)
  await client.sendBatch('orders', [
    { value: '', timestamp: 100, partition: 1 },
    { value: 'abc', timestamp: 200, partition: 1 },
    { value: null, timestamp: 300, partition: 1 },
  ])
  assert.equal(await client.messageSize('orders', 0, 1), 0)
  assert.equal(await client.messageSize('orders', 1, 1), 3)
  assert.equal(await client.messageSize('orders', 2, 1), 0)
  assert.equal(await client.endOffset('orders', 1), 3)
  assert.equal(await client.startOffset('orders', 1), 0)
  assert.deepEqual(
    await Promise.all([0, 100, 101, 300, 301].map((at) => client.offsetAt('orders', at, 1))),
    [0, 0, 1, 2, undefined],
  )
})

testBothWays('commits are read back, by name and partition', async ({ client, another }) => {
  await client.createTopic('orders', { partitions: 2 })
  assert.equal(await client.committed('billing', 'orders'), undefined)
  await client.commit('billing', 'orders', 5)
  await client.commit('billing', 'orders', 7, 1)
  await client.commit('shipping', 'orders', 1)
  const other = await another()
  assert.equal(await other.committed('billing', 'orders'), 5)
  assert.equal(await other.committed('billing', 'orders', 1), 7)
  assert.equal(await other.committed('shipping', 'orders'), 1)
  // In the order of the calls, also when none is awaited.
  await Promise.all(Array.from({ length: 100 }, (_, index) => client.commit('b', 'orders', index)))
  assert.equal(await client.committed('b', 'orders'), 99)
})

testBothWays(
  'messages() goes on for ever, and from where it was left',
  async ({ client, another }) => {
    await client.createTopic('orders', { partitions: 3 })
    const reader = await another()
    await reader.subscribe(['orders'])
    const seen: string[] = []
    const reading = (async () => {
      for await (const message of reader.messages()) {
        seen.push(textOf(message))
        if (seen.length === 100) break
      }
    })()
    for (let index = 0; index < 150; index++) await client.send('orders', `${index}`)
    await reading
    for await (const message of reader.messages()) {
      seen.push(textOf(message))
      if (seen.length === 150) break
    }
    assert.equal(new Set(seen).size, 150)
    const controller = new AbortController()
    const reason = new Error('enough')
    const waiting = reader.messages({ signal: controller.signal }).next()
    controller.abort(reason)
    await assert.rejects(waiting, reason)
  },
)

testBothWays('every wait takes a signal, and rejects with its reason', async ({ client }) => {
  await client.createTopic('orders')
  await client.subscribe(['orders'])
  const reason = new Error('changed my mind')
  const signal = AbortSignal.abort(reason)
  for (const wait of [
    () => client.createTopic('x', { signal }),
    () => client.deleteTopic('orders', { signal }),
    () => client.topics({ signal }),
    () => client.topicCount({ signal }),
    () => client.describeTopic('orders', { signal }),
    () => client.send('orders', 'x', { signal }),
    () => client.sendBatch('orders', ['x'], { signal }),
    () => client.messageSize('orders', 0, 0, { signal }),
    () => client.endOffset('orders', 0, { signal }),
    () => client.startOffset('orders', 0, { signal }),
    () => client.offsetAt('orders', 0, 0, { signal }),
    () => client.commit('b', 'orders', 0, 0, { signal }),
    () => client.committed('b', 'orders', 0, { signal }),
    () => client.poll({ signal }),
    () => client.messages({ signal }).next(),
  ]) {
    await assert.rejects(wait, reason)
  }
  const controller = new AbortController()
  const waiting = client.poll({ signal: controller.signal })
  await client.topicCount()
  controller.abort(reason)
  await assert.rejects(waiting, reason)
  await client.send('orders', 'still works')
  assert.equal(textOf(await client.poll({ timeoutMs: 5000 })), 'still works')
})

testBothWays(
  'close ends what waits, always ends, and is `await using`',
  async ({ client, another }) => {
    await client.createTopic('orders')
    const reader = await another()
    await reader.subscribe(['orders'])
    const waiting = assert.rejects(reader.poll(), { code: 'CLOSED' })
    const stream = assert.rejects(reader.messages().next(), { code: 'CLOSED' })
    const sent = reader.send('orders', 'x')
    const closing = reader.close()
    await Promise.all([waiting, stream, closing, reader.close()])
    assert.equal((await sent).offset, 0)
    for (const call of [
      () => reader.createTopic('x'),
      () => reader.topics(),
      () => reader.send('orders', 'x'),
      () => reader.sendBatch('orders', ['x']),
      () => reader.endOffset('orders'),
      () => reader.commit('b', 'orders', 0),
      () => reader.subscribe(['orders']),
      () => reader.poll(),
      () => reader.messages().next(),
    ]) {
      await assert.rejects(call, { name: 'ClosedError', code: 'CLOSED' })
    }
    assert.throws(() => reader.position('orders'), { code: 'CLOSED' })
    {
      await using scoped = await another()
      assert.equal(await scoped.endOffset('orders'), 1)
    }
    assert.equal(await client.endOffset('orders'), 1, 'the broker goes on')
  },
)

test('over TLS, with the certificate that was given, and not without', async () => {
  await using kaska = await startBroker()
  const server = tls.createServer({ cert: certificate, key: privateKey }, (near) => {
    const far = net.connect(kaska.port, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => {})
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const url = `kaskas://127.0.0.1:${port}`
  try {
    await assert.rejects(connect(url), { code: 'CONNECTION' })
    await using client = await connect(url, { tls: { ca: certificate } })
    await client.createTopic('orders')
    await client.subscribe(['orders'])
    const value = new Uint8Array(300_000).map((_, index) => index % 251)
    await client.send('orders', value)
    const message = await client.poll({ timeoutMs: 5000 })
    assert.ok(Buffer.from(value).equals(message?.value ?? new Uint8Array(0)))
  } finally {
    server.close()
  }
})
