import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeClock } from '../host/node-clock.ts'
import { forEachAtOnce, repeated } from './at-once.ts'

test('all are done, in their order, a limited number at a time', async () => {
  let underWay = 0
  let most = 0
  const items = Array.from({ length: 1000 }, (_, index) => index)
  const begun: number[] = []
  const results = await forEachAtOnce(items, nodeClock, async (item) => {
    begun.push(item)
    most = Math.max(most, ++underWay)
    await nodeClock.yield()
    underWay--
    return item * 2
  })
  assert.deepEqual(begun, items)
  assert.deepEqual(
    results,
    items.map((item) => item * 2),
  )
  assert.ok(most > 1 && most <= 100, String(most))
})

test('work that takes long is begun in slices', async () => {
  let turns = 0
  let isDone = false
  const count = () => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  await forEachAtOnce(Array.from({ length: 90 }), nodeClock, async () => {
    const end = performance.now() + 1
    while (performance.now() < end);
  })
  isDone = true
  assert.ok(turns >= 5, `${turns} turns of others`)
})

test('one that rejects rejects it, when those that were begun with it have settled', async () => {
  let settled = 0
  const failing = forEachAtOnce([0, 1, 2], nodeClock, async (item) => {
    await nodeClock.yield()
    settled++
    if (item === 0) throw new Error('refused')
  })
  await assert.rejects(failing, /refused/)
  assert.equal(settled, 3)
})

test('what is there more than once', () => {
  assert.deepEqual([...repeated(['a', 'b', 'a', 'c', 'b', 'a'])], ['a', 'b'])
})
