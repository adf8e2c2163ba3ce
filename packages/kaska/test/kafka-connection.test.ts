/** Kafka connections: the order of answers, what is pipelined, bad bytes, and no copy of a message. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTransportPair, joinChunks } from '@kaska/protocol'
import type { DiskFile } from '../src/log/disk.ts'
import { batchOf } from './batches.ts'
import { dialKafka, encodeBatch, KafkaTestClient, valuesOf } from './kafka-client.ts'
import { createTopic, type NativeBroker, startNativeBroker } from './native-broker.ts'
import { missingFrom, RecordingDisk, rangesOf } from './recording-disk.ts'

const [produce, fetch, listOffsets, metadata] = [0, 1, 2, 3]

function dial(broker: NativeBroker): KafkaTestClient {
  return dialKafka((transport) => broker.kafka.accept(transport))
}

function produceRequest(values: (string | Uint8Array)[], acks = -1) {
  const partitionData = [{ index: 0, records: encodeBatch(batchOf(values)) }]
  return { transactionalId: null, acks, timeoutMs: 1000, topicData: [{ name: 'x', partitionData }] }
}

function fetchRequest(fetchOffset: number, maxWaitMs = 0) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }]
  return { maxWaitMs, minBytes: 1, maxBytes: 1 << 24, topics: [{ topic: 'x', partitions }] }
}

const latest = {
  replicaId: -1,
  topics: [{ name: 'x', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
}

/** Counts the syncs of logs. */
class SyncCountingDisk extends RecordingDisk {
  syncCount = 0

  override async open(path: string, options?: { create?: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options)
    if (!path.endsWith('.log') || !path.startsWith('topics/')) return file
    const sync = () => {
      this.syncCount++
      return file.sync()
    }
    return { ...file, sync }
  }
}

test('appends that are pipelined share syncs, and are answered in their order', async () => {
  const disk = new SyncCountingDisk()
  await using broker = await startNativeBroker({ disk, syncMode: 'always' })
  await createTopic(broker)
  const client = dial(broker)
  await client.ask(produce, 9, produceRequest(['first']))
  const syncsBefore = disk.syncCount
  const sent = Array.from({ length: 100 }, (_, index) =>
    client.send(produce, 9, produceRequest([`m${index}`])),
  )
  for (const [index, one] of sent.entries()) {
    const { responses } = await client.answerTo(one)
    assert.equal(responses[0].partitionResponses[0].baseOffset, index + 1)
  }
  const syncs = disk.syncCount - syncsBefore
  assert(syncs < 20, `${syncs} syncs for 100 appends`)
})

test('a fetch that waits holds back what comes after it, and nobody else', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const [client, other] = [dial(broker), dial(broker)]
  const waiting = client.send(fetch, 12, fetchRequest(0, 60_000))
  const later = client.send(listOffsets, 5, latest)
  const append = client.send(produce, 9, produceRequest(['b']))
  await other.ask(produce, 9, produceRequest(['a']))
  const fetched = await client.answerTo(waiting)
  assert.deepEqual(valuesOf(fetched.responses[0].partitions[0].records), [[0, 'a']])
  assert.equal((await client.answerTo(later)).topics[0].partitions[0].offset, 1)
  const { responses } = await client.answerTo(append)
  assert.equal(responses[0].partitionResponses[0].baseOffset, 1)
})

test('an append without acks has no answer, and an error ends the connection', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  client.send(produce, 9, produceRequest(['a', 'b'], 0))
  const offsets = await client.ask(listOffsets, 5, latest)
  assert.equal(offsets.topics[0].partitions[0].offset, 2)
  const refused = produceRequest(['a'], 0)
  client.send(produce, 9, { ...refused, topicData: [{ ...refused.topicData[0], name: 'y' }] })
  await client.closed()
  assert.match(broker.reports.at(-1) ?? '', /wants no answer: y-0: error 3/)
})

test('bytes that are no request end their connection alone, and the reason is reported', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const good = dial(broker)
  const int32 = (value: number) =>
    [value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 0xff)
  const head = (key: number, version: number) => [0, key, 0, version, 0, 0, 0, 1, 0xff, 0xff]
  const frame = (...bytes: number[]) => [...int32(bytes.length), ...bytes]
  const cases: [string, number[], RegExp][] = [
    ['too long', int32(0x7fffffff), /longer than/],
    ['a negative length', int32(-1), /negative/],
    ['nothing in it', frame(), /ends too early/],
    ['an API that is not served', frame(...head(99, 0)), /API 99: not served/],
    ['a version that is not served', frame(...head(produce, 2)), /version 2 of API 0/],
    ['a count beyond the end', frame(...head(metadata, 1), ...int32(0x7fffffff)), /claims/],
    ['a cut string', frame(...head(metadata, 1), ...int32(1), 0, 50, 97), /ends too early/],
    ['a string that is no UTF-8', frame(...head(metadata, 1), ...int32(1), 0, 1, 0xff), /UTF-8/],
    ['a cut header', frame(0, 3, 0), /ends too early/],
  ]
  for (const [name, bytes, reason] of cases) {
    const client = dial(broker)
    client.write(Uint8Array.from(bytes))
    await client.closed()
    assert.match(broker.reports.at(-1) ?? '', reason, name)
    assert.match(broker.reports.at(-1) ?? '', /^kafka client: closed: /, name)
  }
  assert.equal(broker.reports.length, cases.length)
  assert.equal((await good.ask(metadata, 1, { topics: null })).topics.length, 1)
  assert.equal(broker.kafka.connections, 1)
})

