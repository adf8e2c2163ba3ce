/** What a list is doing, and how many messages it has. */
import { useRef } from 'preact/hooks'
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
  const positions = feed?.positions()
  let behind = 0
  for (const [each, position] of positions ?? []) {
    behind += Math.max(0, (data?.bounds[each]?.endOffset ?? 0) - position)
  }
  const keepsUp = useKeepsUp(feed, data, behind === 0 && positions !== undefined)
  let phase = feed?.phase ?? 'opening'
  // What comes all the time is read all the time.
  if (phase === 'reading' && keepsUp) phase = 'waiting'
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

/**
 * Does the list keep up with what comes: has it reached the ends that were told last, or, where it had no time for those
 * yet, the ones before?
 */
function useKeepsUp(
  feed: MessageFeed | undefined,
  data: TopicBounds | undefined,
  isThere: boolean,
): boolean {
  const known = useRef({ feed, data, isThere: false, wasThere: false })
  if (known.current.feed !== feed) {
    known.current = { feed, data, isThere: false, wasThere: false }
  } else if (known.current.data !== data) {
    known.current = { feed, data, isThere: false, wasThere: known.current.isThere }
  }
  if (isThere && data !== undefined) known.current.isThere = true
  return known.current.isThere || known.current.wasThere
}
