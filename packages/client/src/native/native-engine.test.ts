import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ClosedError,
  ConnectionError,
  DiskFullError,
  InternalError,
  joinChunks,
  type MessageBatch,
  MessageTooLargeError,
  native,
  OffsetOutOfRangeError,
  ProtocolError,
  RecordsBuilder,
  type RequestContext,
  type SendRequest,
  topicIdOf,
  topicNameOf,
  UnknownTopicError,
  UnsupportedVersionError,
} from '@kaska/protocol'
import { drainMicrotasks, ManualClock } from '../../../../sim/manual-clock.ts'
import { ScriptedBroker, type ScriptedRequest } from '../../test/scripted-broker.ts'
import { NativeEngine } from './native-engine.ts'

const context: RequestContext = { principal: null, clientId: '', address: '' }
const idA = topicIdOf(new Uint8Array(16).fill(1))
const idB = topicIdOf(new Uint8Array(16).fill(2))
const idC = topicIdOf(new Uint8Array(16).fill(3))

interface Setting {
  readonly clock: ManualClock
  readonly broker: ScriptedBroker
  readonly engine: NativeEngine
}

function create(): Setting {
  const clock = new ManualClock()
  const broker = new ScriptedBroker()
  broker.topics.set('a', { id: idA, ref: 1, partitions: 1 })
  broker.topics.set('b', { id: idB, ref: 2, partitions: 1 })
  const engine = new NativeEngine({
    dialer: broker.dialer,
    clock,
    clientId: 'me',
    connectTimeoutMs: 5000,
    receiveBytesMax: 1 << 20,
    silenceMsMax: 10_000,
  })
  return { clock, broker, engine }
}

function batchOf(value: Uint8Array): MessageBatch {
  const builder = new RecordsBuilder()
  builder.append({ key: null, value, headers: [], timestamp: 5 })
  return {
    attributes: 0,
    baseTimestamp: 5,
    maxTimestamp: 5,
    recordCount: 1,
    lastOffsetDelta: 0,
    recordsLength: builder.length,
    records: builder.finish(),
  }
}

function sendOf(topic: string, sequence: number, size = 1): SendRequest {
  const batch = batchOf(new Uint8Array(size).fill(sequence))
  return {
    producer: { producerId: 7, producerEpoch: 0 },
    parts: [{ topic, partition: 0, baseSequence: sequence, batch }],
  }
}

/** The first sequence number of a send. */
function sequenceOf({ fields }: ScriptedRequest): number {
  return native.readSendRequest(fields)[0]?.baseSequence ?? -1
}

test('what stands behind the broker is what it says', async () => {
  const { broker, engine } = create()
  assert.deepEqual(engine.capabilities, { kind: 'native', retriesSurviveCrash: true })
  broker.capabilities = { kind: 'kafka', retriesSurviveCrash: false }
  await engine.connect()
  assert.deepEqual(engine.capabilities, broker.capabilities)
  broker.last.transport.destroy()
  assert.deepEqual(engine.capabilities, { kind: 'kafka', retriesSurviveCrash: false })
})

test('the first bytes leave together with the introduction, each request in one write', async () => {
  const { broker, engine } = create()
  const identity = await engine.connect()
  assert.deepEqual(identity, {
    software: 'test',
    clusterId: 'c',
    frameBytesMax: 1 << 20,
    capabilities: { kind: 'native', retriesSurviveCrash: true },
  })
  assert.equal(broker.writes.length, 1)
  const bytes = joinChunks(broker.writes[0] ?? [])
  assert.deepEqual([...bytes.subarray(0, 4)], [0x4b, 0x53, 0x4b, 1])
  const [a] = await engine.resolve([topicNameOf('a')], context)
  assert.deepEqual(a, { name: 'a', id: idA, partitions: 1 })
  assert.equal(broker.writes.length, 2)
  await engine.connect()
  assert.equal(broker.dials, 1, 'one connection for all')
})

test('answers may overtake each other; each finds its request, and its error', async () => {
  const { broker, engine } = create()
  await engine.resolve([topicNameOf('a')], context)
  const size = engine.messageSize(idA, 0, 3, context)
  const count = engine.topicCount(context)
  const bounds = engine.offsets(idA, 0, context)
  await drainMicrotasks()
  const find = (operation: number): ScriptedRequest =>
    broker.unanswered.find((request) => request.operation === operation) as ScriptedRequest
  const { connection, tag } = find(native.operation.offsets)
  connection.answer(tag, (writer) => {
    native.writeOffsetBounds(writer, { startOffset: 4, endOffset: 8 })
  })
  assert.deepEqual(await bounds, { startOffset: 4, endOffset: 8 })
  const error = new OffsetOutOfRangeError('gone', { startOffset: 2, endOffset: 9 })
  connection.fail(find(native.operation.messageSize).tag, error)
  await assert.rejects(size, (received) => {
    assert.ok(received instanceof OffsetOutOfRangeError)
    const { startOffset, endOffset, message } = received
    assert.deepEqual([startOffset, endOffset, message], [2, 9, 'gone'])
    return true
  })
  connection.answer(find(native.operation.topicCount).tag, (writer) => writer.varint(77))
  assert.equal(await count, 77)
})

