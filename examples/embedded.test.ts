/**
 * A broker inside a test: in memory, on a port of its own or on none, gone when the test ends. Copy
 * this into your own test suite.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { startBroker } from 'kaska/testing'

test('what is sent arrives', async () => {
  await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
  await using client = await connect(kaska.url)
  await client.subscribe(['orders'])
  await client.send('orders', 'hello')
  const message = await client.poll({ timeoutMs: 5000 })
  assert.equal(new TextDecoder().decode(message?.value ?? undefined), 'hello')
})

test('the same without a socket', async () => {
  await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
  await using client = await connect(kaska.broker)
  const { offset } = await client.send('orders', { key: 'k', value: new Uint8Array(3) })
  assert.equal(offset, 0)
  assert.equal(await client.messageSize('orders', 0), 3)
})
