/** The benchmarks' own parts, on loads that are too small to measure anything. */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import process from 'node:process'
import { test } from 'node:test'
import { busyShare, gauge, readGauges, requestMs, startWatched } from './lib/gauges.ts'
import {
  consumeFromKaska,
  deleteTopic,
  produceToKaska,
  produceToSink,
  roundTripTimes,
} from './lib/load.ts'
import { openSocket } from './lib/raw-connection.ts'
import { median, pairedRatio, quantile } from './lib/stats.ts'
import {
  mostPerSecond,
  openEchoes,
  openSenders,
  Pair,
  retentionOptions,
  sendAtRate,
  stretch,
} from './lib/steady.ts'
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
        if (process.platform !== 'linux') continue
        const { size } = statSync(`/proc/${sink.pid}/cwd/sink.log`)
        assert.equal(size, 0, 'nothing is left to be done beside what is measured next')
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

test('what goes in comes out, to each reader, as long as it is not stopped', async () => {
  await using kaska = await startKaska({ serveOptions: retentionOptions })
  const pair = await Pair.start(kaska, 'pair', {
    messageBytes: 1000,
    batchMessages: 10,
    window: 2,
    readers: 2,
    aheadBytesMax: 100_000,
  })
  const measured = await stretch(kaska, [pair], 0.1, 1)
  await pair.stop()
  assert.ok(measured.sent > 0 && measured.seconds >= 0.2)
  assert.ok(Math.abs(2 * measured.sent - measured.received) <= 2 * 130, 'no further ahead')
  assert.ok(measured.busy > 0 && measured.driverBusy > 0)
  assert.ok(gauge(measured.after, 'kaska_messages_in_total') > measured.sent)
})

test('messages at a rate, and what the gauges say of them', async () => {
  await using watched = await startWatched({})
  const { target } = watched
  const { sends, connections } = await openSenders(target, 'topic', 3, {
    messageBytes: 100,
    partitions: 2,
  })
  const before = await readGauges(target)
  const { micros, rate, isWhole } = await sendAtRate(sends, 500, 0.2)
  assert.equal(micros.length, 100)
  assert.ok(isWhole && rate > 0 && rate <= 510)
  assert.ok((await mostPerSecond(sends, 2, 0.5)) > 0)
  const after = await readGauges(target)
  const busy = busyShare(before, after)
  assert.ok(busy > 0 && busy < 1.1, String(busy))
  const labels = 'protocol="native",operation="send"'
  assert.ok(requestMs(before, after, labels, 0.5) <= requestMs(before, after, labels, 0.99))
  assert.ok(Number.isNaN(requestMs(after, after, labels, 0.5)), 'nothing was asked between')
  const { p50Ms, p99Ms, maxMs } = await watched.loopDelay()
  assert.ok(p50Ms <= p99Ms && p99Ms <= maxMs)
  for (const connection of connections) await connection[Symbol.asyncDispose]()
  await using echo = await startEcho()
  const echoes = await openEchoes(echo, 2, 100)
  assert.equal((await sendAtRate(echoes.sends, 500, 0.1)).micros.length, 50)
  for (const socket of echoes.sockets) socket.destroy()
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
