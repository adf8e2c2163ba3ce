/** Sends to brokers in memory that refuse, break and move: what is in the log then, and in which order. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  ConnectionError,
  kafka as kafkaProtocol,
  MessageTooLargeError,
  type SendPartResult,
  topicNameOf,
} from '@kaska/protocol'
import { batchOf, fakeCluster } from '../../test/fake-cluster.ts'

const { errorCode } = kafkaProtocol
const context = { principal: null, clientId: 'test', address: 'in-process' }

/** One message a batch, and none waits for others. */
const apart = { batchBytes: 1 }

test('what comes behind a first batch that is refused is numbered anew, and none is lost', async (t) => {
  const { client, kafka, run } = fakeCluster(t, 1, apart)
  const topic = kafka.create('orders')
  kafka.faultOf = ([value]) =>
    value === 'large' ? { code: errorCode.MESSAGE_TOO_LARGE, isStored: false } : undefined
  const refused = assert.rejects(client.send('orders', 'large'), MessageTooLargeError)
  const sends = ['a', 'b', 'c'].map((value) => client.send('orders', value))
  await run(refused)
  await run(Promise.all(sends))
  // Under the number of one that is there it would be taken for that one.
  const { offset } = await run(client.send('orders', 'd'))
  assert.deepEqual(kafka.log(topic, 0).values, ['a', 'b', 'c', 'd'])
  assert.equal(offset, 3)
})

for (const isStored of [false, true]) {
  test(`a first batch whose connection breaks (${isStored ? 'stored' : 'not stored'}) stays before the others`, async (t) => {
    const { client, kafka, run } = fakeCluster(t, 2, apart)
    const topic = kafka.create('orders')
    let isBroken = false
    kafka.faultOf = ([value]) => {
      if (isBroken || value !== 'a') return undefined
      isBroken = true
      return { code: 'lost', isStored }
    }
    const values = ['a', 'b', 'c', 'd']
    const sent = await run(Promise.all(values.map((value) => client.send('orders', value))))
    assert.deepEqual(kafka.log(topic, 0).values, values)
    assert.deepEqual(
      sent.map(({ offset }) => offset),
      [0, 1, 2, 3],
    )
  })
}

test('a producer that comes to a busy partition sends its first batch, and waits for the answer', async (t) => {
  const { engine, kafka, run } = fakeCluster(t, 1)
  const topic = kafka.create('orders')
  const code = errorCode.MESSAGE_TOO_LARGE
  kafka.faultOf = ([value]) => (value === 'large' ? { code, isStored: false } : undefined)
  const join = async () => {
    const producer = await engine.initProducer(context)
    return async (value: string, baseSequence: number) => {
      const part = { topic, partition: 0, baseSequence, batch: batchOf(value) }
      const [result] = await engine.send({ producer, parts: [part] }, context)
      return result?.error?.name ?? 'taken'
    }
  }
  const busy = await run(join())
  await run(busy('a', 0))
  const send = await run(join())
  const sends = [send('large', 0), send('behind', 1), busy('b', 1), busy('c', 2)]
  assert.deepEqual(await run(Promise.all(sends)), [
    ...['MessageTooLargeError', 'ConnectionError'],
    ...['taken', 'taken'],
  ])
  assert.equal(await run(send('in its place', 0)), 'taken')
  assert.deepEqual(kafka.log(topic, 0).values, ['a', 'b', 'c', 'in its place'])
})

test('what comes behind a first batch that is not sent at all is not sent either', async (t) => {
  const { engine, kafka, run } = fakeCluster(t, 1)
  const topic = kafka.create('orders')
  const producer = await run(engine.initProducer(context))
  const send = async (value: string, baseSequence: number, attributes = 0) => {
    const batch = { ...batchOf(value), attributes }
    const parts = [{ topic, partition: 0, baseSequence, batch }]
    const [result] = await engine.send({ producer, parts }, context)
    return result?.error?.name ?? 'taken'
  }
  const unknownCompression = 5
  const sends = [send('refused', 0, unknownCompression), send('behind', 1)]
  assert.deepEqual(await run(Promise.all(sends)), [
    'UnsupportedCompressionError',
    'ConnectionError',
  ])
  assert.equal(await run(send('in its place', 0)), 'taken')
  assert.deepEqual(kafka.log(topic, 0).values, ['in its place'])
})

/** Sends batches of one message, as the producers say, to the first partition of a new topic. */
function producing(t: TestContext) {
  const cluster = fakeCluster(t, 2)
  const { engine, kafka, run } = cluster
  const topic = kafka.create('orders')
  const send = async (value: string, producerId: number, producerEpoch: number, first: number) => {
    const producer = { producerId, producerEpoch }
    const parts = [{ topic, partition: 0, baseSequence: first, batch: batchOf(value) }]
    const [result] = await engine.send({ producer, parts }, context)
    // What is asked of the cluster meanwhile is answered.
    await cluster.clock.sleep(50)
    return result?.error?.name ?? 'taken'
  }
  return {
    ...cluster,
    topic,
    values: () => kafka.log(topic, 0).values,
    send: (...sent: Parameters<typeof send>) => run(send(...sent)),
  }
}

