/** Connections: what idle ones take, how fast they come, and how late answers are when many of them ask. */
import { busyShare, readGauges } from '../lib/gauges.ts'
import { RawConnection } from '../lib/raw-connection.ts'
import { median, quantile } from '../lib/stats.ts'
import { openSenders, sendAtRate } from '../lib/steady.ts'
import type { SuiteOptions, Table } from '../lib/suite.ts'
import { startKaska, type Target } from '../lib/target.ts'
import { ms, thousands } from './text.ts'

const rate = 5000
const messageBytes = 100
/** Of both sides: a connection is an open file in each program. */
const idleCounts = [2000, 10_000]

export async function measureConnections({ isQuick, say }: SuiteOptions): Promise<Table[]> {
  const idleRows: string[][] = []
  const activeRows: string[][] = []
  const seconds = isQuick ? 0.3 : 4
  await using kaska = await startKaska({ sync: 'os' })
  // The first thousands of requests make their own garbage and code.
  const warm = await openSenders(kaska, 'warm', 10, { messageBytes, partitions: 1 })
  await sendAtRate(warm.sends, rate, isQuick ? 0.3 : 2)
  await close(warm.connections)

  let baseline: number | undefined
  for (const active of isQuick ? [10, 50] : [10, 100, 1000]) {
    say(`${active} active connections`)
    const row = await measureActive(kaska, active, seconds)
    baseline ??= row.p50
    activeRows.push(activeCells(thousands(active), row, baseline))
  }
  const empty = kaska.memory().residentBytes
  const idle: RawConnection[] = []
  let openSeconds = 0
  for (const count of isQuick ? [100] : idleCounts) {
    say(`${count} idle connections`)
    const started = performance.now()
    try {
      await openMany(kaska, idle, count)
    } catch (error) {
      idleRows.push([thousands(count), `not reached: ${(error as Error).message}`, '', '', ''])
      break
    }
    openSeconds += (performance.now() - started) / 1000
    const resident = kaska.memory().residentBytes
    idleRows.push([
      thousands(count),
      (resident / 2 ** 20).toFixed(0),
      ((resident - empty) / count / 1024).toFixed(1),
      thousands(count / openSeconds),
      (await idleBusy(kaska, isQuick)).toFixed(3),
    ])
  }
  say(`10 active beside ${idle.length} idle connections`)
  const beside = await measureActive(kaska, 10, seconds)
  activeRows.push(activeCells(`10, beside ${thousands(idle.length)} idle`, beside, baseline ?? 1))
  await close(idle)
  return [
    {
      title: 'Idle connections (native, no TLS)',
      head: ['connections', 'resident, MiB', 'KiB each', 'opened/s', 'loop busy while idle'],
      rows: idleRows,
      note: `Before them, after some load: ${(empty / 2 ** 20).toFixed(0)} MiB.`,
    },
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
  ]
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
  await new Promise((resolve) => setTimeout(resolve, isQuick ? 200 : 2000))
  return busyShare(before, await readGauges(kaska))
}

async function close(connections: readonly RawConnection[]): Promise<void> {
  await Promise.all(connections.map((each) => each[Symbol.asyncDispose]()))
}
