/** One topic and many readers: how much goes out, and how late a message is when it comes to one at a time. */
import { native } from '@kaska/protocol'
import { busyShare, readGauges } from '../lib/gauges.ts'
import { consumeFromKaska, produceToKaska } from '../lib/load.ts'
import { batchOf, RawConnection } from '../lib/raw-connection.ts'
import { median, quantile } from '../lib/stats.ts'
import { openEchoes, sendAtRate } from '../lib/steady.ts'
import type { SuiteOptions } from '../lib/suite.ts'
import { startEcho, startKaska, type Target } from '../lib/target.ts'
import { type Carried, type Part, rates } from './part.ts'
import { ms, percent, thousands } from './text.ts'

const readerCounts = [1, 10, 100]
const messageBytes = 1024
const sendsPerSecond = 500

export async function measureFanOut(options: SuiteOptions): Promise<Part> {
  const { isQuick, say } = options
  await using kaska = await startKaska({ sync: 'os' })
  await using echo = await startEcho()
  const { sends, sockets } = await openEchoes(echo, 1, messageBytes)
  const seconds = isQuick ? 0.2 : 4
  const echoP50 = median((await sendAtRate(sends, sendsPerSecond, seconds)).micros)
  for (const socket of sockets) socket.destroy()
  const load = { messageBytes, batchMessages: 100, batches: isQuick ? 20 : 200, window: 5 }
  await produceToKaska(kaska, load, 'bulk')
  // Compiles what it uses.
  await consumeFromKaska(kaska, messageBytes, 2, 'bulk')
  const rows: string[][] = []
  const carried: Carried[] = []
  for (const readers of readerCounts) {
    say(`fan-out: ${readers} readers`)
    const bulk = await readByAll(kaska, readers, isQuick ? 1 : 100 / readers)
    const live = await follow(kaska, readers, seconds)
    if (readers > 1) {
      carried.push({
        what: `deliveries of single messages to ${readers} readers that wait`,
        ...rates(live.deliveries / live.seconds / live.busy, 'a second'),
        limit: `computed: ${thousands(live.deliveries / live.seconds)} a second took the loop ${percent(live.busy)}`,
      })
    }
    rows.push([
      thousands(readers),
      thousands(bulk.megabytesPerSecond),
      bulk.cpuPerGigabyte.toFixed(2),
      bulk.busy.toFixed(2),
      thousands(live.deliveries / live.seconds),
      ms(median(live.micros)),
      ms(quantile(live.micros, 0.99)),
      (median(live.micros) / echoP50).toFixed(1),
      ((live.cpuSeconds / live.deliveries) * 1e6).toFixed(1),
      live.busy.toFixed(2),
    ])
  }
  const table = {
    title: 'One topic, many readers, 1 KiB messages, sync os',
    head: [
      'readers',
      'reading it all: MB/s together',
      'CPU s/GB',
      'loop busy',
      `following ${sendsPerSecond} messages/s: deliveries/s`,
      'p50, ms',
      'p99, ms',
      'p50 : echo',
      'CPU µs/delivery',
      'loop busy',
    ],
    rows,
    note: `From the sending of a message to its arrival at a reader, all in one program on another core. An echo of as many bytes, at the same rate: p50 ${ms(echoP50)} ms.`,
  }
  return { tables: [table], carried }
}

async function readByAll(kaska: Target, readers: number, rounds: number) {
  const before = await readGauges(kaska)
  const cpuBefore = kaska.cpuSeconds()
  const started = performance.now()
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    const all = Array.from({ length: readers }, () =>
      consumeFromKaska(kaska, messageBytes, 1, 'bulk'),
    )
    for (const { valueBytes } of await Promise.all(all)) bytes += valueBytes
  }
  const seconds = (performance.now() - started) / 1000
  return {
    megabytesPerSecond: bytes / 1e6 / seconds,
    cpuPerGigabyte: (kaska.cpuSeconds() - cpuBefore) / (bytes / 1e9),
    busy: busyShare(before, await readGauges(kaska)),
  }
}

/** One sender at a rate, one message a request, and readers that wait at the end. */
async function follow(kaska: Target, readers: number, seconds: number) {
  await using sender = await RawConnection.open(kaska.port)
  const topic = `live-${readers}`
  const ref = await sender.createTopic(topic)
  const part = { ref, partition: 0, baseSequence: -1, batch: batchOf(1, messageBytes) }
  const sentAt: number[] = []
  const micros: number[] = []
  const opened = await Promise.all(
    Array.from({ length: readers }, () => RawConnection.open(kaska.port)),
  )
  let isStopped = false
  const poll = (reader: RawConnection, ref: number, offset: number): void => {
    reader.begin(
      native.operation.poll,
      (writer) =>
        native.writePollRequest(writer, {
          waitMs: 1000,
          bytesMax: 1 << 20,
          parts: [{ ref, partition: 0, offset }],
        }),
      (answer) => {
        const now = performance.now()
        let next = offset
        for (const batch of native.readPollResponse(answer).batches) {
          const end = batch.baseOffset + batch.recordCount
          for (; next < end; next++) micros.push((now - (sentAt[next] ?? now)) * 1000)
        }
        if (!isStopped) poll(reader, ref, next)
      },
    )
  }
  for (const reader of opened) poll(reader, await reader.resolve(topic), 0)
  const send = (answered: () => void): void => {
    sentAt.push(performance.now())
    sender.begin(
      native.operation.send,
      (writer) => native.writeSendRequest(writer, [part]),
      () => answered(),
    )
  }
  await sendAtRate([send], sendsPerSecond, seconds / 4)
  micros.length = 0
  const before = await readGauges(kaska)
  const cpuBefore = kaska.cpuSeconds()
  const started = performance.now()
  await sendAtRate([send], sendsPerSecond, seconds)
  const after = await readGauges(kaska)
  const elapsed = (performance.now() - started) / 1000
  const deliveries = micros.length
  const cpuSeconds = kaska.cpuSeconds() - cpuBefore
  isStopped = true
  for (const reader of opened) await reader[Symbol.asyncDispose]()
  const busy = busyShare(before, after)
  return { deliveries, micros, seconds: elapsed, cpuSeconds, busy }
}
