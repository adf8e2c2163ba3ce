/**
 * What the process takes, and how late its event loop is. Watching the loop is a timer that goes off every
 * 20 ms, so it begins with whoever asks first; what it says is of the last half minute or so.
 */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import process from 'node:process'
import type { ProcessFigures } from '../http/figure-source.ts'
import { openFilesLimit } from './open-files-limit.ts'

const resolutionMs = 20
const windowMs = 30_000

type DelayHistogram = ReturnType<typeof monitorEventLoopDelay>

/** One of two histograms, begun half a window apart: the older one is asked. */
export class ProcessWatch {
  #older: DelayHistogram | undefined
  #newer: DelayHistogram | undefined
  #turnAt = 0
  readonly #openFilesMax = openFilesLimit()

  /** Begins to watch the event loop. */
  start(): void {
    if (this.#older !== undefined) return
    this.#older = startHistogram()
    this.#newer = startHistogram()
    this.#turnAt = performance.now() + windowMs
  }

  stop(): void {
    this.#older?.disable()
    this.#newer?.disable()
    this.#older = undefined
    this.#newer = undefined
  }

  read(): ProcessFigures {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    return {
      rssBytes: rss,
      heapBytes: heapUsed,
      cpuSeconds: (user + system) / 1e6,
      startedAt: Math.round(performance.timeOrigin),
      eventLoopBusySeconds: performance.eventLoopUtilization().active / 1000,
      openFilesMax: this.#openFilesMax,
      eventLoop: this.#eventLoop(),
    }
  }

  #eventLoop(): ProcessFigures['eventLoop'] {
    const older = this.#older
    if (older === undefined || older.count === 0) return { p50Ms: 0, p99Ms: 0, maxMs: 0 }
    // It measures from one call to the next: the time asked for is a part of that.
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs)
    const figures = {
      p50Ms: late(older.percentile(50)),
      p99Ms: late(older.percentile(99)),
      maxMs: late(older.max),
    }
    if (performance.now() >= this.#turnAt) {
      older.reset()
      this.#older = this.#newer
      this.#newer = older
      this.#turnAt = performance.now() + windowMs
    }
    return figures
  }
}

function startHistogram(): DelayHistogram {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  return histogram
}