test('the connection breaks: what is under way rejects, what comes later has a new one', async () => {
  const { broker, engine } = create()
  const [a] = await engine.resolve([topicNameOf('a')], context)
  assert.ok(a)
  await engine.initProducer(context)
  const lost = assert.rejects(engine.send(sendOf(a.id, 0), context), ConnectionError)
  await drainMicrotasks()
  assert.deepEqual(broker.seen, ['identify', 'resolve', 'initProducer', 'send'])
  broker.last.transport.destroy()
  await lost
  broker.seen.length = 0
  const again = [0, 1, 2].map((sequence) => engine.send(sendOf(a.id, sequence), context))
  const size = engine.messageSize(a.id, 0, 0, context)
  await drainMicrotasks()
  // The topic's number and the producer first, the sends in their order.
  assert.deepEqual(broker.seen.slice(0, 1), ['identify'])
  assert.equal(broker.seen.filter((name) => name === 'initProducer').length, 1)
  assert.ok(broker.seen.indexOf('initProducer') < broker.seen.indexOf('send'))
  const sends = broker.unanswered.filter(({ operation }) => operation === native.operation.send)
  assert.deepEqual(sends.slice(-3).map(sequenceOf), [0, 1, 2])
  for (const { connection, tag } of broker.unanswered.slice(1)) {
    connection.answer(tag, (writer) => writer.varint(5))
  }
  assert.equal(await size, 5)
  for (const results of await Promise.all(again)) {
    assert.deepEqual(results, [{ baseOffset: 5, appendTimestamp: undefined }])
  }
  assert.equal(broker.dials, 2)
})

test('a send that waits for its topic is not overtaken by one that need not', async () => {
  const { broker, engine } = create()
  await engine.resolve([topicNameOf('a'), topicNameOf('b')], context)
  await engine.initProducer(context)
  broker.last.transport.destroy()
  await drainMicrotasks()
  await engine.resolve([topicNameOf('a')], context)
  const order: number[] = []
  broker.scripts.push((request) => {
    if (request.operation !== native.operation.send) return false
    order.push(sequenceOf(request))
    request.connection.answer(request.tag, (writer) => writer.varint(0))
    return true
  })
  await Promise.all([
    engine.send(sendOf(idB, 0), context),
    engine.send(sendOf(idA, 1), context),
    engine.send(sendOf(idA, 2), context),
  ])
  assert.deepEqual(order, [0, 1, 2])
})

test('a name that stands for another topic after a reconnect: the old one is unknown', async () => {
  const { broker, engine } = create()
  await engine.resolve([topicNameOf('a'), topicNameOf('b')], context)
  broker.topics.set('a', { id: idC, ref: 1, partitions: 1 })
  broker.last.transport.destroy()
  await drainMicrotasks()
  await assert.rejects(engine.messageSize(idA, 0, 0, context), UnknownTopicError)
  await assert.rejects(engine.offsets(idA, 0, context), UnknownTopicError)
  await assert.rejects(engine.committed('g', idA, 0, context), UnknownTopicError)
  const entry = { topic: idA, partition: 0, offset: 1 }
  await assert.rejects(engine.commit('g', [entry], context), UnknownTopicError)
  // In a request with others, they are not held up.
  broker.scripts.push(({ connection, operation, tag }) => {
    if (operation === native.operation.poll) connection.answer(tag, (writer) => writer.varint(0))
    else if (operation === native.operation.send) connection.answer(tag, (w) => w.varint(3))
    else return false
    return true
  })
  const parts = [idA, idB].map((topic) => ({ topic, partition: 0, offset: 0 }))
  const polled = await engine.poll({ parts, waitMs: 1000, bytesMax: 1000 }, context)
  assert.deepEqual(
    polled.failures.map(({ error, topic }) => [error.name, topic]),
    [['UnknownTopicError', idA]],
  )
  const both = [...sendOf(idA, 0).parts, ...sendOf(idB, 0).parts]
  const [gone, sent] = await engine.send({ ...sendOf(idA, 0), parts: both }, context)
  assert.ok(gone?.error instanceof UnknownTopicError)
  assert.deepEqual(sent, { baseOffset: 3, appendTimestamp: undefined })
})

