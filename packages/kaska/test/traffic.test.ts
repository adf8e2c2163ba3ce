/** Messages and bytes in and out: what was acknowledged, once, and what readers were given. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { batchHeaderBytes, type PollPart } from '@kaska/protocol'
import { createBroker } from '../src/broker.ts'
import type { LocalEngine } from '../src/topics/local-engine.ts'
import { context as asking, batchOf } from './batches.ts'

async function start(context: TestContext) {
  const broker = await createBroker({ memory: true, topics: [{ name: 'a', partitions: 2 }] })
  context.after(() => broker.close())
  const engine = broker.engine as LocalEngine
  const topic = engine.topicNamed('a')?.id
  assert(topic !== undefined)
  const send = async (values: string[], options: { baseSequence?: number } = {}) => {
    const { baseSequence = -1 } = options
    const part = { topic, partition: 0, baseSequence, batch: batchOf(values) }
    const known = baseSequence < 0 ? undefined : producer
    const [result] = await engine.send({ producer: known, parts: [part] }, asking)
    return result
  }
  const producer = await engine.initProducer(asking)
  const poll = async (...parts: Omit<PollPart, 'topic'>[]) => {
    const request = { parts: parts.map((part) => ({ ...part, topic })), waitMs: 0, bytesMax: 1e6 }
    const result = await engine.poll(request, asking)
    result.release()
    return result
  }
  return { engine, topic, send, poll }
}

test('what was acknowledged is counted, with the header of its batch', async (context) => {
  const { engine, topic, send } = await start(context)
  await send(['x', 'yy', 'zzz'])
  const { recordsLength } = batchOf(['x', 'yy', 'zzz'])
  const { messagesIn, bytesIn, bytes } = await engine.topicFigures(topic, 1000)
  assert.deepEqual([messagesIn, bytesIn, bytes], [3, recordsLength + batchHeaderBytes, bytesIn])
  assert.deepEqual(engine.traffic, { messagesIn, bytesIn, messagesOut: 0, bytesOut: 0 })
})

test('what is sent again, and what is refused, is not', async (context) => {
  const { engine, send } = await start(context)
  assert.equal((await send(['x'], { baseSequence: 0 }))?.error, undefined)
  assert.equal((await send(['x'], { baseSequence: 0 }))?.error, undefined)
  assert((await send(['x'], { baseSequence: 7 }))?.error !== undefined)
  assert.equal(engine.traffic.messagesIn, 1)
})

test('a reader is given the messages from its offset on, over either interface', async (context) => {
  const { engine, topic, send, poll } = await start(context)
  await send(['0', '1', '2', '3'])
  await send(['4', '5'])
  await poll({ partition: 0, offset: 3 }, { partition: 1, offset: 0 })
  assert.equal(engine.traffic.messagesOut, 3)
  // The batch that holds it goes out whole.
  assert.equal(engine.traffic.bytesOut, engine.traffic.bytesIn)
  await poll({ partition: 0, offset: 6 })
  assert.equal(engine.traffic.messagesOut, 3)
  const part = { topic, partition: 0, offset: 1, bytesMax: 1e6 }
  const request = { parts: [part], waitMs: 0, bytesMin: 1, bytesMax: 1e6 }
  const stored = await engine.readStored(request, asking)
  stored.release()
  assert.equal(engine.traffic.messagesOut, 8)
  assert.equal((await engine.topicFigures(topic, 1000)).messagesOut, 8)
})
