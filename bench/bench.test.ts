/** The benchmarks' own parts, on loads that are too small to measure anything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  consumeFromKaska,
  deleteTopic,
  produceToKaska,
  produceToSink,
  roundTripTimes,
} from './lib/load.ts'
import { openSocket } from './lib/raw-connection.ts'
import { median, pairedRatio, quantile } from './lib/stats.ts'
import { isMet } from './lib/suite.ts'
import { startEcho, startKaska, startSink, startSource } from './lib/target.ts'

const load = { messageBytes: 1000, batchMessages: 10, batches: 20, window: 3 }

test('Kaska takes a load and gives it back', async () => {
  await using kaska = await startKaska()
  const produced = await produceToKaska(kaska, load)
  assert.equal(produced.messages, 200)
  assert.equal(produced.valueBytes, 200_000)
  assert.ok(produced.wireBytes > 200_000 && produced.wireBytes < 210_000)
  const consumed = await consumeFromKaska(kaska, load.messageBytes, 2)
  assert.equal(consumed.messages, 200)
  assert.ok(consumed.wireMessages >= 200)
  assert.ok(consumed.wireBytes > consumed.wireMessages * 1000)
  await deleteTopic(kaska)
  assert.equal((await produceToKaska(kaska, load)).messages, 200)
  assert.equal((await roundTripTimes(kaska, false, 10, 100)).length, 10)
  assert.ok(kaska.memory().peakBytes > 10_000_000)
  assert.ok(kaska.cpuSeconds() > 0)
})

for (const way of ['sync', 'pool'] as const) {
  for (const sync of ['os', 'always'] as const) {
    test(`a sink takes it too: ${way}, sync ${sync}`, async () => {
      await using sink = await startSink(way, sync)
      for (let round = 0; round < 2; round++) {
        const { messages, wireBytes } = await produceToSink(sink, load)
        assert.equal(messages, 200)
        assert.ok(wireBytes > 200_000)
      }
    })
  }
}

test('a source sends ranges of its file', async () => {
  await using source = await startSource(3 * 1024 * 1024)
  const socket = await openSocket(source.port)
  const lengths = [5, 1024 * 1024, 7]
  for (const length of lengths) {
    const request = Buffer.alloc(12)
    request.writeBigInt64LE(26n)
    request.writeInt32LE(length, 8)
    socket.write(request)
  }
  let received = Buffer.alloc(0)
  const total = lengths.reduce((sum, length) => sum + length, 0)
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer])
    if (received.length >= total) break
  }
  assert.equal(received.length, total)
  assert.equal(received.subarray(0, 5).toString(), 'abcde')
})

test('an echo answers', async () => {
  await using echo = await startEcho()
  const times = await roundTripTimes(echo, true, 10, 70_000)
  assert.equal(times.length, 10)
  assert.ok(times.every((time) => time > 0))
})

test('medians, ratios, aims', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9), 10)
  assert.equal(pairedRatio([2, 9, 8], [1, 3, 4]), 2)
  const aim = { name: '', unit: '', value: 2 }
  assert.ok(isMet({ ...aim, atLeast: 2 }) && isMet({ ...aim, atMost: 2 }))
  assert.ok(!isMet({ ...aim, atLeast: 3 }) && !isMet({ ...aim, atMost: 1 }))
  assert.ok(!isMet({ ...aim, value: Number.NaN, atLeast: 1 }), 'what was not measured is not met')
})
