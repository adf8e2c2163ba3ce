/**
 * Contract 3: subscribing starts at the end, only later messages are seen; a client may seek back,
 * and ask its position. Where it stands lives in the client: no round trip, and nothing in the broker.
 */
import assert from 'node:assert/strict'
import { AlreadySubscribedError, NotSubscribedError, OffsetOutOfRangeError } from '@kaska/client'
import { testBothWays, textOf } from './client-modes.ts'

testBothWays('a subscription sees what comes after it', async ({ client, another }) => {
  await client.createTopic('orders', { partitions: 2 })
  await client.createTopic('quiet')
  await client.sendBatch('orders', [
    { value: 'earlier', partition: 0 },
    { value: 'earlier', partition: 0 },
    { value: 'earlier', partition: 1 },
  ])
  const reader = await another()
  assert.equal(await reader.subscribe(['orders', 'no-such-topic', 'quiet', 'orders']), 2)
  assert.equal(await reader.poll({ timeoutMs: 0 }), undefined)
  assert.deepEqual([reader.position('orders'), reader.position('orders', 1)], [2, 1])
  await client.send('orders', { value: 'later', partition: 1 })
  const message = await reader.poll({ timeoutMs: 5000 })
  assert.equal(textOf(message), 'later')
  assert.deepEqual([message?.partition, message?.offset], [1, 1])
  assert.deepEqual([reader.position('orders'), reader.position('orders', 1)], [2, 2])
})

testBothWays('a poll that waits is woken by the message', async ({ client, another }) => {
  await client.createTopic('orders')
  const reader = await another()
  await reader.subscribe(['orders'])
  const waiting = reader.poll({ timeoutMs: 60_000 })
  // The poll is there when a later request of the same client was answered.
  await reader.topicCount()
  await client.send('orders', 'now')
  assert.equal(textOf(await waiting), 'now')
})

testBothWays('a reader may go back, and forth, and read again', async ({ client }) => {
  await client.createTopic('orders')
  await client.subscribe(['orders'])
  for (const text of ['0', '1', '2', '3']) await client.send('orders', text)
  const read = async (count: number): Promise<string[]> => {
    const texts: string[] = []
    for (let index = 0; index < count; index++) {
      texts.push(textOf(await client.poll({ timeoutMs: 5000 })))
    }
    return texts
  }
  assert.deepEqual(await read(3), ['0', '1', '2'])
  assert.equal(client.position('orders'), 3)
  client.seek('orders', 1)
  assert.equal(client.position('orders'), 1)
  assert.deepEqual(await read(3), ['1', '2', '3'])
  client.seek('orders', 3)
  assert.deepEqual(await read(1), ['3'])
  client.seek('orders', 4)
  assert.equal(await client.poll({ timeoutMs: 0 }), undefined)
  client.seek('orders', 5)
  await assert.rejects(client.poll({ timeoutMs: 0 }), (error) => {
    assert.ok(error instanceof OffsetOutOfRangeError)
    assert.deepEqual([error.startOffset, error.endOffset], [0, 4])
    return true
  })
  assert.equal(client.position('orders'), 5)
  client.seek('orders', 0)
  assert.deepEqual(await read(4), ['0', '1', '2', '3'])
})

testBothWays('two clients stand where they stand; one name is one subscription', async (given) => {
  const { client, another } = given
  await client.createTopic('orders')
  const [one, other] = [await another({ clientId: 'x' }), await another({ clientId: 'x' })]
  await one.subscribe(['orders'])
  await client.send('orders', '0')
  await other.subscribe(['orders'])
  await client.send('orders', '1')
  assert.equal(textOf(await one.poll({ timeoutMs: 5000 })), '0')
  assert.equal(textOf(await other.poll({ timeoutMs: 5000 })), '1')
  assert.equal(textOf(await one.poll({ timeoutMs: 5000 })), '1')
})

testBothWays('a client is subscribed once, and may be again after it left', async ({ client }) => {
  await client.createTopic('orders')
  assert.equal(await client.subscribe([]), 0)
  assert.equal(await client.subscribe(['no-such-topic']), 0)
  assert.throws(() => client.unsubscribe(), NotSubscribedError)
  assert.equal(await client.subscribe(['orders']), 1)
  await assert.rejects(client.subscribe(['orders']), AlreadySubscribedError)
  await client.send('orders', 'missed')
  client.unsubscribe()
  assert.throws(() => client.position('orders'), NotSubscribedError)
  await assert.rejects(client.poll(), NotSubscribedError)
  assert.equal(await client.subscribe(['orders']), 1)
  assert.equal(client.position('orders'), 1)
})

testBothWays('onOutOfRange: goes on at the start, or at the end', async ({ client, another }) => {
  await client.createTopic('orders')
  await client.sendBatch('orders', ['0', '1', '2'])
  const fromStart = await another({ onOutOfRange: 'start' })
  await fromStart.subscribe(['orders'])
  fromStart.seek('orders', 100)
  assert.equal(textOf(await fromStart.poll({ timeoutMs: 0 })), '0')
  const fromEnd = await another({ onOutOfRange: 'end' })
  await fromEnd.subscribe(['orders'])
  fromEnd.seek('orders', 100)
  assert.equal(await fromEnd.poll({ timeoutMs: 0 }), undefined)
  assert.equal(fromEnd.position('orders'), 3)
})
