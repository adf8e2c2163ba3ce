/** What can go wrong for a client: each error has its class, its name and its code. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as api from '@kaska/client'
import { connect, type KaskaError } from '@kaska/client'
import { errorTable } from '@kaska/protocol'
import { startBroker } from '../src/testing.ts'
import { testBothWays } from './client-modes.ts'
import { FaultyProxy } from './faulty-proxy.ts'

/** Checks class, name, code and that there is a text for people. */
function isA(name: string, code: string): (error: unknown) => true {
  return (error) => {
    const errorClass = Object.entries(api).find(([each]) => each === name)?.[1]
    assert.ok(typeof errorClass === 'function', `${name} is exported`)
    assert.ok(error instanceof (errorClass as unknown as new () => KaskaError), `${error}`)
    assert.ok(error instanceof api.KaskaError)
    assert.deepEqual([error.name, error.code], [name, code])
    assert.ok(error.message.length > 5)
    return true
  }
}

const unknownTopic = isA('UnknownTopicError', 'UNKNOWN_TOPIC')
const unknownPartition = isA('UnknownPartitionError', 'UNKNOWN_PARTITION')
const invalidTopic = isA('InvalidTopicError', 'INVALID_TOPIC')
const invalidArgument = isA('InvalidArgumentError', 'INVALID_ARGUMENT')
const outOfRange = isA('OffsetOutOfRangeError', 'OFFSET_OUT_OF_RANGE')
const notSubscribed = isA('NotSubscribedError', 'NOT_SUBSCRIBED')

test('every error that a client can meet is exported', () => {
  // What only somebody meets who starts a broker.
  const others = ['DataDirectoryLockedError', 'DataDirectoryError', 'AddressInUseError']
  for (const { errorName } of errorTable) {
    if (others.includes(errorName)) continue
    assert.ok(errorName in api, errorName)
  }
})

testBothWays('a topic that does not exist', async ({ client }) => {
  for (const call of [
    () => client.send('nope', 'x'),
    () => client.sendBatch('nope', ['x']),
    () => client.deleteTopic('nope'),
    () => client.describeTopic('nope'),
    () => client.messageSize('nope', 0),
    () => client.startOffset('nope'),
    () => client.endOffset('nope'),
    () => client.offsetAt('nope', 0),
    () => client.commit('billing', 'nope', 0),
    () => client.committed('billing', 'nope'),
  ]) {
    await assert.rejects(call, unknownTopic)
  }
  assert.equal(await client.topicCount(), 0, 'nothing is created by the way')
})

testBothWays('a topic that was deleted behind the client, and one made anew', async (given) => {
  const { client, another } = given
  const other = await another()
  await client.createTopic('orders')
  await client.send('orders', 'x')
  await client.endOffset('orders')
  await other.deleteTopic('orders')
  await assert.rejects(client.send('orders', 'x'), unknownTopic)
  await assert.rejects(client.messageSize('orders', 0), unknownTopic)
  await assert.rejects(client.commit('billing', 'orders', 0), unknownTopic)
  await other.createTopic('orders')
  await client.send('orders', 'y')
  await other.deleteTopic('orders')
  await other.createTopic('orders', { partitions: 3 })
  assert.equal((await client.send('orders', { value: 'z', partition: 2 })).offset, 0)
  assert.equal(await client.endOffset('orders', 2), 1)
  await client.commit('billing', 'orders', 1, 2)
  await client.subscribe(['orders'])
  const waiting = assert.rejects(client.poll(), unknownTopic)
  await client.topicCount()
  await other.deleteTopic('orders')
  await waiting
  assert.throws(() => client.position('orders'), notSubscribed)
})

testBothWays('a topic that exists, and names and settings that cannot be', async ({ client }) => {
  await client.createTopic('orders')
  await assert.rejects(client.createTopic('orders'), isA('TopicExistsError', 'TOPIC_EXISTS'))
  for (const name of ['', 'a\0b', '\ud800', 'x'.repeat(65_535), 5 as unknown as string]) {
    await assert.rejects(client.createTopic(name), invalidTopic)
    await assert.rejects(client.deleteTopic(name), invalidTopic)
    await assert.rejects(client.describeTopic(name), invalidTopic)
    await assert.rejects(client.send(name, 'x'), invalidTopic)
    await assert.rejects(client.endOffset(name), invalidTopic)
    await assert.rejects(client.subscribe([name]), invalidTopic)
  }
  await assert.rejects(client.createTopic('a', { partitions: 0 }), invalidArgument)
  await assert.rejects(client.createTopic('a', { partitions: 1.5 }), invalidArgument)
  await assert.rejects(client.createTopic('a', { partitions: 1e9 }), invalidArgument)
  await assert.rejects(client.createTopic('a', { config: { nope: '1' } }), invalidArgument)
  assert.equal(await client.topicCount(), 1)
})