test('an aborted poll is called off; its late answer is dropped, its tag used after that', async () => {
  const { broker, engine } = create()
  await engine.resolve([topicNameOf('a')], context)
  const controller = new AbortController()
  const parts = [{ topic: idA, partition: 0, offset: 0 }]
  const poll = engine.poll(
    { parts, waitMs: 1000, bytesMax: 1000 },
    { ...context, signal: controller.signal },
  )
  await drainMicrotasks()
  const reason = new Error('enough')
  const rejected = assert.rejects(poll, reason)
  controller.abort(reason)
  await rejected
  await drainMicrotasks()
  const [asked, cancel] = broker.unanswered
  assert.ok(asked && cancel)
  assert.equal(cancel.operation, native.operation.cancel)
  assert.equal(cancel.fields.varint(), asked.tag)
  const count = engine.topicCount(context)
  await drainMicrotasks()
  assert.notEqual(broker.unanswered[2]?.tag, asked.tag)
  asked.connection.answer(asked.tag, (writer) => writer.varint(0))
  broker.unanswered[2]?.connection.answer(broker.unanswered[2].tag, (writer) => writer.varint(6))
  assert.equal(await count, 6)
  for (let time = 0; time < 5; time++) void engine.topicCount(context).catch(() => {})
  await drainMicrotasks()
  const tags = broker.unanswered.slice(3).map(({ tag }) => tag)
  assert.ok(tags.includes(asked.tag))
  assert.equal(new Set(tags).size, 5)
  await assert.rejects(engine.topicCount({ ...context, signal: controller.signal }), reason)
})

test('bytes that are no answer end the connection with ProtocolError; the next one is fresh', async () => {
  const { broker, engine } = create()
  for (const bytes of [[2, 9, 0], [0], [0xff, 0xff, 0xff, 0x7f], [3, 1, 0, 0xff]]) {
    await engine.connect()
    const asked = assert.rejects(engine.topicCount(context), ProtocolError)
    await drainMicrotasks()
    broker.last.transport.write([Uint8Array.from(bytes)])
    await asked
    assert.equal(broker.last.isClosed, true)
  }
  broker.scripts.push(({ connection, operation, tag }) => {
    if (operation !== native.operation.topicCount) return false
    connection.answer(tag, (writer) => writer.varint(3))
    return true
  })
  assert.equal(await engine.topicCount(context), 3)
})

test('an error about the whole connection is that of all requests', async () => {
  const { broker, engine } = create()
  await engine.connect()
  const asked = assert.rejects(engine.topicCount(context), /you are too slow/)
  await drainMicrotasks()
  broker.last.fail(native.noticeTag, new ProtocolError('you are too slow'))
  await asked
})

test('a broker of another version is told from one that is not there', async () => {
  const { broker, engine } = create()
  broker.scripts.push(({ connection }) => {
    connection.transport.write(native.encodeVersionRefusal([2, 3]))
    return true
  })
  await assert.rejects(engine.connect(), (error) => {
    assert.ok(error instanceof UnsupportedVersionError)
    assert.match(error.message, /2, 3/)
    return true
  })
})

test('no broker: the error says what to do; the pauses between the tries grow', async () => {
  const { broker, clock, engine } = create()
  broker.dialError = new Error('connect ECONNREFUSED')
  await assert.rejects(engine.connect(), (error) => {
    assert.ok(error instanceof ConnectionError)
    assert.match(error.message, /memory:1.*ECONNREFUSED.*npx kaska/)
    assert.equal(error.cause, broker.dialError)
    return true
  })
  const pauses: number[] = []
  for (let time = 0; time < 8; time++) {
    const start = clock.monotonic()
    const both = [engine.connect(), engine.topicCount(context)]
    for (const promise of both) promise.catch(() => {})
    await clock.runUntil(Promise.allSettled(both), 1000)
    pauses.push(clock.monotonic() - start)
  }
  assert.deepEqual(pauses, [20, 40, 80, 160, 320, 640, 1000, 1000])
  assert.equal(broker.dials, 9, 'those that wait share one try')
  broker.dialError = undefined
  await clock.runUntil(engine.connect(), 1000)
})

