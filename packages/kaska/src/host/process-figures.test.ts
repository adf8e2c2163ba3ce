import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { setTimeout as pass } from 'node:timers/promises'
import { ProcessWatch } from './process-figures.ts'

test('what holds the event loop shows, and nothing before it is watched', async () => {
  const watch = new ProcessWatch()
  assert.deepEqual(watch.read().eventLoop, { p50Ms: 0, p99Ms: 0, maxMs: 0 })
  watch.start()
  // Until it has measured once.
  while (watch.read().eventLoop.maxMs === 0) await pass(5)
  const end = performance.now() + 150
  while (performance.now() < end || process.cpuUsage().user < 150_000);
  while (watch.read().eventLoop.maxMs < 100) await pass(5)
  const { eventLoop, rssBytes, heapBytes, cpuSeconds, startedAt } = watch.read()
  assert(eventLoop.p50Ms <= eventLoop.p99Ms && eventLoop.p99Ms <= eventLoop.maxMs)
  assert(rssBytes > heapBytes && heapBytes > 1e6 && cpuSeconds > 0.1)
  assert(startedAt <= Date.now())
  const busy = watch.read().eventLoopBusySeconds
  const until = performance.now() + 50
  while (performance.now() < until);
  await pass(5)
  const more = watch.read().eventLoopBusySeconds - busy
  assert(more >= 0.05 && more < 5, `${more} s`)
  if (process.platform === 'linux') assert((watch.read().openFilesMax ?? 0) >= 256)
  watch.stop()
  assert.equal(watch.read().eventLoop.maxMs, 0)
})
