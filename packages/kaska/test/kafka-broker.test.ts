/** Kafka's protocol on the broker's one port, over real sockets, beside native clients. */
import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { connect } from '@kaska/client'
import { noTopicId } from '@kaska/protocol'
import { createBroker, type ListenOptions } from '../src/broker.ts'
import { batchOf, compressed } from './batches.ts'
import { encodeBatch, valuesOf } from './kafka-client.ts'
import { dialKafkaPort, kafkaOver } from './kafka-socket.ts'

const [produce, fetch, metadata] = [0, 1, 3]

function produceRequest(records: Uint8Array[]) {
  const topicData = [{ name: 'x', partitionData: [{ index: 0, records }] }]
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }
}

const fromStart = {
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1 << 20,
  topics: [
    { topic: 'x', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }] },
  ],
}

test('clients are told the address that they came to, or the one that is advertised', async () => {
  await using broker = await createBroker({ memory: true })
  const told = async (options: ListenOptions, host: string) => {
    const { port, close } = await broker.listen({ port: 0, host, ...options })
    using client = kafkaOver(connectSocket(port, host))
    const [row] = (await client.ask(metadata, 9, { topics: [] })).brokers
    await close()
    return row.port === port ? `${row.host} ${row.nodeId}` : `${row.host}:${row.port}`
  }
  assert.equal(await told({}, '127.0.0.1'), '127.0.0.1 1')
  assert.equal(await told({}, '::1'), '::1 1')
  const advertise = { host: 'box.local', port: 1234 }
  assert.equal(await told({ advertise }, '127.0.0.1'), 'box.local:1234')
})

test('native and Kafka clients read what the others wrote', async () => {
  await using broker = await createBroker({ memory: true })
  const { port, url } = await broker.listen({ port: 0 })
  using kafka = dialKafkaPort(port)
  const wanted = { topics: [{ name: 'x', topicId: noTopicId }], allowAutoTopicCreation: true }
  assert.equal((await kafka.ask(metadata, 9, wanted)).topics[0].errorCode, 0)

  const client = await connect(url)
  const { offset } = await client.send('x', { key: 'k', value: 'native' })
  assert.equal(offset, 0)
  const batches = [
    batchOf(['plain']),
    compressed(batchOf(['gzip', 'gzip 2']), 1, gzipSync),
    compressed(batchOf(['zstd']), 4, zstdCompressSync),
  ]
  for (const batch of batches) {
    const answer = await kafka.ask(produce, 9, produceRequest(encodeBatch(batch)))
    assert.equal(answer.responses[0].partitionResponses[0].errorCode, 0)
  }
  const fetched = await kafka.ask(fetch, 12, { ...fromStart, maxBytes: 1 })
  assert.deepEqual(valuesOf(fetched.responses[0].partitions[0].records), [[0, 'native']])

  await client.subscribe(['x'])
  client.seek('x', 0)
  const values: string[] = []
  while (values.length < 5) {
    const message = await client.poll({ timeoutMs: 5000 })
    values.push(new TextDecoder().decode(message?.value ?? new Uint8Array()))
  }
  assert.deepEqual(values, ['native', 'plain', 'gzip', 'gzip 2', 'zstd'])
  await client.close()
})
