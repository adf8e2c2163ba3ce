/**
 * Contract 13: the native protocol adds at most 28 bytes to one small message sent or received (its
 * offset, timestamp and sequence number are in that), and 12 a message in batches of 100 or more.
 * Measured on the socket, with the client library; printed beside what Kafka's protocol needs.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { batchHeaderBytes, RecordsBuilder } from '@kaska/protocol'
import { startBroker } from '../src/testing.ts'
import { startCountingProxy } from './counting-proxy.ts'

const topic = 'orders'

/**
 * The same in Kafka's protocol, counted field by field from the message definitions of Kafka 4: Produce
 * 11 and Fetch 16 (topic ids) without tagged fields, a client id of 5 characters.
 */
function kafkaBytes(count: number, valueBytes: number) {
  const builder = new RecordsBuilder()
  const value = new Uint8Array(valueBytes)
  for (let index = 0; index < count; index++) {
    builder.append({ key: null, value, headers: [], timestamp: 0 })
  }
  const records = batchHeaderBytes + builder.length
  const header = 4 + 2 + 2 + 4 + (2 + 5) + 1
  const name = 1 + topic.length
  const produce = header + 1 + 2 + 4 + 1 + name + 1 + 4 + 2 + records + 1 + 1 + 1
  const produced = 4 + 4 + 1 + 1 + name + 1 + 4 + 2 + 8 + 8 + 8 + 1 + 1 + 1 + 1 + 4 + 1
  const fetch =
    header + 4 + 4 + 4 + 1 + 4 + 4 + 1 + 16 + 1 + 4 + 4 + 8 + 4 + 8 + 4 + 1 + 1 + 1 + 1 + 1
  const fetched =
    4 + 4 + 1 + 4 + 2 + 4 + 1 + 16 + 1 + 4 + 2 + 8 + 8 + 8 + 1 + 4 + 2 + records + 1 + 1 + 1
  return { sent: produce, answered: produced, asked: fetch, received: fetched }
}

test('the bytes on the socket are little more than the fields', async (context) => {
  await using kaska = await startBroker({ topics: [{ name: topic }] })
  await using proxy = await startCountingProxy(kaska.port)
  await using client = await connect(`kaska://127.0.0.1:${proxy.port}`)
  await client.subscribe([topic])
  const value = new Uint8Array(100).fill(65)
  // So that offsets and sequence numbers are no longer the shortest ones.
  await client.sendBatch(topic, Array(1000).fill(value))
  while (client.position(topic) < 1000) await client.poll({ timeoutMs: 1000 })

  /** Bytes of one send and its answer, and of one poll and its answer. */
  const measure = async (count: number, value: Uint8Array) => {
    let { up, down } = proxy
    if (count === 1) await client.send(topic, value)
    else await client.sendBatch(topic, Array(count).fill(value))
    const sent = proxy.up - up
    const answered = proxy.down - down
    ;({ up, down } = proxy)
    for (let index = 0; index < count; index++) {
      assert.equal((await client.poll({ timeoutMs: 1000 }))?.value?.length, value.length)
    }
    return { sent, answered, asked: proxy.up - up, received: proxy.down - down }
  }

  for (const { count, valueBytes, overheadMax } of [
    { count: 1, valueBytes: 32, overheadMax: 28 },
    { count: 1, valueBytes: 100, overheadMax: 28 },
    { count: 100, valueBytes: 100, overheadMax: 12 },
    { count: 1000, valueBytes: 100, overheadMax: 12 },
  ]) {
    const kaska = await measure(count, value.subarray(0, valueBytes))
    const kafka = kafkaBytes(count, valueBytes)
    const each = (bytes: number) => bytes / count - valueBytes
    context.diagnostic(
      `batches of ${count}, values of ${valueBytes} bytes; bytes beyond the values:`,
    )
    const row = (name: string, ours: number, theirs: number) =>
      context.diagnostic(`  ${name}: ${ours.toFixed(2)} (Kafka ${theirs.toFixed(2)})`)
    row('a message sent', each(kaska.sent), each(kafka.sent))
    row('the answer, for all of them', kaska.answered, kafka.answered)
    row('a message received', each(kaska.received), each(kafka.received))
    row('what asks for them all', kaska.asked, kafka.asked)
    assert(each(kaska.sent) <= overheadMax, 'sent')
    assert(each(kaska.received) <= overheadMax, 'received')
    // Below offset 16,384 a message of some fifty bytes stays below it even with the answer to it.
    const isSmall = count > 1 || valueBytes < 50
    assert(!isSmall || each(kaska.sent + kaska.answered) <= overheadMax, 'sent and answered')
  }
})
