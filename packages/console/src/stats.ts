/**
 * What the broker says of itself, once a second from when somebody first looks: the last five minutes of it stay
 * with the page, whatever view is shown. While the page is hidden nothing is asked: a gap.
 */
import { signal } from '@preact/signals'
import { api } from './api.ts'

export interface Latency {
  readonly protocol: 'native' | 'kafka' | 'http'
  readonly operation: string
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** GET /api/v1/stats */
export interface Stats {
  readonly time: number
  readonly uptimeMs: number
  readonly software: string
  readonly clusterId: string
  /** Where messages are: `local` here, `kafka` on an Apache Kafka cluster; what only who has them knows is null there. */
  readonly engine: string
  /** Null: all is in memory, or on a cluster. */
  readonly dataDirectory: string | null
  readonly sync: string | null
  /** Null: the cluster does not answer. */
  readonly topics: number | null
  readonly partitionsOpen: number | null
  readonly connections: Readonly<Record<'native' | 'kafka' | 'http' | 'websocket', number>>
  /** Since the start. */
  readonly totals: Readonly<
    Record<'messagesIn' | 'bytesIn' | 'messagesOut' | 'bytesOut', number | null> &
      Record<'requests' | 'failures', number>
  >
  /** Of the last minute or so. */
  readonly latency: readonly Latency[]
  readonly memory: Readonly<
    Record<'rssBytes' | 'heapBytes' | 'budgetUsedBytes' | 'budgetTotalBytes', number>
  >
  readonly disk: { readonly usedBytes: number; readonly freeBytes: number } | null
  readonly eventLoop: Readonly<Record<'p50Ms' | 'p99Ms' | 'maxMs', number>>
}

export interface StatsHistory {
  /** In the order of their times. */
  readonly samples: readonly Stats[]
  /** What the last request failed with. */
  readonly error: Error | undefined
}

export const keptMs = 5 * 60_000
const everyMs = 1000

export const statsHistory = signal<StatsHistory>({ samples: [], error: undefined })

let isFollowing = false

/** From now on, for as long as the page is open. */
export function followStats(): void {
  if (isFollowing) return
  isFollowing = true
  void ask()
}

async function ask(): Promise<void> {
  try {
    if (document.visibilityState === 'visible') add(await api<Stats>('/stats'))
  } catch (error) {
    statsHistory.value = { samples: statsHistory.value.samples, error: error as Error }
  }
  setTimeout(ask, everyMs)
}

function add(sample: Stats): void {
  // A broker that was started again, or whose clock was set back, has another story.
  const last = statsHistory.value.samples.at(-1)
  const isNext = last === undefined || sample.time > last.time
  const kept = isNext ? statsHistory.value.samples : []
  const samples = [...kept.filter(({ time }) => time >= sample.time - keptMs), sample]
  statsHistory.value = { samples, error: undefined }
}

/** Two samples between which nothing was asked, or the broker was started again: there is no rate between them. */
export function isGap(before: Stats, after: Stats): boolean {
  return after.time - before.time > 10 * everyMs || after.uptimeMs < before.uptimeMs
}

/** Per second, at each sample but the first; null where there is a gap. */
export function ratesOf(
  samples: readonly Stats[],
  total: keyof Stats['totals'],
): (number | null)[] {
  return samples.map((sample, index) => {
    const before = samples[index - 1]
    if (before === undefined || isGap(before, sample)) return null
    const [now, then] = [sample.totals[total], before.totals[total]]
    if (now === null || then === null) return null
    return Math.max(0, now - then) / ((sample.time - before.time) / 1000)
  })
}
