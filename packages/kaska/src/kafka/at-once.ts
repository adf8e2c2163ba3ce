/** Many changes of one request: a limited number at a time, so that they share syncs, begun in slices. */
import type { Clock } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'

const atOnceMax = 100
/** To begin a change is as much work as so many rounds of another loop. */
const roundsPerTask = 16

/**
 * What `task` gives for each, in their order. They are begun in that order. One that rejects rejects it,
 * when those that were begun with it have settled.
 */
export async function forEachAtOnce<T, R>(
  items: readonly T[],
  clock: Clock,
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const slices = new Slices(clock)
  const results: R[] = []
  for (let start = 0; start < items.length; start += atOnceMax) {
    const begun: Promise<PromiseSettledResult<R>>[] = []
    for (const item of items.slice(start, start + atOnceMax)) {
      // Settled apart, so that none rejects unheard while others are begun.
      begun.push(Promise.allSettled([task(item)]).then(([one]) => one as PromiseSettledResult<R>))
      if (slices.isDueAfter(roundsPerTask)) await slices.pause()
    }
    for (const one of await Promise.all(begun)) {
      if (one.status === 'rejected') throw one.reason
      results.push(one.value)
    }
  }
  return results
}

/** Those of the keys that are there more than once. */
export function repeated<T>(items: Iterable<T>): Set<T> {
  const seen = new Set<T>()
  const twice = new Set<T>()
  for (const item of items) {
    if (seen.has(item)) twice.add(item)
    seen.add(item)
  }
  return twice
}
