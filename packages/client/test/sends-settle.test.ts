/**
 * Ways in which a message was once stored twice, or a send never settled: each was found by the
 * simulation (sim/), and is told here by itself.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConnectionError,
  type MessageBatch,
  native,
  PartitionOfflineError,
  ProducerFencedError,
  type ProducerIdentity,
  RecordsBuilder,
  type RequestContext,
  type SendPartResult,
  topicIdOf,
  topicNameOf,
} from '@kaska/protocol'
import { drainMicrotasks, ManualClock } from '../../../sim/manual-clock.ts'
import type { SendResult } from '../src/message.ts'
import { NativeEngine } from '../src/native/native-engine.ts'
import { createModelClient } from './model-client.ts'
import { ScriptedBroker } from './scripted-broker.ts'

test('the oldest batch loses its answer again and again while later ones are acknowledged', async () => {
  const model = createModelClient({ batchBytes: 1 })
  const { client, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', 'before'))
  const send = engine.send.bind(engine)
  let lost = 0
  engine.send = async (request) => {
    const results = await send(request)
    // It is in the log, and the client does not hear of it.
    const [part] = request.parts
    const isOldest =
      part !== undefined && engine.values('a')[1] === 'oldest' && part.baseSequence === 1
    if (isOldest && lost++ < 4) throw new ConnectionError('the answer was lost')
    return results
  }
  const sends = [client.send('a', 'oldest')]
  for (let number = 0; number < 30; number++) sends.push(client.send('a', `${number}`))
  const results = await model.run(Promise.all(sends))
  assert.ok(lost > 4)
  const expected = ['before', 'oldest', ...Array.from({ length: 30 }, (_, number) => `${number}`)]
  assert.deepEqual(engine.values('a'), expected)
  assert.deepEqual(
    results.map(({ offset }) => offset),
    expected.slice(1).map((_, index) => 1 + index),
  )
})

test('a send after one that got no producer id is settled', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a')
  engine.failures.push(new PartitionOfflineError('the producer ids are offline'))
  let second: Promise<SendResult> | undefined
  const first = client.send('a', 'first').catch((error: unknown) => {
    assert.ok(error instanceof PartitionOfflineError)
    // At once: the batch of the first one is still there.
    second = client.send('a', 'second')
  })
  await model.run(first)
  assert.ok(second !== undefined)
  assert.equal((await model.run(second)).offset, 0)
  assert.deepEqual(engine.values('a'), ['second'])
})

test('a send after one that was given up for time is settled', async () => {
  const model = createModelClient({ deliveryTimeoutMs: 1000 })
  const { client, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', 'before'))
  engine.isDown = true
  let second: Promise<void> | undefined
  const first = client.send('a', 'first').catch(() => {
    second = assert.rejects(client.send('a', 'second'), { code: 'DELIVERY_TIMEOUT' })
  })
  await model.run(first)
  assert.ok(second !== undefined)
  await model.run(second)
  engine.isDown = false
  await model.run(client.send('a', 'third'))
  assert.equal(engine.values('a').at(-1), 'third')
})

test('a batch that was given up and arrives after a later one is refused', async () => {
  const model = createModelClient({ deliveryTimeoutMs: 1000 })
  const { client, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', 'before'))
  const send = engine.send.bind(engine)
  let late: (() => Promise<readonly SendPartResult[]>) | undefined
  engine.send = (request) => {
    if (late !== undefined) return send(request)
    // It is on its way still, over a connection that the client gives up.
    late = () => send(request)
    return Promise.reject(new ConnectionError('lost'))
  }
  engine.isDown = true
  await assert.rejects(model.run(client.send('a', 'late')), { code: 'DELIVERY_TIMEOUT' })
  engine.isDown = false
  await model.run(client.send('a', 'next'))
  assert.ok(late !== undefined)
  const [result] = await model.run(late())
  assert.ok(result?.error instanceof ProducerFencedError)
  assert.deepEqual(engine.values('a'), ['before', 'next'])
})

const context: RequestContext = { principal: null, clientId: '', address: '' }
const topic = topicIdOf(new Uint8Array(16).fill(1))

test('a new producer id does not take over what is sent under another one', async () => {
  const broker = new ScriptedBroker()
  broker.topics.set('a', { id: topic, ref: 1, partitions: 1 })
  const engine = new NativeEngine({
    dialer: broker.dialer,
    clock: new ManualClock(),
    clientId: '',
    connectTimeoutMs: 5000,
    receiveBytesMax: 1 << 20,
    silenceMsMax: 10_000,
  })
  await engine.resolve([topicNameOf('a')], context)
  // As the broker does it: what comes later counts as the producer's that was asked for last.
  let ids = 0
  let producer: ProducerIdentity | undefined
  const sentAs: (number | undefined)[] = []
  const makeNew: (() => void)[] = []
  broker.scripts.push(({ connection, fields, operation, tag }) => {
    if (operation === native.operation.send) {
      sentAs.push(producer?.producerId)
      connection.answer(tag, (writer) => writer.varint(0))
      return true
    }
    if (operation !== native.operation.initProducer) return false
    const given = native.readProducer(fields)
    const answer = (identity: ProducerIdentity): void => {
      producer = identity
      connection.answer(tag, (writer) => native.writeProducer(writer, identity))
    }
    if (given !== undefined) answer(given)
    else makeNew.push(() => answer({ producerId: ++ids, producerEpoch: 0 }))
    return true
  })
  const asking = engine.initProducer(context)
  await drainMicrotasks()
  makeNew.shift()?.()
  const first = await asking
  const another = engine.initProducer(context)
  const part = { topic, partition: 0, baseSequence: 0, batch: batchOf('x') }
  const sending = engine.send({ producer: first, parts: [part] }, context)
  await drainMicrotasks()
  assert.deepEqual(sentAs, [], 'whose it would be is not decided yet')
  makeNew.shift()?.()
  const second = await another
  await sending
  await engine.send({ producer: second, parts: [part] }, context)
  assert.deepEqual(sentAs, [first.producerId, second.producerId])
})

function batchOf(value: string): MessageBatch {
  const builder = new RecordsBuilder()
  const bytes = new TextEncoder().encode(value)
  builder.append({ key: null, value: bytes, headers: [], timestamp: 5 })
  return {
    attributes: 0,
    baseTimestamp: 5,
    maxTimestamp: 5,
    recordCount: 1,
    lastOffsetDelta: 0,
    records: builder.finish(),
    recordsLength: builder.length,
  }
}
