import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  batchHeaderBytes,
  OverloadedError,
  type PolledBatch,
  type PollRequest,
  type PollResult,
} from '@kaska/protocol'
import { batchOf, context } from '../test/batches.ts'
import { fakeEngine } from '../test/fake-engine.ts'
import { CountedEngine } from './counted-engine.ts'
import { MemoryBudget } from './log/memory-budget.ts'

const mebibyte = 1024 * 1024

/** A counted engine whose polls are answered by the test. */
function setUp(total = 64 * mebibyte) {
  const budget = new MemoryBudget(total)
  const asked: PollRequest[] = []
  const answers: ((result: PollResult) => void)[] = []
  const inner = fakeEngine({
    poll: (request) => {
      asked.push(request)
      return new Promise((resolve) => answers.push(resolve))
    },
    send: ({ parts }) =>
      Promise.resolve(
        parts.map((_part, index) =>
          index === 0 ? { baseOffset: 0, appendTimestamp: undefined } : { error: new Error('no') },
        ),
      ),
  })
  const engine = new CountedEngine(inner, budget)
  const poll = (bytesMax: number) => engine.poll({ parts: [], waitMs: 0, bytesMax }, context)
  let released = 0
  const result = (...lengths: number[]): PollResult => ({
    batches: lengths.map(batchOfLength),
    failures: [],
    release: () => {
      released++
    },
  })
  return { budget, engine, asked, answers, poll, result, released: () => released }
}

function batchOfLength(length: number): PolledBatch {
  const records = [new Uint8Array(length)]
  const place = { topic: 'x', partition: 0, baseOffset: 0, leaderEpoch: 0 }
  return { ...batchOf(['a']), ...place, records, recordsLength: length }
}

test('what was polled is counted by its buffers until it is released', async () => {
  const { budget, poll, answers, result, released } = setUp()
  const polling = poll(1000)
  answers[0]?.(result(10_000, 20_000))
  const { batches, release } = await polling
  assert.equal(batches.length, 2)
  assert.equal(budget.used, 30_000)
  release()
  assert.deepEqual([budget.used, released()], [0, 1])
})

test('what there is no room for is let go, and may be asked for again', async () => {
  const { budget, poll, answers, result, released } = setUp()
  const first = poll(mebibyte)
  const second = poll(mebibyte)
  answers[0]?.(result(40 * mebibyte))
  const { release } = await first
  answers[1]?.(result(40 * mebibyte))
  await assert.rejects(second, OverloadedError)
  assert.deepEqual([budget.used, released()], [40 * mebibyte, 1])
  release()
  const third = poll(mebibyte)
  answers[2]?.(result(40 * mebibyte))
  ;(await third).release()
  assert.equal(budget.used, 0)
})

test('many polls that wait ask for less than the memory that there is, and for some each', async () => {
  const { asked, answers, poll, result, engine } = setUp()
  const polls = Array.from({ length: 100 }, () => poll(32 * mebibyte))
  const wishes = asked.map(({ bytesMax }) => bytesMax)
  assert.equal(wishes[0], 2 * mebibyte)
  assert.equal(wishes.at(-1), 64 * 1024)
  assert.ok(wishes.reduce((sum, bytes) => sum + bytes) < 24 * mebibyte)
  for (const answer of answers) answer(result())
  await Promise.all(polls)
  // What they were promised is there again.
  void poll(32 * mebibyte)
  assert.equal(asked.at(-1)?.bytesMax, 2 * mebibyte)
  void engine.poll({ parts: [], waitMs: 0, bytesMax: 1 }, context)
  assert.equal(asked.at(-1)?.bytesMax, 1)
})

test('what goes through is told', async () => {
  const { engine, poll, answers, result } = setUp()
  const batch = batchOf(['a', 'b'])
  const part = { topic: 'x', partition: 0, baseSequence: -1, batch }
  await engine.send({ producer: undefined, parts: [part, { ...part, partition: 1 }] }, context)
  const polling = poll(1)
  answers[0]?.(result(100))
  await polling
  assert.deepEqual(engine.traffic, {
    messagesIn: 2,
    bytesIn: batch.recordsLength + batchHeaderBytes,
    messagesOut: 1,
    bytesOut: 100 + batchHeaderBytes,
  })
})