/** Longer than a producer may not know that its batch has failed, and not so long that it is forgotten. */
const long = 600_000

test('what comes long behind a first batch that has failed is refused until that one is there', async (t) => {
  const { clock, kafka, send, values } = producing(t)
  kafka.faultOf = ([value]) => (value === 'lost' ? { code: 'lost', isStored: false } : undefined)
  assert.equal(await send('lost', 7, 1, 0), 'ConnectionError')
  assert.equal(await send('b', 7, 1, 1), 'ConnectionError')
  await clock.advance(long)
  assert.equal(await send('b', 7, 1, 1), 'OutOfOrderSequenceError')
  assert.equal(await send('of the epoch before', 7, 0, 1), 'OutOfOrderSequenceError')
  assert.equal(await send('a', 7, 1, 0), 'taken')
  assert.equal(await send('b', 7, 1, 1), 'taken')
  // A producer may also go on in its next epoch.
  assert.equal(await send('lost', 7, 2, 0), 'ConnectionError')
  await clock.advance(long)
  assert.equal(await send('c', 7, 3, 0), 'taken')
  // What was sent so long ago is nowhere on its way.
  assert.equal(await send('lost', 7, 4, 0), 'ConnectionError')
  await clock.advance(3_700_000)
  assert.equal(await send('too late', 7, 3, 1), 'taken')
  assert.deepEqual(values(), ['a', 'b', 'c', 'too late'])
})

test('what comes long behind a first batch that was stored, though its answer was lost, is taken', async (t) => {
  const { clock, kafka, topic, send, values } = producing(t)
  kafka.faultOf = ([value]) => (value === 'a' ? { code: 'lost', isStored: true } : undefined)
  assert.equal(await send('a', 7, 0, 0), 'ConnectionError')
  // Another leads meanwhile.
  kafka.lead(topic, 0, 2)
  await clock.advance(long)
  assert.equal(await send('b', 7, 0, 1), 'taken')
  assert.deepEqual(values(), ['a', 'b'])
})

test('while nobody can tell whether a first batch was stored, what is behind it waits', async (t) => {
  const { clock, kafka, topic, send, values } = producing(t)
  kafka.faultOf = ([value]) => (value === 'a' ? { code: 'lost', isStored: true } : undefined)
  assert.equal(await send('a', 7, 0, 0), 'ConnectionError')
  kafka.lead(topic, 0, -1)
  await clock.advance(long)
  for (let tries = 0; tries < 3; tries++) {
    assert.equal(await send('b', 7, 0, 1), 'ConnectionError')
  }
  kafka.lead(topic, 0, 2)
  assert.equal(await send('b', 7, 0, 1), 'ConnectionError')
  assert.equal(await send('b', 7, 0, 1), 'taken')
  assert.deepEqual(values(), ['a', 'b'])
})

test('what is behind a first batch of a topic that was deleted is told so', async (t) => {
  const { clock, kafka, topic, send } = producing(t)
  kafka.faultOf = ([value]) => (value === 'lost' ? { code: 'lost', isStored: false } : undefined)
  assert.equal(await send('lost', 7, 0, 0), 'ConnectionError')
  kafka.lead(topic, 0, -1)
  await clock.advance(long)
  kafka.delete(topic)
  assert.equal(await send('b', 7, 0, 1), 'ConnectionError')
  assert.equal(await send('b', 7, 0, 1), 'UnknownTopicError')
})

test('a producer that the cluster has forgotten begins with a first batch, whatever its number', async (t) => {
  const { engine, clock, kafka, run, topic, send, values } = producing(t)
  const code = errorCode.MESSAGE_TOO_LARGE
  kafka.faultOf = ([value]) => (value === 'large' ? { code, isStored: false } : undefined)
  assert.equal(await send('a', 7, 0, 0), 'taken')
  await clock.advance(86_400_000)
  kafka.log(topic, 0).forgetProducers()
  const producer = { producerId: 7, producerEpoch: 0 }
  const sends = ['large', 'behind'].map((value, index) => {
    const parts = [{ topic, partition: 0, baseSequence: 1 + index, batch: batchOf(value) }]
    return engine.send({ producer, parts }, context)
  })
  const names = (await run(Promise.all(sends))).map(([result]) => result?.error?.name)
  assert.deepEqual(names, ['MessageTooLargeError', 'ConnectionError'])
  assert.equal(await send('in its place', 7, 0, 1), 'taken')
  assert.deepEqual(values(), ['a', 'in its place'])
})

test('numbers that go round: what has failed before the end comes before what is behind it', async (t) => {
  const { clock, kafka, send, values } = producing(t)
  kafka.faultOf = ([value]) => (value === 'lost' ? { code: 'lost', isStored: false } : undefined)
  const last = 2 ** 31 - 1
  assert.equal(await send('lost', 7, 0, last), 'ConnectionError')
  assert.equal(await send('behind', 7, 0, 0), 'ConnectionError')
  await clock.advance(long)
  assert.equal(await send('behind', 7, 0, 0), 'OutOfOrderSequenceError')
  assert.equal(await send('before', 7, 0, last), 'taken')
  assert.deepEqual(values(), ['before'])
})

