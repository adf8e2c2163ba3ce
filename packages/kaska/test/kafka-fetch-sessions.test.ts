/** Fetch sessions (KIP-227): what requests and answers leave out, what ends a session, and its costs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noTopicId, topicNameOf } from '@kaska/protocol'
import { batchOf, context } from './batches.ts'
import { dialKafka, encodeBatch, type KafkaTestClient, valuesOf } from './kafka-client.ts'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'

const [produce, fetch] = [0, 1]
const notFound = 70
const wrongEpoch = 71
const topicIdError = 106

const dial = (broker: NativeBroker) => dialKafka((transport) => broker.kafka.accept(transport))

async function createTopic(broker: NativeBroker, name = 'x', partitions = 4): Promise<string> {
  const request = { name: topicNameOf(name), partitions, config: new Map() }
  return (await broker.engine.createTopic(request, context)).id
}

async function send(client: KafkaTestClient, index: number, value: string, topic = 'x') {
  const partitionData = [{ index, records: encodeBatch(batchOf([value])) }]
  const topicData = [{ name: topic, partitionData }]
  const request = { transactionalId: null, acks: -1, timeoutMs: 1000, topicData }
  const { responses } = await client.ask(produce, 9, request)
  assert.equal(responses[0].partitionResponses[0].errorCode, 0)
}

/** A partition to fetch: its number, and the offset. */
type Wish = readonly [partition: number, offset: number]

interface More {
  readonly topic?: string
  readonly topicId?: string
  readonly maxWaitMs?: number
  readonly maxBytes?: number
  readonly partitionMaxBytes?: number
  readonly forgotten?: readonly number[]
  readonly lastFetchedEpoch?: number
}

function request(session: readonly [id: number, epoch: number], wishes: Wish[], more: More = {}) {
  const { topic = 'x', topicId = noTopicId, partitionMaxBytes = 1 << 20, forgotten = [] } = more
  const partitions = wishes.map(([partition, fetchOffset]) => ({
    partition,
    fetchOffset,
    partitionMaxBytes,
    lastFetchedEpoch: more.lastFetchedEpoch ?? -1,
  }))
  return {
    sessionId: session[0],
    sessionEpoch: session[1],
    maxWaitMs: more.maxWaitMs ?? 0,
    minBytes: 1,
    maxBytes: more.maxBytes ?? 1 << 24,
    topics: partitions.length === 0 ? [] : [{ topic, topicId, partitions }],
    forgottenTopicsData: forgotten.length === 0 ? [] : [{ topic, topicId, partitions: forgotten }],
  }
}