testBothWays('arguments that cannot be are refused, and by promises', async ({ client }) => {
  await client.createTopic('orders')
  for (const call of [
    () => client.send('orders', undefined as unknown as string),
    () => client.send('orders', { value: '\udc00' }),
    () => client.send('orders', { value: '', timestamp: -1 }),
    () => client.sendBatch('orders', ['fine', {} as unknown as string]),
    () => client.messageSize('orders', -1),
    () => client.messageSize('orders', 0.5),
    () => client.offsetAt('orders', -1),
    () => client.endOffset('orders', -1),
    () => client.commit('', 'orders', 0),
    () => client.commit('\ud800', 'orders', 0),
    () => client.commit('billing', 'orders', -1),
    () => client.subscribe('orders' as unknown as string[]),
    () => client.poll({ timeoutMs: Number.NaN }),
  ]) {
    let promise: Promise<unknown> | undefined
    try {
      promise = call()
      if (call.toString().includes('poll')) promise.catch(() => {})
    } catch {
      assert.fail(`${call} throws`)
    }
    await assert.rejects(promise, (error) => {
      if (call.toString().includes('poll')) return true
      return invalidArgument(error)
    })
  }
  assert.equal(await client.endOffset('orders'), 0)
})

testBothWays('partitions, offsets and sizes that are not there', async ({ client }) => {
  await client.createTopic('orders', { partitions: 2, config: { 'max.message.bytes': '1000' } })
  await client.send('orders', { value: 'x', partition: 0 })
  await assert.rejects(client.send('orders', { value: 'x', partition: 2 }), unknownPartition)
  await assert.rejects(client.endOffset('orders', 2), unknownPartition)
  await assert.rejects(client.commit('billing', 'orders', 0, 2), unknownPartition)
  for (const offset of [1, 2, 2 ** 52]) {
    await assert.rejects(client.messageSize('orders', offset), (error) => {
      outOfRange(error)
      const { startOffset, endOffset } = error as InstanceType<typeof api.OffsetOutOfRangeError>
      assert.deepEqual([startOffset, endOffset], [0, 1])
      return true
    })
  }
  const large = 'x'.repeat(2000)
  const tooLarge = isA('MessageTooLargeError', 'MESSAGE_TOO_LARGE')
  await assert.rejects(client.send('orders', large), tooLarge)
  await assert.rejects(client.sendBatch('orders', [large]), tooLarge)
  // Together with others, it is the only one that is refused.
  const settled = await Promise.allSettled(
    ['a', large, 'b'].map((value) => client.send('orders', { value, partition: 1 })),
  )
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

testBothWays('subscribed or not', async ({ client }) => {
  await client.createTopic('orders')
  for (const call of [
    () => client.unsubscribe(),
    () => client.position('orders'),
    () => client.seek('orders', 0),
  ]) {
    assert.throws(call, notSubscribed)
  }
  await assert.rejects(client.poll(), notSubscribed)
  await client.subscribe(['orders'])
  await assert.rejects(
    client.subscribe(['orders']),
    isA('AlreadySubscribedError', 'ALREADY_SUBSCRIBED'),
  )
  assert.throws(() => client.seek('orders', -1), invalidArgument)
  assert.throws(() => client.seek('other', 0), notSubscribed)
})

test('no broker: sends are given up after deliveryTimeoutMs, requests after requestTimeoutMs', async () => {
  await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
  await using proxy = await FaultyProxy.start(kaska.port)
  await using client = await connect(proxy.url, {
    deliveryTimeoutMs: 2000,
    requestTimeoutMs: 1000,
    closeTimeoutMs: 300,
  })
  await client.send('orders', 'x')
  await client.subscribe(['orders'])
  proxy.refuse(true)
  proxy.cut()
  const connection = isA('ConnectionError', 'CONNECTION')
  await Promise.all([
    assert.rejects(client.send('orders', 'y'), isA('DeliveryTimeoutError', 'DELIVERY_TIMEOUT')),
    assert.rejects(client.send('new', 'y'), isA('DeliveryTimeoutError', 'DELIVERY_TIMEOUT')),
    assert.rejects(client.topicCount(), connection),
    assert.rejects(client.poll(), connection),
  ])
  proxy.refuse(false)
  assert.equal((await client.send('orders', 'z')).offset, 1)
  proxy.refuse(true)
  proxy.cut()
  // By the end of the client, which comes before that of the delivery's time.
  const lost = assert.rejects(client.send('orders', 'w'), isA('ClosedError', 'CLOSED'))
  await client.close()
  await lost
})

test('URLs and options that mean nothing', async () => {
  await assert.rejects(connect('localhost:9092'), invalidArgument)
  await assert.rejects(connect('http://localhost'), invalidArgument)
  await assert.rejects(connect(undefined as unknown as string), invalidArgument)
  await assert.rejects(connect({} as unknown as string), invalidArgument)
  const options = { deliveryTimeout: 5 } as object
  await assert.rejects(connect('kaska://127.0.0.1:1', options), invalidArgument)
  await assert.rejects(connect('kaska://127.0.0.1:1'), isA('ConnectionError', 'CONNECTION'))
})

test('a broker that is closed in this process: ClosedError', async () => {
  const kaska = await startBroker({ topics: [{ name: 'orders' }] })
  await using client = await connect(kaska.broker)
  await client.subscribe(['orders'])
  const closed = isA('ClosedError', 'CLOSED')
  const waiting = assert.rejects(client.poll(), closed)
  await client.topicCount()
  await kaska.close()
  await waiting
  await assert.rejects(client.send('orders', 'x'), closed)
  await assert.rejects(client.topics(), closed)
  await assert.rejects(client.poll(), closed)
})
