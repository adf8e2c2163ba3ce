/**
 * The contract's rules on Kafka's protocol, where kafka-connection.test.ts does not have them: a client that is
 * stuck delays nobody, any bytes whatever do no harm, and what is pipelined is answered in its order.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinChunks, kafka, noTopicId } from '@kaska/protocol'
import { nodeClock } from '../src/host/node-clock.ts'
import { batchOf } from './batches.ts'
import { dialKafka, encodeBatch, KafkaTestClient, valuesOf } from './kafka-client.ts'
import { dialKafkaPort, type KafkaSocketClient } from './kafka-socket.ts'
import { createTopic, type NativeBroker, startNativeBroker } from './native-broker.ts'

const [produce, fetch, listOffsets, metadata] = [0, 1, 2, 3]

const dial = (broker: NativeBroker) => dialKafka((transport) => broker.kafka.accept(transport))

function produceRequest(values: (string | Uint8Array)[]) {
  const partitionData = [{ index: 0, records: encodeBatch(batchOf(values)) }]
  const topicData = [{ name: 'x', partitionData }]
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }
}

function fetchRequest(fetchOffset: number) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }]
  return { maxWaitMs: 0, minBytes: 1, maxBytes: 1 << 24, topics: [{ topic: 'x', partitions }] }
}

/** The same numbers each time. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test('clients that are stuck in any way delay no other', async () => {
  // Time goes by slowly for the broker: in its eyes nobody is stuck for long enough to be closed.
  const clock = { ...nodeClock, monotonic: () => nodeClock.monotonic() / 50 }
  await using broker = await startNativeBroker({ memoryBytesMax: 16 * 1024 * 1024, clock })
  await createTopic(broker)
  const port = await broker.listen()
  const clients: KafkaSocketClient[] = []
  const open = (): KafkaSocketClient => {
    const client = dialKafkaPort(port)
    clients.push(client)
    return client
  }
  const good = open()
  const large = new Uint8Array(900_000)
  for (let index = 0; index < 20; index++) await good.ask(produce, 9, produceRequest([large]))
  for (let index = 0; index < 8; index++) {
    // One that asks for everything and takes nothing; one that begins a large request; one that stops
    // within a length; and one that waits for what never comes.
    const reader = open()
    reader.socket.pause()
    for (let part = 0; part < 40; part++) reader.send(fetch, 12, fetchRequest(part % 20))
    open().write(Uint8Array.of(0, 0x10, 0, 0, 0, 0, 0, 9))
    open().write(Uint8Array.of(0, 0))
    open().send(fetch, 12, { ...fetchRequest(20), maxWaitMs: 60_000, minBytes: 1 << 24 })
  }
  for (let index = 0; index < 30; index++) {
    const { responses } = await good.ask(produce, 9, produceRequest([`m${index}`]))
    const [row] = responses[0].partitionResponses
    assert.deepEqual([row.errorCode, row.baseOffset], [0, 20 + index])
    const answer = await good.ask(fetch, 12, fetchRequest(20 + index))
    assert.deepEqual(valuesOf(answer.responses[0].partitions[0].records), [
      [20 + index, `m${index}`],
    ])
  }
  assert.ok(broker.budget.used <= broker.budget.total)
  assert.equal(broker.kafka.connections, clients.length)
  for (const { socket } of clients) socket.destroy()
})

test('requests of all kinds in one write are answered in their order', async () => {
  await using broker = await startNativeBroker({ syncMode: 'always' })
  await createTopic(broker)
  const client = dial(broker)
  const latest = {
    replicaId: -1,
    topics: [{ name: 'x', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  }
  const kinds: [number, number, object][] = [
    [produce, 9, produceRequest(['a'])],
    [produce, 9, produceRequest(['b'])],
    [listOffsets, 5, latest],
    [metadata, 9, { topics: null }],
    [fetch, 12, fetchRequest(0)],
    [18, 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' }],
    [produce, 9, produceRequest(['c'])],
    [listOffsets, 5, latest],
  ]
  const encoded = Array.from({ length: 10 }, () => kinds)
    .flat()
    .map(([key, version, input]) => client.encode(key, version, input))
  client.write(joinChunks(encoded.flatMap(({ chunks }) => chunks)))
  const ends: number[] = []
  for (const { sent } of encoded) {
    const answer = await client.answerTo(sent)
    if (sent.key === listOffsets) ends.push(answer.topics[0].partitions[0].offset)
  }
  // Each sees what was asked for before it, and nothing of what comes behind.
  const expected = Array.from({ length: 10 }, (_, round) => [3 * round + 2, 3 * round + 3]).flat()
  assert.deepEqual(ends, expected)
})

/** The bytes of a request behind its length: key, version, correlation id, no client id. */
function head(key: number, version: number): number[] {
  const api = kafka.apis.get(key)
  const isFlexible = api !== undefined && kafka.inRange(api.flexible, version)
  return [0, key, 0, version, 0, 0, 0, 1, 0xff, 0xff, ...(isFlexible ? [0] : [])]
}

function framed(bytes: readonly number[]): Uint8Array {
  const frame = new Uint8Array(4 + bytes.length)
  new DataView(frame.buffer).setInt32(0, bytes.length)
  frame.set(bytes, 4)
  return frame
}