test('a dial and an introduction that get no answer are given up after connectTimeoutMs', async () => {
  const { broker, clock, engine } = create()
  broker.scripts.push(() => true)
  const start = clock.monotonic()
  await assert.rejects(clock.runUntil(engine.connect(), 1000), /no answer for 5000 ms/)
  assert.equal(clock.monotonic() - start, 5000)
  assert.equal(broker.last.isClosed, true)

  const stuck = new NativeEngine({
    dialer: { address: 'nowhere', dial: () => new Promise(() => {}) },
    clock,
    clientId: '',
    connectTimeoutMs: 5000,
    receiveBytesMax: 1000,
    silenceMsMax: 10_000,
  })
  await assert.rejects(clock.runUntil(stuck.connect(), 1000), ConnectionError)
})

test('a silent broker is asked for a sign of life, and given up when none comes', async () => {
  const { broker, clock, engine } = create()
  await engine.resolve([topicNameOf('a')], context)
  await clock.advance(100_000)
  assert.deepEqual(broker.seen, ['identify', 'resolve'], 'nobody waits, nobody asks')
  const parts = [{ topic: idA, partition: 0, offset: 0 }]
  const poll = engine.poll({ parts, waitMs: 1e9, bytesMax: 1000 }, context)
  let isSettled = false
  void poll.catch(() => {
    isSettled = true
  })
  await clock.advance(100_000)
  assert.equal(isSettled, false, 'it answers its pings')
  assert.ok(broker.seen.filter((name) => name === 'ping').length >= 4)
  broker.scripts.push(() => true)
  const start = clock.monotonic()
  await assert.rejects(clock.runUntil(poll, 1000), ConnectionError)
  assert.ok(clock.monotonic() - start <= 30_000)
  assert.equal(broker.last.isClosed, true)
})

test("the broker's ping is answered", async () => {
  const { broker, engine } = create()
  await engine.connect()
  broker.last.transport.write(native.encodeNotice(native.operation.ping))
  await drainMicrotasks()
  assert.deepEqual(broker.seen, ['identify', 'ping'])
})

test('a request that is too long for the broker does not leave', async () => {
  const { broker, engine } = create()
  broker.frameBytesMax = 2000
  await engine.resolve([topicNameOf('a')], context)
  await engine.initProducer(context)
  await assert.rejects(engine.send(sendOf(idA, 0, 5000), context), MessageTooLargeError)
  await assert.rejects(engine.resolve([topicNameOf('x'.repeat(3000))], context), {
    code: 'INVALID_ARGUMENT',
  })
  void engine.send(sendOf(idA, 0, 1000), context).catch(() => {})
  await drainMicrotasks()
  assert.deepEqual(broker.seen, ['identify', 'resolve', 'initProducer', 'send'])
})

test('parts that are answered one by one', async () => {
  const { broker, engine } = create()
  await engine.resolve([topicNameOf('a'), topicNameOf('b')], context)
  await engine.initProducer(context)
  broker.scripts.push(({ connection, operation, tag }) => {
    if (operation !== native.operation.send) return false
    const results = [{ baseOffset: 3, appendTimestamp: 99 }, { error: new DiskFullError('full') }]
    const write = (writer: Parameters<typeof native.writeSendResponse>[0]) =>
      native.writeSendResponse(writer, results, 1)
    connection.answer(tag, write, 1)
    return true
  })
  const parts = [...sendOf(idA, 0).parts, ...sendOf(idB, 0).parts]
  const [one, other] = await engine.send({ ...sendOf(idA, 0), parts }, context)
  assert.deepEqual(one, { baseOffset: 3, appendTimestamp: 99 })
  assert.ok(other?.error instanceof DiskFullError)
})

test('the end: what waits, what dials and what comes later reject with ClosedError', async () => {
  const { broker, engine } = create()
  await engine.connect()
  const waiting = assert.rejects(engine.topicCount(context), ClosedError)
  await drainMicrotasks()
  await engine.close()
  await waiting
  await drainMicrotasks()
  assert.equal(broker.last.isClosed, true)
  await assert.rejects(engine.topicCount(context), ClosedError)
  await assert.rejects(engine.connect(), ClosedError)
  await engine.close()

  const other = create()
  other.broker.scripts.push(() => true)
  const dialling = assert.rejects(other.engine.connect(), ClosedError)
  await drainMicrotasks()
  await other.engine.close()
  await dialling
  await drainMicrotasks()
  assert.equal(other.broker.last.isClosed, true)
})

test('an error without a number of its own is one of the broker', async () => {
  const { broker, engine } = create()
  await engine.connect()
  const asked = assert.rejects(engine.topicCount(context), InternalError)
  await drainMicrotasks()
  broker.last.fail(broker.unanswered[0]?.tag ?? 0, new Error('secret'))
  await asked
})
