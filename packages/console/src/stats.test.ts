import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ratesOf, type Stats } from './stats.ts'

function sample(time: number, messagesIn: number | null, uptimeMs = time): Stats {
  return { time, uptimeMs, totals: { messagesIn } } as unknown as Stats
}

test('a rate is a difference by its time', () => {
  const samples = [sample(0, 10), sample(1000, 30), sample(3000, 30), sample(3500, 31)]
  assert.deepEqual(ratesOf(samples, 'messagesIn'), [null, 20, 0, 2])
})

test('there is none over a gap, nor over a start of the broker', () => {
  const samples = [sample(0, 10), sample(60_000, 500), sample(61_000, 5, 100), sample(62_000, 6)]
  assert.deepEqual(ratesOf(samples, 'messagesIn'), [null, null, null, 1])
})

test('there is none of what nobody counts', () => {
  const samples = [sample(0, null), sample(1000, null), sample(2000, 3)]
  assert.deepEqual(ratesOf(samples, 'messagesIn'), [null, null, null])
})