test('of failed first batches the newest 10,000 are remembered', async (t) => {
  const { clock, kafka, send } = producing(t)
  kafka.faultOf = ([value]) => (value === 'lost' ? { code: 'lost', isStored: false } : undefined)
  for (let producer = 0; producer < 10_001; producer++) await send('lost', producer, 0, 0)
  await clock.advance(1_100)
  for (const producer of [1, 10_000]) {
    assert.equal(await send('behind', producer, 0, 1), 'OutOfOrderSequenceError')
  }
  assert.equal(await send('of nobody knows whom', 0, 0, 1), 'taken')
})

test('what a producer sends before it can know that its first batch was lost waits for that', async (t) => {
  const { client, clock, kafka, run } = fakeCluster(t, 2, apart)
  const topic = kafka.create('orders', [1, 2])
  const send = (value: string, partition: number) => client.send('orders', { value, partition })
  await run(send('known', 1))
  let isBroken = false
  kafka.faultOf = ([value]) => {
    if (isBroken || value !== 'a') return undefined
    isBroken = true
    return { code: 'lost', isStored: false }
  }
  // The call that it is in is over when the other broker answers.
  kafka.silence(2)
  const sends = [send('x', 1), send('a', 0)]
  await clock.advance(100)
  sends.push(send('b', 0))
  await clock.advance(1_000)
  kafka.lead(topic, 1, 1)
  await run(Promise.all(sends))
  assert.deepEqual(kafka.log(topic, 0).values, ['a', 'b'])
})

for (const [name, isStored] of [
  ['NOT_LEADER_OR_FOLLOWER', false],
  ['NOT_LEADER_OR_FOLLOWER', true],
  ['NOT_ENOUGH_REPLICAS', false],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', true],
  ['REQUEST_TIMED_OUT', true],
  ['KAFKA_STORAGE_ERROR', false],
  ['KAFKA_STORAGE_ERROR', true],
  ['UNKNOWN_TOPIC_ID', false],
] as const) {
  test(`${name}${isStored ? ', though it is stored' : ''}: sent again, it is there once, in its place`, async (t) => {
    const { client, kafka, run } = fakeCluster(t, 2, apart)
    const topic = kafka.create('orders')
    await run(client.send('orders', '0'))
    let left = 3
    kafka.faultOf = ([value]) => {
      if (value !== '2' || left-- <= 0) return undefined
      return { code: errorCode[name], isStored }
    }
    const values = ['1', '2', '3', '4']
    await run(Promise.all(values.map((value) => client.send('orders', value))))
    assert.deepEqual(kafka.log(topic, 0).values, ['0', ...values])
    assert.ok(left < 3)
  })
}

test('a partition that is found without a leader is sent to once it has one', async (t) => {
  const { client, clock, kafka, run } = fakeCluster(t, 1)
  const topic = kafka.create('orders', [-1])
  const sent = client.send('orders', 'a')
  await clock.advance(500)
  kafka.lead(topic, 0, 1)
  const start = clock.monotonic()
  await run(sent)
  assert.ok(clock.monotonic() - start < 500)
})

test('without a number, what may be stored is not sent again; what is not stored is', async (t) => {
  const { engine, kafka, run } = fakeCluster(t, 1)
  const topic = kafka.create('orders')
  const send = async (value: string): Promise<SendPartResult | undefined> => {
    const part = { topic, partition: 0, baseSequence: -1, batch: batchOf(value) }
    const [result] = await run(engine.send({ producer: undefined, parts: [part] }, context))
    return result
  }
  let isStored = true
  let left = 1
  const code = errorCode.NOT_LEADER_OR_FOLLOWER
  kafka.faultOf = () => (left-- > 0 ? { code, isStored } : undefined)
  const result = await send('a')
  assert.ok(result?.error instanceof ConnectionError)
  isStored = false
  left = 1
  assert.equal((await send('b'))?.error, undefined)
  assert.deepEqual(kafka.log(topic, 0).values, ['a', 'b'])
})

test('without a number, sends keep their order while the leader changes', async (t) => {
  const { clock, engine, kafka, run } = fakeCluster(t, 2)
  const topic = kafka.create('orders')
  const send = (value: string) => {
    const part = { topic, partition: 0, baseSequence: -1, batch: batchOf(value) }
    return engine.send({ producer: undefined, parts: [part] }, context)
  }
  await run(send('first'))
  // So that there are connections to both.
  kafka.lead(topic, 0, 2)
  await run(send('second'))
  kafka.lead(topic, 0, 1)
  await run(send('third'))
  kafka.latencyMs = 10
  const early = send('early')
  await clock.advance(0.5)
  kafka.latencyMs = 1
  kafka.lead(topic, 0, 2)
  // Others find out who leads now, before those who send do.
  await run(engine.resolve([topicNameOf('orders')], context))
  const late = send('late')
  await run(Promise.all([early, late]))
  assert.deepEqual(kafka.log(topic, 0).values, ['first', 'second', 'third', 'early', 'late'])
})
