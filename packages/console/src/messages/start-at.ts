/** Where a list of messages begins, and how that stands in an address: `end`, `start`, `offset:17`, `time:MS`, `last:100`. */

export type StartAt =
  | { readonly at: 'end' }
  | { readonly at: 'start' }
  | { readonly at: 'offset'; readonly offset: number }
  /** Milliseconds since 1970. */
  | { readonly at: 'time'; readonly timestamp: number }
  /** So many before the end of each partition. */
  | { readonly at: 'last'; readonly count: number }

export const startDefault: StartAt = { at: 'last', count: 100 }

/** The default where there is none, or none that makes sense. */
export function startFromText(text: string | null): StartAt {
  if (text === 'end' || text === 'start') return { at: text }
  const [, at, digits] = /^(offset|time|last):(\d{1,16})$/.exec(text ?? '') ?? []
  const number = Number(digits)
  if (!Number.isSafeInteger(number)) return startDefault
  if (at === 'offset') return { at, offset: number }
  if (at === 'time') return { at, timestamp: number }
  return { at: 'last', count: Math.max(1, number) }
}

export function startToText(start: StartAt): string {
  switch (start.at) {
    case 'offset':
      return `offset:${start.offset}`
    case 'time':
      return `time:${start.timestamp}`
    case 'last':
      return `last:${start.count}`
    default:
      return start.at
  }
}
