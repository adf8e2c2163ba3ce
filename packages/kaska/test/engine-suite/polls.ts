/** The engine's contract for polls (contract 2): one for any number of topics. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createTopicId,
  LogTruncatedError,
  OffsetOutOfRangeError,
  type PollResult,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { batchOf, context, messagesOf } from '../batches.ts'
import type { Store } from './store.ts'

const random = new SeededRandom(9)

export function pollTests(store: () => Store): void {
  suite('poll', () => {
    test('one poll brings whole batches of several topics, in the order of its parts', async () => {
      const first = await store().create()
      const second = await store().create(2)
      await store().send(first, ['a', 'b', 'c'])
      await store().send(second, ['x'], 1)
      const result = await store().poll([
        { topic: second.id, partition: 1, offset: 0 },
        { topic: second.id, partition: 0, offset: 0 },
        { topic: first.id, partition: 0, offset: 2 },
      ])
      assert.deepEqual(
        result.batches.map(({ topic, partition, baseOffset }) => [topic, partition, baseOffset]),
        [
          [second.id, 1, 0],
          [first.id, 0, 0],
        ],
      )
      assert.deepEqual(result.failures, [])
      assert.deepEqual(messagesOf(result.batches).at(-1), {
        offset: 2,
        timestamp: 1002,
        value: 'c',
      })
      result.release()
    })

    test('at the end it waits, and the next message in any of its topics wakes it', async () => {
      const quiet = await store().create()
      const busy = await store().create()
      await store().send(busy, ['old'])
      const waiting = store().poll(
        [
          { topic: quiet.id, partition: 0, offset: 0 },
          { topic: busy.id, partition: 0, offset: 1 },
        ],
        60_000,
      )
      await store().send(busy, ['new'])
      const { batches, release } = await waiting
      assert.deepEqual(
        messagesOf(batches).map(({ value }) => value),
        ['new'],
      )
      release()
    })

    test('without a message it answers when its time is up, at once for 0 ms', async () => {
      const topic = await store().create()
      for (const waitMs of [0, 20]) {
        const start = performance.now()
        const result = await store().poll([{ topic: topic.id, partition: 0, offset: 0 }], waitMs)
        assert.deepEqual([result.batches, result.failures], [[], []])
        assert.ok(performance.now() - start >= waitMs - 1)
        result.release()
      }
    })

    test("a signal ends the wait with the signal's reason", async () => {
      const topic = await store().create()
      const { signal, abort } = abortable()
      const parts = [{ topic: topic.id, partition: 0, offset: 0 }]
      const request = { parts, waitMs: 60_000, bytesMax: 1000 }
      const waiting = store().engine.poll(request, { ...context, signal })
      const reason = new Error('enough')
      const rejected = assert.rejects(waiting, reason)
      await store().engine.topicCount(context)
      abort(reason)
      await rejected
      await assert.rejects(store().engine.poll(request, { ...context, signal }), reason)
      // The partition goes on.
      await store().send(topic, ['a'])
      assert.deepEqual(await store().values(topic), ['a'])
    })

    test('bytesMax bounds the answer, but for the first batch', async () => {
      const topic = await store().create()
      for (let index = 0; index < 10; index++) {
        await store().answer(topic, batchOf([new Uint8Array(1000)]))
      }
      const count = async (bytesMax: number, offset = 0): Promise<number> => {
        const part = { topic: topic.id, partition: 0, offset }
        const { batches, release } = await store().poll([part], 0, bytesMax)
        release()
        return batches.length
      }
      assert.equal(await count(0), 1)
      assert.equal(await count(1), 1)
      const some = await count(3500)
      assert.ok(some >= 2 && some <= 3, `${some} batches of 1 KB in 3.5 KB`)
      assert.equal(await count(100_000), 10)
      assert.equal(await count(100_000, 9), 1)
    })

    test('a busy partition leaves room for the quiet ones behind it', async () => {
      const busy = await store().create()
      const quiet = await store().create()
      for (let index = 0; index < 50; index++) {
        await store().answer(busy, batchOf([new Uint8Array(1000)]))
      }
      await store().answer(quiet, batchOf([new Uint8Array(3000)]))
      const parts = [
        { topic: busy.id, partition: 0, offset: 0 },
        { topic: quiet.id, partition: 0, offset: 0 },
      ]
      const { batches, release } = await store().poll(parts, 0, 10_000)
      assert.ok(batches.some(({ topic }) => topic === quiet.id))
      assert.ok(batches.filter(({ topic }) => topic === busy.id).length > 1)
      release()
    })

    test('an offset outside of what there is fails with both bounds; other parts are served', async () => {
      const topic = await store().create()
      const other = await store().create()
      await store().send(topic, ['a', 'b'])
      await store().send(other, ['x'])
      const result = await store().poll(
        [
          { topic: topic.id, partition: 0, offset: 3 },
          { topic: other.id, partition: 0, offset: 0 },
        ],
        60_000,
      )
      assert.equal(result.batches.length, 1)
      const error = failureOf(result)
      assert.ok(error instanceof OffsetOutOfRangeError)
      assert.deepEqual([error.startOffset, error.endOffset], [0, 2])
      result.release()
    })

    test('unknown topics and partitions fail at once', async () => {
      const topic = await store().create()
      const result = await store().poll(
        [
          { topic: createTopicId(random), partition: 0, offset: 0 },
          { topic: topic.id, partition: 1, offset: 0 },
        ],
        60_000,
      )
      assert.deepEqual(
        result.failures.map(({ error }) => error.name),
        [UnknownTopicError.errorName, UnknownPartitionError.errorName],
      )
      result.release()
    })

    test('the deletion of a topic wakes those who wait for it', async () => {
      const topic = await store().create()
      await store().send(topic, ['a'])
      const waiting = store().poll([{ topic: topic.id, partition: 0, offset: 1 }], 60_000)
      await store().engine.topicCount(context)
      await store().delete(topic)
      const result = await waiting
      assert.ok(failureOf(result) instanceof UnknownTopicError)
      result.release()
    })

    test('a reader hears of a truncation by the epoch that it saw last', async () => {
      const topic = await store().create()
      await store().send(topic, ['a', 'b'])
      const first = await store().poll([{ topic: topic.id, partition: 0, offset: 0 }])
      const lastEpoch = first.batches[0]?.leaderEpoch ?? -1
      first.release()
      assert.ok(lastEpoch >= 0)
      const part = { topic: topic.id, partition: 0 }

      // What it saw is still there.
      const same = await store().poll([{ ...part, offset: 2, lastEpoch }])
      assert.deepEqual([same.batches, same.failures], [[], []])
      same.release()

      // It has come further, in an epoch of before: that part of the log is gone.
      const ahead = await store().poll([{ ...part, offset: 9, lastEpoch: lastEpoch + 1 }])
      const error = failureOf(ahead)
      assert.ok(error instanceof LogTruncatedError, `${error}`)
      assert.equal(error.endOffset, 2)
      ahead.release()
    })

    test('what was handed out stays as it is while the log goes on', async () => {
      const topic = await store().create()
      await store().send(topic, ['first'])
      const result = await store().poll([{ topic: topic.id, partition: 0, offset: 0 }])
      for (let index = 0; index < 20; index++) await store().send(topic, [`next ${index}`])
      await store().delete(topic)
      assert.equal(messagesOf(result.batches)[0]?.value, 'first')
      result.release()
    })
  })
}

function failureOf(result: PollResult): Error | undefined {
  return result.failures[0]?.error
}

function abortable(): { signal: AbortSignal; abort: (reason: Error) => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) }
}
