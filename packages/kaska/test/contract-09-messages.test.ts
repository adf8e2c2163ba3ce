/** Contract 9: a message is binary with an explicit size; 0 bytes is one; no byte value is special. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Client, connect, type Message } from '@kaska/client'
import { MessageTooLargeError } from '@kaska/protocol'
import { startBroker } from '../src/testing.ts'

async function read(client: Client, topic: string, offset: number): Promise<Message> {
  client.seek(topic, offset)
  const message = await client.poll({ timeoutMs: 10_000 })
  assert.ok(message !== undefined)
  assert.equal(message.offset, offset)
  return message
}

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)
const values: Readonly<Record<string, Uint8Array | null>> = {
  'no bytes': new Uint8Array(0),
  nothing: null,
  'a NUL': Uint8Array.of(0),
  'a newline': Uint8Array.of(10),
  'every byte': everyByte,
  'what begins a connection': new TextEncoder().encode('KSK\u0001'),
  'bytes that are no UTF-8': Uint8Array.of(0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80),
  '1,023 bytes': new Uint8Array(1023).fill(0xab),
  '1,024 bytes': new Uint8Array(1024).fill(0xcd),
  '1 MiB': new Uint8Array(1024 * 1024).fill(0x80),
}

suite('contract 9: messages', () => {
  for (const place of ['over a socket', 'in the process']) {
    test(`any bytes come out as they went in, ${place}`, async () => {
      await using kaska = await startBroker({ topics: [{ name: 't' }] })
      await using client = await connect(place === 'in the process' ? kaska.broker : kaska.url)
      await client.subscribe(['t'])
      for (const [offset, [what, value]] of Object.entries(values).entries()) {
        await client.send('t', { key: value, value, headers: [['h', value]] })
        assert.equal(await client.messageSize('t', offset), value?.length ?? 0, what)
        const message = await read(client, 't', offset)
        for (const found of [message.value, message.key, message.headers[0]?.[1]]) {
          assert.equal(found === null, value === null, what)
          assert.deepEqual(found && Buffer.compare(found, value ?? new Uint8Array(0)), value && 0)
        }
      }
    })
  }

  test('64 MiB is a message, and a byte over the limit of the topic is refused', async () => {
    await using kaska = await startBroker({ topics: [{ name: 't' }] })
    await using client = await connect(kaska.url)
    await client.subscribe(['t'])
    const value = new Uint8Array(64 * 1024 * 1024)
    for (let position = 0; position < value.length; position += 4096)
      value[position] = position >> 12
    await client.send('t', value)
    assert.equal(await client.messageSize('t', 0), value.length)
    const message = await read(client, 't', 0)
    assert.equal(message.value?.length, value.length)
    assert.equal(Buffer.compare(message.value ?? new Uint8Array(0), value), 0)
    // One contiguous view.
    assert.ok(message.value instanceof Uint8Array)

    await assert.rejects(client.send('t', new Uint8Array(65 * 1024 * 1024)), MessageTooLargeError)
    const { offset } = await client.send('t', '')
    assert.equal(offset, 1)
  })
})
