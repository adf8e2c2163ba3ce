/** The disk: how often it syncs, what a message takes on it, how long a start after a kill reads it, what is deleted. */
import { mkdtempSync, openSync, readdirSync, readSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pass } from 'node:timers/promises'
import { native } from '@kaska/protocol'
import { loadCrc32c } from '../../packages/kaska/src/host/crc32c.ts'
import { gauge, readGauges } from '../lib/gauges.ts'
import { produceToKaska, roundTripTimes } from '../lib/load.ts'
import { RawConnection } from '../lib/raw-connection.ts'
import { median, quantile } from '../lib/stats.ts'
import { openSenders, retentionConfig, retentionOptions, sendAtRate } from '../lib/steady.ts'
import type { SuiteOptions, Table } from '../lib/suite.ts'
import { startKaska, type Target } from '../lib/target.ts'
import type { Part } from './part.ts'
import { ms, thousands } from './text.ts'

export async function measureDisk(options: SuiteOptions): Promise<Part> {
  const syncs = await measureSyncs(options)
  const tables = [
    syncs,
    await measureBytes(options),
    await measureRecovery(options),
    await measureRetention(options),
  ]
  const carried = {
    what: 'one sender, 1 KiB, the next when the last is on the disk, sync always',
    most: `${syncs.rows[1]?.[3]} a second`,
    plan: '',
    limit: `the disk: a bare file takes ${syncs.rows[0]?.[3]} writes with a sync a second`,
  }
  return { tables, carried: [carried] }
}

function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-bench-disk-'))
  return work(directory).finally(() => rmSync(directory, { recursive: true, force: true }))
}

async function measureSyncs({ isQuick, say }: SuiteOptions): Promise<Table> {
  say('syncs')
  const count = isQuick ? 100 : 4000
  await using kaska = await startKaska({ sync: 'always' })
  await roundTripTimes(kaska, false, count, 1024)
  const bare = await withDirectory(async (directory) => {
    const file = await open(path.join(directory, 'bare'), 'w')
    const value = Buffer.alloc(1024)
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const started = performance.now()
      await file.write(value, 0, value.length, index * value.length)
      await file.datasync()
      times.push((performance.now() - started) * 1000)
    }
    await file.close()
    return times
  })
  const acknowledged = await roundTripTimes(kaska, false, count, 1024)
  const row = (name: string, times: readonly number[]) => [
    name,
    ms(median(times)),
    ms(quantile(times, 0.99)),
    thousands(1e6 / (times.reduce((sum, time) => sum + time, 0) / times.length)),
    (median(times) / median(bare)).toFixed(2),
  ]
  return {
    title: '1 KiB at a time, on the disk before the next',
    head: ['', 'p50, ms', 'p99, ms', 'a second', 'p50 : bare'],
    rows: [
      row('a bare file of Node’s: write, fdatasync', bare),
      row('Kaska, sync always, one sender', acknowledged),
    ],
  }
}

async function measureBytes({ isQuick, say }: SuiteOptions): Promise<Table> {
  const rows: string[][] = []
  for (const messageBytes of [100, 1024]) {
    for (const batchMessages of [1, 100]) {
      say(`bytes on the disk: ${messageBytes} B, ${batchMessages} a batch`)
      const batches = isQuick ? 100 : batchMessages === 1 ? 50_000 : 2000
      const bytes = await withDirectory(async (directory) => {
        await using kaska = await startKaska({ directory, sync: 'os' })
        await produceToKaska(kaska, { messageBytes, batchMessages, batches, window: 5 })
        await kaska.stop('SIGTERM')
        return bytesIn(path.join(directory, 'topics'))
      })
      const each = bytes / (batches * batchMessages)
      rows.push([
        `${messageBytes} B, ${batchMessages} a batch`,
        each.toFixed(1),
        (each - messageBytes).toFixed(1),
        (each / messageBytes).toFixed(2),
      ])
    }
  }
  return {
    title: 'Bytes on the disk for a message, indexes and checkpoints included',
    head: ['', 'bytes', 'beside the value', ': value'],
    rows,
  }
}

/** All files below, by their length. */
function bytesIn(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += statSync(path.join(entry.parentPath, entry.name)).size
  }
  return bytes
}

