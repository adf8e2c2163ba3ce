/** A place in a log: where a batch goes, and what its segment holds up to there. */
import type { RecoveredLog } from './recovery.ts'
import type { Segment } from './segment.ts'

/** Where the next batch goes, and what the segment holds up to there. */
export interface Place {
  readonly segment: Segment | undefined
  readonly position: number
  readonly offset: number
  readonly maxTimestamp: number
  readonly maxTimestampOffset: number
  /** The leader epoch of the batch before; -1 without one. */
  readonly lastEpoch: number
}

/** The place behind all that a start has found. */
export function placeBehind(found: RecoveredLog): Place {
  const segment = found.segments.at(-1)
  return {
    segment,
    position: segment?.size ?? 0,
    offset: found.endOffset,
    maxTimestamp: found.maxTimestamp,
    maxTimestampOffset: found.maxTimestampOffset,
    lastEpoch: found.lastEpoch,
  }
}

/** The beginning of a segment, at the offset of a place. */
export function beginningOf(place: Place, segment: Segment): Place {
  return { ...place, segment, position: 0, maxTimestamp: -1, maxTimestampOffset: -1 }
}

/** A segment is written no more: its time index ends with the largest timestamp that it holds. */
export function seal({ segment, maxTimestamp, maxTimestampOffset }: Place): void {
  if (segment === undefined) return
  segment.isSealed = true
  if (maxTimestampOffset < 0) return
  const relativeOffset = maxTimestampOffset - segment.baseOffset
  segment.index.noteTime({ timestamp: maxTimestamp, relativeOffset })
}
