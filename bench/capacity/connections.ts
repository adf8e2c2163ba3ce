/** Connections: what idle ones take, how fast they come, and how late answers are when many of them ask. */
import { readFileSync } from 'node:fs'
import { native } from '@kaska/protocol'
import { busyShare, readGauges } from '../lib/gauges.ts'
import { RawConnection } from '../lib/raw-connection.ts'
import { median, quantile } from '../lib/stats.ts'
import { openSenders, sendAtRate } from '../lib/steady.ts'
import type { SuiteOptions } from '../lib/suite.ts'
import { startKaska, type Target } from '../lib/target.ts'
import type { Carried, Part } from './part.ts'
import { ms, thousands } from './text.ts'

const rate = 5000
const messageBytes = 100
const idleCountMax = 10_000
/** What a program has open beside its connections. */
const otherFiles = 700

export async function measureConnections({ isQuick, say }: SuiteOptions): Promise<Part> {
  const activeRows: string[][] = []
  const seconds = isQuick ? 0.1 : 4
  await using kaska = await startKaska({ sync: 'os' })
  // The first thousands of requests make their own garbage and code.
  const warm = await openSenders(kaska, 'warm', 10, { messageBytes, partitions: 1 })
  await sendAtRate(warm.sends, rate, isQuick ? 0.1 : 2)
  await close(warm.connections)

  let baseline: number | undefined
  for (const active of isQuick ? [10, 50] : [10, 100, 1000]) {
    say(`${active} active connections`)
    const row = await measureActive(kaska, active, seconds)
    baseline ??= row.p50
    activeRows.push(activeCells(thousands(active), row, baseline))
  }
  const besides = idleCount(isQuick)
  const idle: RawConnection[] = []
  await openMany(kaska, idle, besides)
  say(`10 active beside ${besides} idle connections`)
  const beside = await measureActive(kaska, 10, seconds)
  activeRows.push(activeCells(`10, beside ${thousands(besides)} idle`, beside, baseline ?? 1))
  await close(idle)
  const unused = await measureIdle(besides, isQuick)
  return {
    carried: [unused.carried],
    tables: [
      unused.table,
      {
        title: `${thousands(rate)} messages of 100 B a second, over so many connections, sync os`,
        head: [
          'connections',
          'p50, ms',
          'p99, ms',
          'p50 : 10 connections',
          'loop busy',
          'CPU µs each',
        ],
        rows: activeRows,
      },
    ],
  }
}

/** A connection is an open file on both sides. */
function idleCount(isQuick: boolean): number {
  if (isQuick) return 100
  const limits = readFileSync('/proc/self/limits', 'latin1')
  const filesMax = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024)
  return Math.min(idleCountMax, filesMax - otherFiles)
}

async function measureIdle(count: number, isQuick: boolean) {
  await using kaska = await startKaska({ sync: 'os' })
  const empty = kaska.memory().residentBytes
  const idle: RawConnection[] = []
  const started = performance.now()
  await openMany(kaska, idle, count)
  await Promise.all(idle.map((each) => each.request(native.operation.ping)))
  const perSecond = count / ((performance.now() - started) / 1000)
  const resident = kaska.memory().residentBytes
  const each = `${((resident - empty) / count / 1024).toFixed(1)} KiB`
  const busy = await idleBusy(kaska, isQuick)
  await close(idle)
  const carried: Carried = {
    what: `${thousands(count)} idle connections`,
    most: `${each} each`,
    plan: each,
    limit: 'open files (process_max_fds), memory',
  }
  const table = {
    title: 'Idle connections (native, no TLS), on a broker that has done nothing else',
    head: ['connections', 'resident, MiB', 'each', 'opened/s, with a ping', 'loop busy while idle'],
    rows: [
      ['0', (empty / 2 ** 20).toFixed(0), '', '', ''],
      [
        thousands(count),
        (resident / 2 ** 20).toFixed(0),
        each,
        thousands(perSecond),
        busy.toFixed(3),
      ],
    ],
  }
  return { table, carried }
}

interface Active {
  readonly p50: number
  readonly p99: number
  readonly busy: number
  readonly cpuMicros: number
}

async function measureActive(kaska: Target, count: number, seconds: number): Promise<Active> {
  const topic = `active-${process.hrtime.bigint()}`
  const opened = await openSenders(kaska, topic, count, { messageBytes, partitions: 10 })
  await sendAtRate(opened.sends, rate, seconds / 4)
  const before = await readGauges(kaska)
  const cpuBefore = kaska.cpuSeconds()
  const { micros } = await sendAtRate(opened.sends, rate, seconds)
  const cpuSeconds = kaska.cpuSeconds() - cpuBefore
  const after = await readGauges(kaska)
  await close(opened.connections)
  return {
    p50: median(micros),
    p99: quantile(micros, 0.99),
    busy: busyShare(before, after),
    cpuMicros: (cpuSeconds / micros.length) * 1e6,
  }
}

function activeCells(name: string, active: Active, baseline: number): string[] {
  return [
    name,
    ms(active.p50),
    ms(active.p99),
    (active.p50 / baseline).toFixed(2),
    active.busy.toFixed(2),
    active.cpuMicros.toFixed(0),
  ]
}

async function openMany(kaska: Target, opened: RawConnection[], count: number): Promise<void> {
  while (opened.length < count) {
    const group = Array.from({ length: Math.min(50, count - opened.length) }, () =>
      RawConnection.open(kaska.port),
    )
    const results = await Promise.allSettled(group)
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason
      opened.push(result.value)
    }
  }
}

/** What connections cost that say nothing: timers, and looking at them. */
async function idleBusy(kaska: Target, isQuick: boolean): Promise<number> {
  const before = await readGauges(kaska)
  await new Promise((resolve) => setTimeout(resolve, isQuick ? 50 : 2000))
  return busyShare(before, await readGauges(kaska))
}

async function close(connections: readonly RawConnection[]): Promise<void> {
  await Promise.all(connections.map((each) => each[Symbol.asyncDispose]()))
}
