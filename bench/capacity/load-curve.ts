/**
 * The knee: single messages at a rising rate, until something gives way. At each step what a sender sees stands
 * beside what the broker's gauges say, and beside an echo that is sent as much.
 */
import {
  busyShare,
  type Gauges,
  rate,
  readGauges,
  requestMs,
  startWatched,
  syncsAtOnce,
} from '../lib/gauges.ts'
import { median, quantile } from '../lib/stats.ts'
import { mostPerSecond, openEchoes, openSenders, sendAtRate } from '../lib/steady.ts'
import type { SuiteOptions } from '../lib/suite.ts'
import { type SyncMode, startEcho } from '../lib/target.ts'
import { type Carried, type Part, rates } from './part.ts'
import { full, ms, percent, thousands } from './text.ts'

const connections = 16
const messageBytes = 100
/** What gives way is the time of an answer, before the rate does. */
const p99MicrosMax = 10_000
const shares = [0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1]

export async function measureLoadCurves(options: SuiteOptions): Promise<Part> {
  const parts = [await measureCurve('always', options), await measureCurve('os', options)]
  return {
    tables: parts.flatMap(({ tables }) => tables),
    carried: parts.flatMap(({ carried }) => carried),
  }
}

async function measureCurve(sync: SyncMode, { isQuick, say }: SuiteOptions): Promise<Part> {
  const seconds = isQuick ? 0.1 : 2
  await using watched = await startWatched({ sync })
  await using echo = await startEcho()
  const { target } = watched
  const { sends } = await openSenders(target, 'curve', connections, {
    messageBytes,
    partitions: connections,
  })
  const echoes = await openEchoes(echo, connections, messageBytes)
  say(`load curve, sync ${sync}: as much as goes`)
  await mostPerSecond(sends, 5, isQuick ? 0.1 : 3)
  await mostPerSecond(echoes.sends, 5, isQuick ? 0.1 : 1)
  const most = await mostPerSecond(sends, 5, isQuick ? 0.1 : 3)
  const rows: string[][] = []
  const what = `single messages of ${messageBytes} B, sync ${sync}, p99 below ${p99MicrosMax / 1000} ms`
  let carried: Carried = {
    what,
    most: 'not seen',
    plan: '',
    limit: 'other programs: answers were late at each rate',
  }
  for (const share of isQuick ? [0.2, 0.5, 1] : shares) {
    const asked = most * share
    say(`load curve, sync ${sync}: ${thousands(asked)} a second`)
    const echoed = await sendAtRate(echoes.sends, asked, seconds / 2)
    await sendAtRate(sends, asked, seconds / 4)
    await watched.loopDelay()
    const before = await readGauges(target)
    const cpuBefore = target.cpuSeconds()
    const started = performance.now()
    const paced = await sendAtRate(sends, asked, seconds)
    const elapsed = (performance.now() - started) / 1000
    const cpuSeconds = target.cpuSeconds() - cpuBefore
    const after = await readGauges(target)
    const delay = await watched.loopDelay()
    const p99 = quantile(paced.micros, 0.99)
    const busy = busyShare(before, after)
    const syncs = syncsAtOnce(before, after)
    if (paced.isWhole && paced.rate > 0.95 * asked && p99 < p99MicrosMax) {
      carried = {
        what,
        ...rates(paced.rate, 'messages/s'),
        limit: full({ busy, syncs }),
      }
    }
    rows.push([
      percent(share),
      thousands(asked),
      `${thousands(paced.rate)}${paced.isWhole ? '' : ' (given up)'}`,
      ms(median(paced.micros)),
      ms(p99),
      (median(paced.micros) / median(echoed.micros)).toFixed(1),
      ((cpuSeconds / paced.micros.length) * 1e6).toFixed(1),
      (cpuSeconds / elapsed).toFixed(2),
      busy.toFixed(2),
      syncs.toFixed(2),
      syncs === 0 ? '' : ms(syncMicros(before, after)),
      requestMs(before, after, 'protocol="native",operation="send"', 0.99).toFixed(2),
      delay.p99Ms.toFixed(1),
      delay.maxMs.toFixed(1),
    ])
  }
  for (const socket of echoes.sockets) socket.destroy()
  const table = {
    title: `One message of 100 B a request, ${connections} connections, sync ${sync}: the load goes up`,
    head: [
      'load',
      'asked/s',
      'reached/s',
      'p50, ms',
      'p99, ms',
      'p50 : echo',
      'CPU µs each',
      'cores',
      'loop busy',
      'syncs at once',
      'ms a sync',
      'broker’s own p99, ms',
      'loop delay p99, ms',
      'longest',
    ],
    rows,
    note:
      '100 % is what 16 connections with 5 requests under way each get; then messages are sent at each rate, evenly, whether or not answers come. ' +
      'Loop busy: rate(kaska_event_loop_busy_seconds_total). Syncs at once: rate(kaska_sync_seconds_total); of each, that by rate(kaska_syncs_total). Broker’s own p99: the bucket of kaska_request_duration_seconds. Loop delay: what ' +
      'kaska_event_loop_delay_seconds says, of this step alone.',
  }
  return { tables: [table], carried: [carried] }
}

function syncMicros(before: Gauges, after: Gauges): number {
  const seconds = rate(before, after, 'kaska_sync_seconds_total')
  return (seconds / rate(before, after, 'kaska_syncs_total')) * 1e6
}
