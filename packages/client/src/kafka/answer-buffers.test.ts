/** When the buffers of an answer are freed: with its last reader, and never before. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { PollPart, PollResult } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { FakeKafka } from '../../test/fake-kafka.ts'
import { AnswerBuffers } from './answer-buffers.ts'
import { Cluster } from './cluster.ts'
import { FetchLanes } from './fetch-lanes.ts'
import type { KafkaDialer } from './kafka-link.ts'
import { KafkaPoller } from './kafka-poller.ts'

const context = { principal: null, clientId: 'test', address: 'in-process' }
const headBytes = 9
const stepsMax = 10_000

/** Polls of a broker whose answers come as off a socket: in a buffer of their own, behind their header. */
async function setUp(t: TestContext, { freesPolled }: { readonly freesPolled: boolean }) {
  const clock = new ManualClock()
  const kafka = new FakeKafka(clock)
  const dialer: KafkaDialer = {
    dial: async (address) => {
      const link = await kafka.dial(address)
      return {
        givesBuffers: true,
        isClosed: false,
        request: async (call, body) => {
          const chunks = await link.request(call, body)
          const bytes = Buffer.concat([new Uint8Array(headBytes), ...chunks])
          return [new Uint8Array(Uint8Array.from(bytes).buffer, headBytes)]
        },
        close: () => link.close(),
      }
    },
  }
  const { bootstrap } = kafka
  const cluster = new Cluster({ dialer, bootstrap, clock, connectTimeoutMs: 1000 })
  const lanes = new FetchLanes(cluster, clock)
  const offsets = () => Promise.resolve({ startOffset: 0, endOffset: 0 })
  const poller = new KafkaPoller({ cluster, lanes, clock, offsets, freesPolled })
  t.after(() => {
    cluster.close()
    lanes.close()
  })
  const poll = (parts: readonly PollPart[], signal?: AbortSignal) => {
    const who = signal === undefined ? context : { ...context, signal }
    const polled = poller.poll({ parts, waitMs: 60_000, bytesMax: 2 ** 20 }, who)
    polled.catch(() => {})
    return polled
  }
  const run = <T>(promise: Promise<T>) => clock.runUntil(promise, stepsMax)
  await run(cluster.control())
  return { clock, kafka, poll, run }
}

function viewOf({ batches }: PollResult, index = 0): Uint8Array {
  return batches[index]?.records[0] as Uint8Array
}

const large = new Uint8Array(10_000).fill(7)

test('an answer is freed when the last poll that it was for lets go', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t, { freesPolled: true })
  const [topic, other] = [kafka.create('topic'), kafka.create('other')]
  const part = { topic, partition: 0, offset: 0 }
  const aborting = new AbortController()
  const aborted = poll([part], aborting.signal)
  const polls = [poll([part]), poll([part]), poll([part, { ...part, topic: other }])]
  await clock.advance(100)
  aborting.abort(new Error('enough'))
  await assert.rejects(aborted)
  kafka.append(topic, 0, large)
  const results = await run(Promise.all(polls))
  const views = results.map((result) => viewOf(result))
  assert.equal(new Set(views.map(({ buffer }) => buffer)).size, 1)
  const { length } = views[0] as Uint8Array
  for (const result of results) {
    assert.ok(length > large.length && views.every((view) => view.length === length))
    result.release()
  }
  assert.equal(views[0]?.buffer.byteLength, 0)
})

test('an answer with news of two partitions is freed when both have been let go', async (t) => {
  const { kafka, poll, run } = await setUp(t, { freesPolled: true })
  const topics = ['one', 'two'].map((name) => kafka.create(name))
  for (const topic of topics) kafka.append(topic, 0, large)
  const polls = topics.map((topic) => poll([{ topic, partition: 0, offset: 0 }]))
  const [one, two] = (await run(Promise.all(polls))) as [PollResult, PollResult]
  assert.equal(viewOf(one).buffer, viewOf(two).buffer)
  one.release()
  assert.ok(viewOf(two).length > large.length)
  two.release()
  assert.equal(viewOf(one).length, 0)
  // Both in one poll.
  const both = await run(poll(topics.map((topic) => ({ topic, partition: 0, offset: 0 }))))
  assert.equal(viewOf(both, 0).buffer, viewOf(both, 1).buffer)
  assert.ok(viewOf(both).length > large.length)
  both.release()
  assert.equal(viewOf(both).length, 0)
})

test('what is polled for a program stays its own', async (t) => {
  const { kafka, poll, run } = await setUp(t, { freesPolled: false })
  const topic = kafka.create('topic')
  kafka.append(topic, 0, large)
  const result = await run(poll([{ topic, partition: 0, offset: 0 }]))
  result.release()
  assert.ok(viewOf(result).length > large.length)
})

test('only what is alone in its buffer is freed', () => {
  const chunk = (before: number, length: number, after: number) =>
    new Uint8Array(new ArrayBuffer(before + length + after), before, length)
  const chunks = [
    chunk(headBytes, 5000, 0),
    chunk(0, 5000, 0),
    // The end of another answer, the beginning of one; not worth it.
    chunk(headBytes + 1, 5000, 0),
    chunk(0, 5000, 1),
    chunk(0, 4000, 0),
  ]
  const buffers = new AnswerBuffers()
  buffers.take(chunks)
  buffers.hold()
  buffers.release()
  assert.ok(chunks.every(({ length }) => length > 0))
  buffers.release()
  assert.deepEqual(
    chunks.map(({ length }) => length),
    [0, 0, 5000, 5000, 4000],
  )
})
