/** Many changes of one request: a limited number at a time, so that they share syncs. */
import type { Clock } from '@kaska/protocol'

const atOnceMax = 100

/** What `task` gives for each, in their order. The first that rejects rejects it, when all have settled. */
export async function forEachAtOnce<T, R>(
  items: readonly T[],
  clock: Clock,
  task: (item: T) => R | Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  for (let start = 0; start < items.length; start += atOnceMax) {
    const group = items.slice(start, start + atOnceMax)
    const settled = await Promise.allSettled(group.map(async (item) => await task(item)))
    for (const one of settled) {
      if (one.status === 'rejected') throw one.reason
      results.push(one.value)
    }
    if (start + atOnceMax < items.length) await clock.yield()
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
