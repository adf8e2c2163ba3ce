import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gatherer } from './gatherer.ts'

test('what is called while a run is under way goes together in the next', async () => {
  const runs: number[][] = []
  const { promise: first, resolve: endFirst } = Promise.withResolvers<void>()
  const gatherer = new Gatherer<number, number>(async (items) => {
    runs.push([...items])
    if (runs.length === 1) await first
    return items.map((item) => item * 10)
  })
  const early = [gatherer.call(1), gatherer.call(2)]
  await Promise.resolve()
  await Promise.resolve()
  const late = [gatherer.call(3), gatherer.call(4)]
  endFirst()
  assert.deepEqual(await Promise.all([...early, ...late]), [10, 20, 30, 40])
  assert.deepEqual(runs, [
    [1, 2],
    [3, 4],
  ])
})

test('a run that fails fails for those who are in it; the next one goes on', async () => {
  let fails = true
  const gatherer = new Gatherer<string, string>((items) => {
    if (fails) return Promise.reject(new Error('no'))
    return Promise.resolve(items)
  })
  await assert.rejects(gatherer.call('a'), /no/)
  fails = false
  assert.equal(await gatherer.call('b'), 'b')
})
