/** A tail over an engine that answers what a test says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConnectionError,
  type Engine,
  OffsetOutOfRangeError,
  OverloadedError,
  type PolledBatch,
  type PollResult,
  UnknownTopicError,
} from '@kaska/protocol'
import { Hono } from 'hono/tiny'
import { batchOf } from '../../test/batches.ts'
import { fakeEngine, topicOf } from '../../test/fake-engine.ts'
import { createCodecs, createExpander } from '../host/codecs.ts'
import { nodeClock } from '../host/node-clock.ts'
import { AnswerMemory } from './answer-memory.ts'
import type { HttpEnvironment } from './http-parts.ts'
import { tailPaths } from './tail.ts'

const topic = topicOf('orders')

function batchAt(baseOffset: number, ...values: readonly string[]): PolledBatch {
  return { ...batchOf(values), topic: topic.id, partition: 0, baseOffset, leaderEpoch: 0 }
}

function resultOf(batches: readonly PolledBatch[], failure?: Error): PollResult {
  const failures = failure === undefined ? [] : [{ topic: topic.id, partition: 0, error: failure }]
  return { batches, failures, release: () => {} }
}

/** The lines of a tail, whose pauses are over at once. */
async function* follow(
  poll: Engine['poll'],
  head: Record<string, string> = {},
  tryReserve: (bytes: number) => boolean = () => true,
): AsyncGenerator<string, void, undefined> {
  const app = new Hono<HttpEnvironment>()
  const clock = {
    ...nodeClock,
    after: (_: number, callback: () => void) => nodeClock.after(0, callback),
  }
  const engine = fakeEngine({
    poll,
    offsets: () => Promise.resolve({ startOffset: 0, endOffset: 0 }),
  })
  const answers = new AnswerMemory({ total: 1e6, tryReserve, release: () => {} })
  const reading = { engine, clock, codecs: createCodecs(), expander: createExpander(), answers }
  tailPaths(app, reading, (line) => assert.fail(line))
  const request = new Request('http://x/api/v1/topics/orders/tail', { headers: head })
  const peer = { address: '127.0.0.1:1', isTls: false }
  const response = await app.fetch(request, { peer, ended: () => {} })
  assert.equal(response.status, 200)
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end)
      text = text.slice(end + 2)
    }
  }
}

/** The first so many of what matches. */
async function first(
  lines: AsyncGenerator<string, void, undefined>,
  count: number,
  pattern: RegExp,
): Promise<string[]> {
  const found: string[] = []
  for await (const line of lines) {
    if (pattern.test(line)) found.push(line)
    if (found.length === count) break
  }
  return found
}

test('where a cluster does not answer, and where there is no memory, it waits, and loses nothing', async () => {
  const answers = [
    () => Promise.reject(new ConnectionError('no broker')),
    () => Promise.resolve(resultOf([batchAt(0, 'a', 'b')])),
    () => Promise.resolve(resultOf([batchAt(0, 'a', 'b')])),
    () => Promise.resolve(resultOf([], new OverloadedError('later'))),
    () => Promise.resolve(resultOf([batchAt(2, 'c')])),
  ]
  const asked: number[] = []
  let refusals = 1
  const lines = follow(
    ({ parts }) => {
      asked.push(parts[0]?.offset ?? -1)
      return (answers.shift() ?? (() => new Promise<never>(() => {})))()
    },
    {},
    () => refusals-- <= 0,
  )
  const events = await first(lines, 3, /^id: /)
  assert.deepEqual(
    events.map((event) => /^id: (\S+)\ndata: .*"value":"(.)"/.exec(event)?.slice(1)),
    [
      ['0:1', 'a'],
      ['0:2', 'b'],
      ['0:3', 'c'],
    ],
  )
  assert.deepEqual(asked.slice(0, 5), [0, 0, 0, 2, 2])
})

test('what was deleted meanwhile is passed over', async () => {
  const asked: number[] = []
  const lines = follow(
    ({ parts }) => {
      const offset = parts[0]?.offset ?? -1
      asked.push(offset)
      const bounds = { startOffset: 7, endOffset: 8 }
      const gone = new OffsetOutOfRangeError('gone', bounds)
      return Promise.resolve(offset < 7 ? resultOf([], gone) : resultOf([batchAt(7, 'g')]))
    },
    { 'last-event-id': '0:3' },
  )
  const [event] = await first(lines, 1, /^(id|event): /)
  assert.match(event ?? '', /^id: 0:8\ndata: .*"offset":7/)
  assert.deepEqual(asked, [3, 7])
})

test('what it cannot go on from is its last event', async () => {
  const gone = new UnknownTopicError('it was deleted')
  let last = ''
  for await (const line of follow(() => Promise.resolve(resultOf([], gone)))) last = line
  assert.match(last, /^event: problem\ndata: .*UNKNOWN_TOPIC/)
})
