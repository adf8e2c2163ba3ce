import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatencyHistogram, latencyBoundsMs } from './latency-histogram.ts'

test('the bounds ascend, by at most 1.3 each, from 10 µs to 100 s', () => {
  assert.equal(latencyBoundsMs[0], 0.01)
  assert.equal(latencyBoundsMs.at(-1), 100_000)
  for (const [index, bound] of latencyBoundsMs.entries()) {
    const before = latencyBoundsMs[index - 1]
    if (before !== undefined) assert(bound > before && bound / before < 1.3, `${bound}`)
  }
  for (const bound of [0.05, 0.1, 0.25, 1, 2.5, 10, 250, 1000]) {
    assert(latencyBoundsMs.includes(bound), `${bound} is a bound`)
  }
})

test('each value is counted once, at the first bound that is not less', () => {
  const histogram = new LatencyHistogram()
  for (const value of [0, 0.01, 0.011, 1, 1.01, 99_999, 100_000, 1_000_000]) {
    histogram.record(value, 0)
  }
  const counts = new Map([...histogram.cumulative()].map(({ boundMs, count }) => [boundMs, count]))
  assert.equal(counts.get(0.01), 2)
  assert.equal(counts.get(0.0125), 3)
  assert.equal(counts.get(1), 4)
  assert.equal(counts.get(1.25), 5)
  assert.equal(counts.get(100_000), 7)
  assert.equal(histogram.count, 8)
})

test('quantiles of the recent past are near the truth', () => {
  const histogram = new LatencyHistogram()
  assert.deepEqual(histogram.recent(0), { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 })
  for (let value = 1; value <= 1000; value++) histogram.record(value / 10, 0)
  const { count, p50Ms, p99Ms, maxMs } = histogram.recent(1)
  assert.equal(count, 1000)
  assert.equal(maxMs, 100)
  assert(Math.abs(p50Ms - 50) < 5, `${p50Ms}`)
  assert(Math.abs(p99Ms - 99) < 5, `${p99Ms}`)
})

test('a quantile is never more than the largest value', () => {
  const histogram = new LatencyHistogram()
  histogram.record(200_000, 0)
  histogram.record(0.0101, 0)
  assert.equal(histogram.recent(0).p99Ms, 200_000)
  const one = new LatencyHistogram()
  one.record(0.0101, 0)
  assert.equal(one.recent(0).p99Ms, 0.0101)
})

test('what was recorded is forgotten after a minute, but not by the sums', () => {
  const histogram = new LatencyHistogram()
  histogram.record(5, 0)
  assert.equal(histogram.recent(29_999).count, 1)
  assert.equal(histogram.recent(30_000).count, 1)
  histogram.record(7, 59_000)
  assert.equal(histogram.recent(59_999).count, 2)
  assert.deepEqual(histogram.recent(60_000), histogram.recent(89_999))
  assert.equal(histogram.recent(60_000).count, 1)
  // Nobody asked for long: nothing of it is recent.
  assert.equal(histogram.recent(1_000_000).count, 0)
  assert.equal(histogram.count, 2)
  assert.equal(histogram.sumMs, 12)
})
