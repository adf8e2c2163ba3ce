/** What a list is doing, and how many messages it has. */
import { count } from '../format.ts'
import type { TopicBounds } from './earlier.ts'
import type { MessageFeed } from './message-feed.ts'
import { plural } from './plural.ts'

interface FeedStateProps {
  readonly feed: MessageFeed | undefined
  readonly isFollowing: boolean
  readonly data: TopicBounds | undefined
}

export function FeedState({ feed, isFollowing, data }: FeedStateProps) {
  const phase = feed?.phase ?? 'opening'
  const positions = feed?.positions()
  let behind = 0
  for (const [each, position] of positions ?? []) {
    behind += Math.max(0, (data?.bounds[each]?.endOffset ?? 0) - position)
  }
  const isHeld = phase === 'full' || phase === 'paused'
  const waiting = behind === 0 || !isHeld ? '' : `, ${count(behind)} more in the log`
  const texts: Readonly<Record<typeof phase, string>> = {
    opening: 'Connecting …',
    reading: 'Reading …',
    waiting: isFollowing ? 'Live' : 'All is read',
    full: 'Scroll on to read on',
    paused: 'Paused',
    lost: `No connection: ${feed?.error?.message ?? ''}`,
    failed: feed?.error?.message ?? '',
  }
  return (
    <span
      class={`feed-state ${phase}`}
      role="status"
      aria-label="State"
      // What changes all the time is not read out.
      aria-live={phase === 'reading' || phase === 'waiting' ? 'off' : 'polite'}
    >
      {texts[phase]}
      {waiting}
      <span class="quiet"> {plural(feed?.kept.length ?? 0, 'message')}</span>
    </span>
  )
}
