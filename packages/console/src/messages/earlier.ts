/** Where a list begins that shows what came before another one. */
import type { MessageFeed } from './message-feed.ts'
import type { StartAt } from './start-at.ts'
import type { FeedStart } from './use-feed.ts'

export interface TopicBounds {
  readonly partitions: number
  readonly bounds: readonly { readonly startOffset: number; readonly endOffset: number }[]
}

/** So many are gone back for at once; of those that the page has dropped, so many. */
const goBackCount = 1000
const goBackCountMax = 50_000
/** A message that was gone back from is among so many. */
export const revealMax = 2 * goBackCountMax

/** Where one would begin to see what comes before the list; undefined: there is nothing before it. */
export function earlierThan(
  feed: MessageFeed | undefined,
  data: TopicBounds | undefined,
  start: FeedStart,
): FeedStart | undefined {
  const { starts, kept } = feed ?? {}
  if (starts === undefined || kept === undefined || data === undefined) return undefined
  if (kept.dropped === 0 && !(start instanceof Map) && (start as StartAt).at === 'start') {
    return undefined
  }
  const firsts = new Map<number, number>()
  if (kept.dropped > 0) {
    for (const { partition, offset } of kept) {
      if (!firsts.has(partition)) firsts.set(partition, offset)
      if (firsts.size === starts.size) break
    }
  }
  const wanted = kept.dropped > 0 ? Math.ceil(goBackCountMax / starts.size) : goBackCount
  let isEarlier = false
  const back = new Map<number, number>()
  for (const [partition, from] of starts) {
    const first = firsts.get(partition) ?? from
    const lowest = data.bounds[partition]?.startOffset ?? 0
    back.set(partition, Math.max(lowest, first - wanted))
    isEarlier ||= first > lowest
  }
  return isEarlier ? back : undefined
}