async function measureRecovery({ isQuick, say }: SuiteOptions): Promise<Table> {
  const batchMessages = 100
  const rows: string[][] = []
  for (const messageBytes of [100, 1024]) {
    const bytes = isQuick ? 10e6 : 900e6
    const batches = Math.ceil(bytes / (messageBytes * batchMessages))
    say(`recovery: ${messageBytes} B`)
    await withDirectory(async (directory) => {
      const first = await startKaska({ directory, sync: 'os' })
      await produceToKaska(first, { messageBytes, batchMessages, batches, window: 5 })
      await first.stop('SIGKILL')
      const endOffset = batches * batchMessages
      const log = largestFile(path.join(directory, 'topics'))
      const killed = await startAndUse(directory, endOffset)
      rmSync(path.join(path.dirname(log.path), 'checkpoint'), { force: true })
      const readSeconds = checkSeconds(log.path)
      const whole = await startAndUse(directory, endOffset)
      const gigabytes = log.bytes / 1e9
      rows.push([
        `${messageBytes} B, ${batchMessages} a batch: ${gigabytes.toFixed(2)} GB`,
        killed.startMs.toFixed(0),
        (killed.seconds * 1000).toFixed(0),
        (whole.seconds / gigabytes).toFixed(2),
        (readSeconds / gigabytes).toFixed(2),
        (whole.seconds / readSeconds).toFixed(1),
      ])
    })
  }
  return {
    title: 'A start after a kill, and the first use of a partition',
    head: [
      '',
      'ready, ms',
      'first use, ms',
      'without its checkpoint, s/GB',
      'reading it with a CRC, s/GB',
      'ratio',
    ],
    rows,
    note:
      'A checkpoint is written after 256 MiB: a first use checks what came after the last one. Without a checkpoint a partition is checked from its beginning. ' +
      'Files are in the page cache.',
  }
}

async function startAndUse(directory: string, endOffset: number) {
  await using kaska = await startKaska({ directory, sync: 'os' })
  const used = await firstUse(kaska)
  if (used.endOffset !== endOffset) throw new Error(`${used.endOffset} were recovered`)
  await kaska.stop('SIGKILL')
  return { startMs: kaska.startMs, seconds: used.seconds }
}

function largestFile(directory: string): { path: string; bytes: number } {
  const files = readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ path: file, bytes: statSync(file).size }))
    .sort((a, b) => b.bytes - a.bytes)
  if (files[0] === undefined) throw new Error('nothing was written')
  return files[0]
}

/** What reading a file and a CRC-32C of it take at least. */
function checkSeconds(file: string): number {
  const descriptor = openSync(file, 'r')
  const buffer = Buffer.alloc(2 ** 20)
  const started = performance.now()
  let position = 0
  let crc = 0
  const crc32c = loadCrc32c()
  for (;;) {
    const length = readSync(descriptor, buffer, 0, buffer.length, position)
    if (length === 0) break
    crc = crc32c(buffer.subarray(0, length), crc)
    position += length
  }
  return (performance.now() - started) / 1000
}

async function firstUse(kaska: Target): Promise<{ seconds: number; endOffset: number }> {
  await using connection = await RawConnection.open(kaska.port)
  const ref = await connection.resolve('bench')
  const started = performance.now()
  const answer = await connection.request(native.operation.offsets, (writer) =>
    native.writePartition(writer, { ref, partition: 0 }),
  )
  const { endOffset } = native.readOffsetBounds(answer)
  return { seconds: (performance.now() - started) / 1000, endOffset }
}

/** Messages of 256 KiB at a rate, with small ones beside them, which see what the deleting takes. */
async function measureRetention({ isQuick, say }: SuiteOptions): Promise<Table> {
  const rows: string[][] = []
  const seconds = isQuick ? 0.3 : 6
  const large = { messageBytes: 2 ** 18, perSecond: isQuick ? 100 : 800 }
  const limits = [
    { name: 'for ever', config: new Map<string, string>() },
    { name: '256 MiB, segments of 64 MiB', config: retentionConfig },
  ]
  for (const { name, config } of limits) {
    say(`retention: ${name}`)
    await using kaska = await startKaska({ sync: 'os', serveOptions: retentionOptions })
    const writers = await openSenders(kaska, 'large', 2, { ...large, partitions: 1, config })
    const probes = await openSenders(kaska, 'probe', 4, { messageBytes: 100, partitions: 4 })
    await sendAtRate(probes.sends, 1000, seconds / 4)
    let usedBytesMax = 0
    let isOver = false
    const watch = async (): Promise<void> => {
      while (!isOver) {
        const used = gauge(await readGauges(kaska), 'kaska_disk_used_bytes')
        usedBytesMax = Math.max(usedBytesMax, used)
        await pass(250)
      }
    }
    const watching = watch()
    const cpuBefore = kaska.cpuSeconds()
    const [written, probed] = await Promise.all([
      sendAtRate(writers.sends, large.perSecond, seconds),
      sendAtRate(probes.sends, 500, seconds),
    ])
    isOver = true
    await watching
    const cpuSeconds = kaska.cpuSeconds() - cpuBefore
    rows.push([
      name,
      ((written.rate * large.messageBytes) / 1e6).toFixed(0),
      (usedBytesMax / 2 ** 20).toFixed(0),
      ms(median(probed.micros)),
      ms(quantile(probed.micros, 0.99)),
      (cpuSeconds / ((written.micros.length * large.messageBytes) / 1e9)).toFixed(2),
    ])
  }
  return {
    title: 'Retention by size, looked at every second, beside 500 messages of 100 B a second',
    head: [
      'kept',
      'in, MB/s',
      'on the disk at most, MiB',
      'small ones: p50, ms',
      'p99, ms',
      'CPU s/GB',
    ],
    rows,
  }
}
