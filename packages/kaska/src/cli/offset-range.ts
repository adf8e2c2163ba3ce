/**
 * Where `consume -o` begins and ends, after kcat and rpk:
 *
 *   start  end      the first message that is there; behind the last one
 *   17              offset 17
 *   -5  +5          5 before the end; 5 after the start
 *   @1700000000000  the first message at or after that time: milliseconds since 1970,
 *   @2026-01-31  @2026-01-31T12:00:00Z  @-1h30m      a date, a date with a time, how long ago
 *   a:b  a:  :b     from a until before b; until b from the start
 *
 * Places are worked out for each partition from its bounds, once, when the command begins.
 */
import { UsageError } from './failure.ts'

export type Place =
  /** `count` messages after the start. */
  | { readonly kind: 'start'; readonly count: number }
  /** `count` messages before the end. */
  | { readonly kind: 'end'; readonly count: number }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'timestamp'; readonly timestamp: number }

export interface OffsetRange {
  readonly from: Place
  /** Where to stop: before the message that lies there; undefined: never. */
  readonly to: Place | undefined
}

/** Reads the value of `-o`. `nowMs` is what `@-1h` counts from. Throws UsageError. */
export function parseOffsetRange(text: string, nowMs: number): OffsetRange {
  const single = parsePlace(text, nowMs)
  if (single !== undefined) return { from: single, to: undefined }
  // A time holds colons too: the one that parts the two places leaves a place on either side.
  for (let colon = text.indexOf(':'); colon !== -1; colon = text.indexOf(':', colon + 1)) {
    const before = text.slice(0, colon)
    const after = text.slice(colon + 1)
    if (before === '' && after === '') break
    const from = before === '' ? startPlace : parsePlace(before, nowMs)
    const to = after === '' ? undefined : parsePlace(after, nowMs)
    if (from !== undefined && (to !== undefined || after === '')) return { from, to }
  }
  throw new UsageError(
    `'${text}' is not an offset`,
    'it is start, end, a number, -N, +N, @timestamp, or a range a:b of these',
  )
}

const startPlace: Place = { kind: 'start', count: 0 }

function parsePlace(text: string, nowMs: number): Place | undefined {
  if (text === 'start' || text === 'beginning') return startPlace
  if (text === 'end') return { kind: 'end', count: 0 }
  if (text.startsWith('@')) {
    const timestamp = parseTimestamp(text.slice(1), nowMs)
    return timestamp === undefined ? undefined : { kind: 'timestamp', timestamp }
  }
  const [, sign, digits = ''] = /^([-+]?)(\d{1,16})$/.exec(text) ?? []
  if (sign === undefined) return undefined
  const count = Number(digits)
  if (!Number.isSafeInteger(count)) return undefined
  if (sign === '-') return { kind: 'end', count }
  if (sign === '+') return { kind: 'start', count }
  return { kind: 'offset', offset: count }
}

const datePattern = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[-+]\d{2}:\d{2})?)?$/
const agoPattern = /^-(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/

/**
 * A time in milliseconds since 1970: as digits, as a date (a date alone begins at midnight UTC, a time
 * without a zone is UTC too), or as `-1h30m` ago. Undefined if it is none of these.
 */
export function parseTimestamp(text: string, nowMs: number): number | undefined {
  if (/^\d{1,16}$/.test(text)) {
    const timestamp = Number(text)
    return Number.isSafeInteger(timestamp) ? timestamp : undefined
  }
  const date = datePattern.exec(text)
  if (date !== null) {
    const zone = date[1] === undefined || date[4] !== undefined ? '' : 'Z'
    const timestamp = Date.parse(text + zone)
    return Number.isNaN(timestamp) ? undefined : timestamp
  }
  const ago = agoPattern.exec(text)
  if (ago === null || text === '-') return undefined
  const [days, hours, minutes, seconds] = ago.slice(1).map((part) => Number(part ?? 0))
  const ms = (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)
  return Math.max(nowMs - ms * 1000, 0)
}

/** What a partition holds, and how to look up a time in it. */
export interface PartitionPlaces {
  readonly startOffset: number
  readonly endOffset: number
  /** The first offset at or after a time; undefined if there is none. */
  offsetAt(timestamp: number): Promise<number | undefined>
}

/**
 * The offset that a place stands for in a partition. Counts stop at the partition's bounds; an
 * offset is returned as it was given, even where it lies outside of them.
 */
export async function resolvePlace(place: Place, partition: PartitionPlaces): Promise<number> {
  const { startOffset, endOffset } = partition
  switch (place.kind) {
    case 'start':
      return Math.min(startOffset + place.count, endOffset)
    case 'end':
      return Math.max(endOffset - place.count, startOffset)
    case 'offset':
      return place.offset
    case 'timestamp':
      return (await partition.offsetAt(place.timestamp)) ?? endOffset
  }
}
