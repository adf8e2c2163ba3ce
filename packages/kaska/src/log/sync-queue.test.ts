import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { SyncQueue } from './sync-queue.ts'

test('some at a time, first come first served; counted with the time that each took', async () => {
  const clock = new ManualClock()
  const queue = new SyncQueue(2, clock)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const results = [0, 1, 2].map((index) =>
    queue.run(async () => {
      begun.push(index)
      await new Promise<void>((resolve) => ends.push(resolve))
      return index
    }),
  )
  assert.deepEqual(begun, [0, 1])
  assert.deepEqual([queue.parallelMax, queue.count, queue.runMs], [2, 0, 0])
  await clock.advance(10)
  ends[1]?.()
  assert.equal(await results[1], 1)
  while (begun.length < 3) await null
  assert.deepEqual([begun, queue.count, queue.runMs], [[0, 1, 2], 1, 10])
  await clock.advance(5)
  ends[0]?.()
  ends[2]?.()
  assert.deepEqual(await Promise.all(results), [0, 1, 2])
  while (queue.count < 3) await null
  // The third one's turn came when the second had ended.
  assert.equal(queue.runMs, 10 + 15 + 5)
})

test('what fails is counted too, and makes room', async () => {
  const queue = new SyncQueue(1, new ManualClock())
  const failing = queue.run(() => Promise.reject(new Error('no')))
  const next = queue.run(() => Promise.resolve('next'))
  await assert.rejects(failing, /no/)
  assert.equal(await next, 'next')
  while (queue.count < 2) await null
})
