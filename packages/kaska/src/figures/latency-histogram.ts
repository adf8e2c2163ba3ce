/**
 * How long things took: counts by duration, since the start and of the last minute or so. To record costs
 * a binary search over 71 bounds; nothing is kept of a single value. Ten bounds a decade, each 1.26 times
 * the one before, from 10 µs to 100 s: so a quantile is off by at most a quarter.
 */

/** Upper bounds, in milliseconds; what takes longer than the last one is counted behind it. */
export const latencyBoundsMs: readonly number[] = decades([
  1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8,
])

/** The recent past is one to two windows long. */
const windowMs = 30_000

/** Of the recent past. */
export interface RecentLatency {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** What was recorded in some time. */
class Window {
  readonly counts = new Float64Array(latencyBoundsMs.length + 1)
  count = 0
  maxMs = 0

  add(index: number, durationMs: number): void {
    this.counts[index] = (this.counts[index] as number) + 1
    this.count++
    if (durationMs > this.maxMs) this.maxMs = durationMs
  }

  clear(): void {
    this.counts.fill(0)
    this.count = 0
    this.maxMs = 0
  }
}

interface Windows {
  readonly all: Window
  current: Window
  previous: Window
  /** When the current one is over, in monotonic time. */
  end: number
}

export class LatencyHistogram {
  /** What all took together. */
  sumMs = 0
  /** Made with the first value: most histograms never have one. */
  #windows: Windows | undefined

  /** How many were recorded. */
  get count(): number {
    return this.#windows?.all.count ?? 0
  }

  /** Records what took so long; `now` is monotonic time, in milliseconds. */
  record(durationMs: number, now: number): void {
    this.#windows ??= newWindows(now)
    const windows = this.#windows
    if (now >= windows.end) turn(windows, now)
    const index = indexOf(durationMs)
    windows.all.add(index, durationMs)
    windows.current.add(index, durationMs)
    this.sumMs += durationMs
  }

  /** How many took at most so long, since the start, by the bounds. */
  *cumulative(): IterableIterator<{ readonly boundMs: number; readonly count: number }> {
    let count = 0
    for (const [index, boundMs] of latencyBoundsMs.entries()) {
      count += this.#windows?.all.counts[index] ?? 0
      yield { boundMs, count }
    }
  }

  /** The last 30 to 60 seconds; `now` is monotonic time. */
  recent(now: number): RecentLatency {
    const windows = this.#windows
    if (windows === undefined) return { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 }
    if (now >= windows.end) turn(windows, now)
    const both = [windows.previous, windows.current]
    const count = windows.previous.count + windows.current.count
    const maxMs = Math.max(windows.previous.maxMs, windows.current.maxMs)
    const quantile = (share: number) => Math.min(maxMs, quantileOf(both, count, share))
    return { count, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs }
  }
}

function newWindows(now: number): Windows {
  return { all: new Window(), current: new Window(), previous: new Window(), end: now + windowMs }
}

/** Begins a window; what was before the last one is forgotten. */
function turn(windows: Windows, now: number): void {
  const { current, previous } = windows
  previous.clear()
  if (now >= windows.end + windowMs) current.clear()
  windows.current = previous
  windows.previous = current
  windows.end = now + windowMs
}

/** Where a share of the values lies at or below; within a bound's range they count as evenly spread. */
function quantileOf(windows: readonly Window[], count: number, share: number): number {
  const wanted = share * count
  let below = 0
  for (let index = 0; index <= latencyBoundsMs.length; index++) {
    const here = windows.reduce((sum, { counts }) => sum + (counts[index] as number), 0)
    if (here > 0 && below + here >= wanted) {
      const from = index === 0 ? 0 : (latencyBoundsMs[index - 1] as number)
      const to = latencyBoundsMs[index] ?? Number.POSITIVE_INFINITY
      return to === Number.POSITIVE_INFINITY ? to : from + ((wanted - below) / here) * (to - from)
    }
    below += here
  }
  return 0
}

/** The first bound that is not less; one more than there are where all are. */
function indexOf(durationMs: number): number {
  let low = 0
  let high = latencyBoundsMs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((latencyBoundsMs[middle] as number) < durationMs) low = middle + 1
    else high = middle
  }
  return low
}

function decades(steps: readonly number[]): number[] {
  const bounds: number[] = []
  for (let exponent = -2; exponent < 5; exponent++) {
    // By division below 1: 25 / 10,000 is what people write as 0.0025, and 25 * 0.0001 is not.
    for (const step of steps) {
      bounds.push(exponent < 0 ? step / 10 ** -exponent : step * 10 ** exponent)
    }
  }
  return [...bounds, 100_000]
}