test('counts, lengths and tags that lie end their connection, with the reason', async () => {
  await using broker = await startNativeBroker()
  const most = [0xff, 0xff, 0xff, 0xff, 0x0f]
  const cases: [string, number[], RegExp][] = [
    ['an array of four billion topics', [...head(metadata, 9), ...most], /claims|too early/],
    ['a name of four gigabytes', [...head(metadata, 9), 2, ...most, 97], /too early|claims|longer/],
    [
      'a count without an end',
      [...head(metadata, 9), ...Array(20).fill(0xff)],
      /larger than|malformed|too early/,
    ],
    ['four billion tags', [...head(18, 3), 2, 97, 2, 97, ...most], /claims|too early/],
    [
      'a tag beyond the end',
      [...head(18, 3), 2, 97, 2, 97, 1, 5, ...most],
      /longer than its message/,
    ],
    ['tags of the header', [0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, ...most], /claims|too early/],
    [
      'arrays in arrays that are longer than the request',
      [...head(fetch, 12), ...Array(25).fill(0), 2, 2, 97, ...most],
      /claims|too early/,
    ],
    [
      'records beyond the end',
      [...head(produce, 9), 0, 0, 1, 0, 0, 0, 0, 2, 2, 120, 2, 0, 0, 0, 0, ...most],
      /too early|claims|longer/,
    ],
    [
      'a null where there is none',
      [...head(listOffsets, 1), 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
      /null/,
    ],
  ]
  for (const [name, bytes, reason] of cases) {
    const client = dial(broker)
    client.write(framed(bytes))
    await client.closed()
    const report = broker.reports.pop() ?? ''
    assert.match(report, reason, name)
    assert.match(report, /^kafka client: closed: /, name)
    assert.doesNotMatch(report, /mistake of ours/, name)
    assert.equal(broker.budget.used, 0, name)
  }
})

test('what a version of Metadata cannot ask for is refused, as in Kafka', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  const [{ topicId }] = (await client.ask(metadata, 11, { topics: null })).topics
  const topics = [
    { name: 'x', topicId: noTopicId },
    { name: null, topicId },
  ]
  for (const version of [10, 11]) {
    const answer = await client.ask(metadata, version, { topics })
    assert.deepEqual(
      // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all kinds.
      answer.topics.map((row: any) => [row.errorCode, row.name]),
      [
        [42, 'x'],
        [42, ''],
      ],
    )
  }
})

test('any bytes whatever harm nobody: each API and version, cut, changed and made up', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const good = dial(broker)
  const next = random(20_240_101)
  const samples = new Map<number, object>([
    [produce, produceRequest(['a', 'b'])],
    [fetch, { ...fetchRequest(0), sessionEpoch: 0 }],
    [metadata, { topics: [{ name: 'x', topicId: noTopicId }] }],
  ])
  const encoder = new KafkaTestClient(() => {})
  let requests = 0
  for (const [key, { min, max }] of broker.kafka.versions) {
    for (let version = min; version <= max; version++) {
      for (let round = 0; round < 6; round++) {
        const sample = samples.get(key)
        let body: Uint8Array
        if (sample !== undefined && round < 4) {
          const { chunks } = encoder.encode(key, version, sample)
          body = joinChunks(chunks).slice(4)
          if (round === 0) body = body.subarray(0, next(body.length))
          else
            for (let change = 0; change < round; change++)
              body[10 + next(body.length - 10)] = next(256)
        } else {
          const length = next(200)
          // Small numbers are what looks most like a request.
          const bytes = Array.from({ length }, () => (next(3) === 0 ? next(256) : next(4)))
          body = Uint8Array.from([...head(key, version), ...bytes])
        }
        const client = dial(broker)
        client.write(framed([...body]))
        client.write(Uint8Array.of(0xff))
        requests++
        if (requests % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
  const { responses } = await good.ask(produce, 9, produceRequest(['after']))
  assert.equal(responses[0].partitionResponses[0].errorCode, 0)
  const mistakes = broker.reports.filter((line) => /mistake of ours/.test(line))
  assert.deepEqual(mistakes, [])
  assert.ok(requests > 500)
})

test('a large request is taken in slices: others have their turns meanwhile', async () => {
  let ms = 0
  let turns = 0
  const clock = {
    ...nodeClock,
    // Each look at it takes long.
    monotonic: () => {
      ms += 2
      return ms
    },
    yield: () => {
      turns++
      return nodeClock.yield()
    },
  }
  await using broker = await startNativeBroker({ clock, memoryBytesMax: 256 * 1024 * 1024 })
  const client = dial(broker)
  const topics = Array.from({ length: 20_000 }, (_, index) => ({
    topic: `t${index}`,
    partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }],
  }))
  const wanted = { maxWaitMs: 0, minBytes: 1, maxBytes: 1, topics, sessionEpoch: 0 }
  for (const version of [11, 12]) {
    turns = 0
    const answer = await client.ask(fetch, version, wanted)
    assert.equal(answer.responses.length, topics.length)
    // Decoded, looked up, answered and encoded: each of them gives way.
    assert.ok(turns > 4 * (topics.length / 64 / 4), `${turns} turns`)
  }
})
