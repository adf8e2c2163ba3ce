/**
 * Loaded into a broker before it starts (`node --import loop-watch.ts?file=FILE`): at each SIGUSR2 it writes how
 * late the event loop was since the last one. `kaska_event_loop_delay_seconds` says the same of the last half
 * minute, which is longer than a step of a load.
 */
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'

const resolutionMs = 5
const file = new URL(import.meta.url).searchParams.get('file') ?? ''
const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
histogram.enable()

process.on('SIGUSR2', () => {
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs)
  const delay = {
    p50Ms: late(histogram.percentile(50)),
    p99Ms: late(histogram.percentile(99)),
    maxMs: late(histogram.max),
  }
  writeFileSync(file, JSON.stringify(delay))
  histogram.reset()
})