/** What an answer says: of each partition its number, its error, its end, and the values. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all kinds.
function rowsOf(answer: any): unknown[] {
  assert.equal(answer.errorCode, 0)
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  const rows = answer.responses.flatMap(({ partitions }: any) => partitions)
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  return rows.map((row: any) => [
    row.partitionIndex,
    row.errorCode,
    row.highWatermark,
    valuesOf(row.records).map(([, value]) => value),
  ])
}

const all: Wish[] = [0, 1, 2, 3].map((partition) => [partition, 0] as const)

test('an answer holds what has changed, and a request what is new', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  await send(client, 1, 'a')
  const first = await client.ask(fetch, 12, request([0, 0], all))
  const id = first.sessionId
  assert.ok(id > 0)
  assert.deepEqual(rowsOf(first), [
    [0, 0, 0, []],
    [1, 0, 1, ['a']],
    [2, 0, 0, []],
    [3, 0, 0, []],
  ])
  const second = await client.ask(fetch, 12, request([id, 1], [[1, 1]]))
  assert.deepEqual([second.sessionId, rowsOf(second)], [id, []])
  assert.deepEqual(rowsOf(await client.ask(fetch, 12, request([id, 2], []))), [])
  await send(client, 2, 'b')
  await send(client, 1, 'c')
  const third = rowsOf(await client.ask(fetch, 12, request([id, 3], [])))
  assert.deepEqual(third.sort(), [
    [1, 0, 2, ['c']],
    [2, 0, 1, ['b']],
  ])
  // What was sent and not moved behind is sent again.
  const again = rowsOf(await client.ask(fetch, 12, request([id, 4], [[1, 2]])))
  assert.deepEqual(again, [[2, 0, 1, ['b']]])
})

test('of a partition that is named twice the last counts', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  for (const value of ['a', 'b']) await send(client, 1, value)
  const twice: Wish[] = [
    [1, 0],
    [0, 0],
    [1, 1],
  ]
  const answer = await client.ask(fetch, 12, request([0, 0], twice))
  assert.deepEqual(
    rowsOf(answer).map((row) => (row as unknown[])[0]),
    [1, 0],
  )
  const [first] = answer.responses[0].partitions
  assert.deepEqual(valuesOf(first.records), [[1, 'b']])
  assert.deepEqual(
    rowsOf(await client.ask(fetch, 12, request([answer.sessionId, 1], [[1, 2]]))),
    [],
  )
})

test('a session that waits is woken by any of its partitions', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const [client, other] = [dial(broker), dial(broker)]
  const { sessionId: id } = await client.ask(fetch, 12, request([0, 0], all))
  const wait = { maxWaitMs: 60_000 }
  let moved: Wish[] = []
  for (let epoch = 1; epoch <= 12; epoch++) {
    const partition = (epoch * 3) % 4
    const waiting = client.send(fetch, 12, request([id, epoch], moved, wait))
    if (epoch % 3 > 0) await new Promise((resolve) => setImmediate(resolve))
    await send(other, partition, `m${epoch}`)
    const end = Math.ceil(epoch / 4)
    const rows = rowsOf(await client.answerTo(waiting))
    assert.deepEqual(rows.at(-1), [partition, 0, end, [`m${epoch}`]])
    moved = [[partition, end]]
  }
})

test('errors of a session: no such one, another epoch, names in the place of ids', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const [client, other] = [dial(broker), dial(broker)]
  const errorOf = async (who: KafkaTestClient, session: [number, number], version = 12) =>
    (await who.ask(fetch, version, request(session, []))).errorCode
  assert.equal(await errorOf(client, [77, 1]), notFound)
  const { sessionId: id } = await client.ask(fetch, 12, request([0, 0], all))
  assert.equal(await errorOf(client, [id, 2]), wrongEpoch)
  assert.equal(await errorOf(client, [id, 1], 13), topicIdError)
  assert.equal(await errorOf(other, [id, 1]), notFound, 'of another connection')
  assert.equal(await errorOf(client, [id, 1]), 0)
  assert.equal(await errorOf(client, [id, 1]), wrongEpoch, 'said twice')
  // A full request ends the session that it names, and may make another one.
  const renewed = await client.ask(fetch, 12, request([id, 0], all))
  assert.notEqual(renewed.sessionId, id)
  assert.equal(await errorOf(client, [id, 2]), notFound)
  const last = await client.ask(fetch, 12, request([renewed.sessionId, -1], all))
  assert.deepEqual([last.sessionId, rowsOf(last).length], [0, 4])
  assert.equal(await errorOf(client, [renewed.sessionId, 1]), notFound)
})

test('what is forgotten is not said any more, and nothing left is the end', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  const { sessionId: id } = await client.ask(fetch, 11, request([0, 0], all))
  await client.ask(fetch, 11, request([id, 1], [], { forgotten: [0, 1, 3] }))
  for (const partition of [0, 1, 2]) await send(client, partition, 'a')
  const rows = rowsOf(await client.ask(fetch, 11, request([id, 2], [])))
  assert.deepEqual(rows, [[2, 0, 1, ['a']]])
  const used = broker.budget.used
  const empty = await client.ask(
    fetch,
    11,
    request([id, 3], [], { forgotten: [2], maxWaitMs: 60_000 }),
  )
  assert.deepEqual([empty.sessionId, rowsOf(empty)], [0, []])
  assert.ok(broker.budget.used < used)
  const { errorCode } = await client.ask(fetch, 11, request([id, 4], []))
  assert.equal(errorCode, notFound)
})

test('partitions have their turns, however little an answer may hold', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  for (const [partition] of all) {
    for (let index = 0; index < 3; index++) await send(client, partition, `${partition}.${index}`)
  }
  const little = { maxBytes: 1 }
  const answer = await client.ask(fetch, 12, request([0, 0], all, little))
  const seen: string[] = []
  const offsets = new Map<number, number>()
  let moved: Wish[] = []
  const take = (rows: unknown[]) => {
    moved = []
    for (const [partition, , , values] of rows as [number, number, number, string[]][]) {
      if (values.length === 0) continue
      seen.push(...values)
      const offset = (offsets.get(partition) ?? 0) + values.length
      offsets.set(partition, offset)
      moved.push([partition, offset])
    }
  }
  take(rowsOf(answer))
  for (let epoch = 1; epoch < 12; epoch++) {
    take(rowsOf(await client.ask(fetch, 12, request([answer.sessionId, epoch], moved, little))))
  }
  const rounds = [0, 1, 2].map((round) => all.map(([partition]) => `${partition}.${round}`))
  for (const [index, round] of rounds.entries()) {
    assert.deepEqual(seen.slice(index * 4, index * 4 + 4).sort(), round)
  }
})

test('a topic that is deleted, made anew, or not there yet', async () => {
  await using broker = await startNativeBroker()
  const firstId = await createTopic(broker)
  const [client, byId] = [dial(broker), dial(broker)]
  const { sessionId } = await client.ask(fetch, 12, request([0, 0], [[0, 0]]))
  const ids = { topicId: firstId }
  const { sessionId: idSession } = await byId.ask(fetch, 13, request([0, 0], [[0, 0]], ids))
  const waiting = client.send(fetch, 12, request([sessionId, 1], [], { maxWaitMs: 60_000 }))
  await new Promise((resolve) => setImmediate(resolve))
  await broker.engine.deleteTopic(topicNameOf('x'), context)
  assert.deepEqual(rowsOf(await client.answerTo(waiting)), [[0, 3, -1, []]])
  // With nothing but errors there is nothing to wait for; they are said each time.
  for (const epoch of [2, 3]) {
    const rows = rowsOf(
      await client.ask(fetch, 12, request([sessionId, epoch], [], { maxWaitMs: 60_000 })),
    )
    assert.deepEqual(rows, [[0, 3, -1, []]])
  }
  await createTopic(broker)
  await send(client, 0, 'new')
  const rows = rowsOf(await client.ask(fetch, 12, request([sessionId, 4], [])))
  assert.deepEqual(rows, [[0, 0, 1, ['new']]])
  const old = rowsOf(await byId.ask(fetch, 13, request([idSession, 1], [])))
  assert.deepEqual(old, [[0, 100, -1, []]])
})

test('a start that has moved is said', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const client = dial(broker)
  for (const value of ['a', 'b']) await send(client, 1, value)
  const ends: Wish[] = [
    [0, 0],
    [1, 2],
  ]
  const { sessionId: id } = await client.ask(fetch, 12, request([0, 0], ends))
  assert.deepEqual(rowsOf(await client.ask(fetch, 12, request([id, 1], []))), [])
  const topics = [{ name: 'x', partitions: [{ partitionIndex: 1, offset: 1 }] }]
  await client.ask(21, 2, { topics, timeoutMs: 1000 })
  const answer = await client.ask(fetch, 12, request([id, 2], []))
  assert.deepEqual(rowsOf(answer), [[1, 0, 2, []]])
  assert.equal(answer.responses[0].partitions[0].logStartOffset, 1)
})

test('a topic that is not there does not keep others from being waited for', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker)
  const [client, other] = [dial(broker), dial(broker)]
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }]
  const topics = ['missing', 'x'].map((topic) => ({ topic, partitions }))
  const wanted = { ...request([0, 0], [], { maxWaitMs: 60_000 }), topics }
  const full = client.send(fetch, 12, wanted)
  await new Promise((resolve) => setImmediate(resolve))
  await send(other, 0, 'a')
  const { sessionId, ...answer } = await client.answerTo(full)
  assert.deepEqual(rowsOf(answer), [
    [0, 3, -1, []],
    [0, 0, 1, ['a']],
  ])
  const next = { ...request([sessionId, 1], [[0, 1]], { maxWaitMs: 60_000 }) }
  const incremental = client.send(fetch, 12, next)
  await new Promise((resolve) => setImmediate(resolve))
  await send(other, 0, 'b')
  assert.deepEqual(rowsOf(await client.answerTo(incremental)).sort(), [
    [0, 0, 2, ['b']],
    [0, 3, -1, []],
  ])
})

test('a session ends with its connection, and gives its memory back', async () => {
  await using broker = await startNativeBroker()
  await createTopic(broker, 'x', 100)
  const idle = dial(broker)
  const before = broker.budget.used
  const client = dial(broker)
  const wishes: Wish[] = Array.from({ length: 100 }, (_, partition) => [partition, 0])
  for (let round = 0; round < 3; round++) {
    const { sessionId } = await client.ask(fetch, 12, request([0, 0], wishes))
    await client.ask(fetch, 12, request([sessionId, 1], []))
  }
  assert.ok(broker.budget.used > before + 3 * 100 * 500)
  client.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff))
  await client.closed()
  assert.equal(broker.budget.used, before)
  await send(idle, 5, 'nobody is woken')
})

test('where there is no room for a session there is none, and a growing one starts anew', async () => {
  await using broker = await startNativeBroker({ memoryBytesMax: 16 * 1024 * 1024 })
  await createTopic(broker, 'x', 5000)
  const client = dial(broker)
  const wishes = (count: number, from = 0): Wish[] =>
    Array.from({ length: count }, (_, index) => [from + index, 0])
  const large = await client.ask(fetch, 12, request([0, 0], wishes(5000)))
  assert.deepEqual([large.sessionId, rowsOf(large).length], [0, 5000])
  const small = await client.ask(fetch, 12, request([0, 0], wishes(1000)))
  assert.ok(small.sessionId > 0)
  const grown = await client.ask(fetch, 12, request([small.sessionId, 1], wishes(3000, 1000)))
  assert.equal(grown.errorCode, notFound)
  const again = await client.ask(fetch, 12, request([0, 0], wishes(1000)))
  assert.ok(again.sessionId > 0)
})

test('a session keeps no logs open, and hears of what is written to them all the same', async () => {
  await using broker = await startNativeBroker({ openPartitionsMax: 8 })
  await createTopic(broker, 'x', 100)
  const [client, other] = [dial(broker), dial(broker)]
  const wishes: Wish[] = Array.from({ length: 100 }, (_, partition) => [partition, 0])
  const { sessionId } = await client.ask(fetch, 12, request([0, 0], wishes))
  await client.ask(fetch, 12, request([sessionId, 1], []))
  const waiting = client.send(fetch, 12, request([sessionId, 2], [], { maxWaitMs: 60_000 }))
  await createTopic(broker, 'y', 100)
  for (let partition = 0; partition < 100; partition++) await send(other, partition, 'a', 'y')
  assert.ok(broker.engine.openPartitions < 50, `${broker.engine.openPartitions} open`)
  await send(other, 70, 'b')
  assert.deepEqual(rowsOf(await client.answerTo(waiting)), [[70, 0, 1, ['b']]])
})
