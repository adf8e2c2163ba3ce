/**
 * What a broker under load says of itself: `GET /metrics`, as a monitoring system reads it, and how late its
 * event loop was since it was last asked (bench/lib/loop-watch.ts).
 */
import { readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { setTimeout as pass } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { type KaskaOptions, startKaska, type Target } from './target.ts'

/** By the name and the labels, as they stand in the text. */
export type Gauges = ReadonlyMap<string, number>

export async function readGauges(target: Target): Promise<Gauges> {
  const gauges = new Map<string, number>()
  for (const line of (await page(target.port, '/metrics')).split('\n')) {
    const end = line.lastIndexOf(' ')
    if (end > 0 && !line.startsWith('#')) gauges.set(line.slice(0, end), Number(line.slice(end)))
  }
  return gauges
}

/** Over a connection of its own: one that is kept may be closed by the other side at any moment. */
function page(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      text(response).then(resolve, reject)
    })
    asked.on('error', reject)
  })
}

export function gauge(gauges: Gauges, name: string): number {
  return gauges.get(name) ?? Number.NaN
}

/** The share of the time between two answers in which the event loop had something to do. */
export function busyShare(before: Gauges, after: Gauges): number {
  return rate(before, after, 'kaska_event_loop_busy_seconds_total')
}

/** Syncs that were under way between two answers, on average. */
export function syncsAtOnce(before: Gauges, after: Gauges): number {
  return rate(before, after, 'kaska_sync_seconds_total')
}

/** How much a counter grew between two answers, in a second. */
export function rate(before: Gauges, after: Gauges, name: string): number {
  const grown = (counter: string) => gauge(after, counter) - gauge(before, counter)
  return grown(name) / grown('kaska_uptime_seconds')
}

/**
 * The bound that `share` of the requests between two answers stayed below, in milliseconds: what
 * `histogram_quantile` says without its interpolation. NaN where there were none.
 */
export function requestMs(before: Gauges, after: Gauges, labels: string, share: number): number {
  const prefix = `kaska_request_duration_seconds_bucket{${labels},le="`
  let total = 0
  const buckets: { bound: number; count: number }[] = []
  for (const [name, count] of after) {
    if (!name.startsWith(prefix)) continue
    const bound = name.slice(prefix.length, -2)
    const grown = count - (before.get(name) ?? 0)
    if (bound === '+Inf') total = grown
    else buckets.push({ bound: Number(bound), count: grown })
  }
  if (total === 0) return Number.NaN
  const found = buckets.find(({ count }) => count >= total * share)
  return found === undefined ? Number.POSITIVE_INFINITY : found.bound * 1000
}

export interface LoopDelay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** A broker whose event loop can be asked how late it was. */
export interface WatchedKaska extends AsyncDisposable {
  readonly target: Target
  /** Since it was last asked. */
  loopDelay(): Promise<LoopDelay>
}

export async function startWatched(options: KaskaOptions): Promise<WatchedKaska> {
  const file = path.join(tmpdir(), `kaska-loop-${process.hrtime.bigint()}`)
  const url = pathToFileURL(path.join(import.meta.dirname, 'loop-watch.ts'))
  url.searchParams.set('file', file)
  const nodeOptions = [...(options.nodeOptions ?? []), `--import=${url.href}`]
  const target = await startKaska({ ...options, nodeOptions })
  return {
    target,
    async loopDelay(): Promise<LoopDelay> {
      rmSync(file, { force: true })
      process.kill(target.pid, 'SIGUSR2')
      for (;;) {
        await pass(5)
        try {
          return JSON.parse(readFileSync(file, 'utf8')) as LoopDelay
        } catch {
          // Not yet, or not yet whole.
        }
      }
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await target.stop()
      rmSync(file, { force: true })
    },
  }
}