test('a large request that would take much more memory than its bytes is refused before', async () => {
  await using broker = await startNativeBroker({ memoryBytesMax: 32 * 1024 * 1024 })
  const parts = (count: number) => ({
    transactionalId: null,
    acks: -1,
    timeoutMs: 0,
    topicData: [
      {
        name: 'x',
        partitionData: Array.from({ length: count }, (_, index) => ({ index, records: [] })),
      },
    ],
  })
  const client = dial(broker)
  client.send(produce, 3, parts(99_000))
  await client.closed()
  assert.match(broker.reports.at(-1) ?? '', /no memory free/)
  const other = dial(broker)
  other.send(produce, 3, parts(110_000))
  await other.closed()
  assert.match(broker.reports.at(-1) ?? '', /more than 100000 batches/)
  const third = dial(broker)
  const topics = Array.from({ length: 300_000 }, () => ({ name: 'abcd' }))
  third.send(metadata, 1, { topics })
  await third.closed()
  assert.match(broker.reports.at(-1) ?? '', /no memory free/)
})

test('requests in single bytes are the same requests', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  const { chunks, sent } = client.encode(produce, 9, produceRequest(['a', 'b']))
  for (const byte of joinChunks(chunks)) client.write(Uint8Array.of(byte))
  assert.equal((await client.answerTo(sent)).responses[0].partitionResponses[0].errorCode, 0)
})

for (const count of [1, 3, 1000]) {
  test(`a message in ${count} pieces goes to the disk and to a consumer as it came`, async () => {
    const disk = new RecordingDisk()
    await using broker = await startNativeBroker({ disk })
    await createTopic(broker)
    const client = dial(broker)
    const value = Uint8Array.from(
      { length: 5000 },
      (_, index) => (index * 31 + (index >> 8)) & 0xff,
    )
    const { chunks, sent } = client.encode(produce, 9, produceRequest([value]))
    const bytes = joinChunks(chunks)
    const pieces = Array.from({ length: count }, (_, index) =>
      bytes.slice(
        Math.floor((index * bytes.length) / count),
        Math.floor(((index + 1) * bytes.length) / count),
      ),
    )
    client.write(...pieces)
    await client.answerTo(sent)
    const start = Buffer.from(bytes).indexOf(value)
    const ranges = rangesOf(pieces, start, start + value.length)
    const written = disk.written.filter(({ path }) => path.endsWith('.log'))
    assert.deepEqual(
      missingFrom(
        ranges,
        written.map(({ view }) => view),
      ),
      [],
      'to the disk',
    )
    const consumer = dial(broker)
    const answer = await consumer.ask(fetch, 12, fetchRequest(0))
    assert.equal(valuesOf(answer.responses[0].partitions[0].records).length, 1)
    assert.deepEqual(missingFrom(ranges, consumer.views), [], 'to the consumer')
  })
}

test('each answer is one write', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const [near, far] = createTransportPair()
  const client = new KafkaTestClient((chunks) => near.write(chunks))
  near.attach({ received: (chunk) => client.received(chunk), closed: () => client.ended() })
  let writes = 0
  const receiver = broker.kafka.accept({
    remoteAddress: 'client',
    localAddress: { host: '10.1.2.3', port: 1234 },
    get unsentBytes() {
      return far.unsentBytes
    },
    write: (chunks, sent) => {
      writes++
      far.write(chunks, sent)
    },
    pause: () => far.pause(),
    resume: () => far.resume(),
    end: () => far.end(),
    destroy: () => far.destroy(),
  })
  far.attach(receiver)
  for (let index = 0; index < 20; index++) await client.ask(produce, 9, produceRequest(['a', 'b']))
  await client.ask(fetch, 12, fetchRequest(0))
  assert.equal(writes, 21)
  // Answers that become ready together share one: the appends of one turn are written together.
  const sent = Array.from({ length: 20 }, () => client.send(produce, 9, produceRequest(['a'])))
  for (const one of sent) await client.answerTo(one)
  assert(writes < 31, `${writes - 21} writes for 20 answers`)
  writes = 21
  const { brokers } = await client.ask(metadata, 9, { topics: [] })
  assert.deepEqual([brokers[0].host, brokers[0].port], ['10.1.2.3', 1234])
})

test('closing ends fetches that wait, and gives all memory back', async () => {
  const broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  await client.ask(produce, 9, produceRequest(['a']))
  for (let index = 0; index < 3; index++) await client.ask(fetch, 12, fetchRequest(0))
  client.send(fetch, 12, fetchRequest(1, 60_000))
  const idle = dial(broker)
  await idle.ask(metadata, 9, { topics: null })
  await broker.close()
  await Promise.all([client.closed(), idle.closed()])
  assert.equal(broker.kafka.connections, 0)
  assert.equal(broker.budget.used, 0)
})

test('what a consumer does not take is not read for it again and again', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const sender = dial(broker)
  for (let index = 0; index < 40; index++) {
    await sender.ask(produce, 9, produceRequest([new Uint8Array(900_000)]))
  }
  const [near, far] = createTransportPair()
  near.attach({ received: () => {}, closed: () => {} })
  far.attach(broker.kafka.accept(far))
  near.pause()
  const encoder = new KafkaTestClient((chunks) => near.write(chunks))
  for (let index = 0; index < 50; index++) encoder.send(fetch, 12, fetchRequest(index % 40))
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert(far.unsentBytes > 500_000 && far.unsentBytes < 4_000_000, `${far.unsentBytes} unsent`)
  near.destroy()
})
