/** What stands in a path or behind its question mark, checked. */
import { InvalidArgumentError, type TopicName, topicNameOf } from '@kaska/protocol'

interface Query {
  query(name: string): string | undefined
  param(name: string): string | undefined
}

/** The topic in the path. Throws InvalidTopicError. */
export function topicParameter(request: Query): TopicName {
  return topicNameOf(request.param('topic') ?? '')
}

/** A whole number from `min` to `max`; the fallback where it is missing. Throws InvalidArgumentError. */
export function integerQuery<T>(
  request: Query,
  name: string,
  bounds: { readonly min: number; readonly max: number },
  fallback: T,
): number | T {
  const text = request.query(name)
  return text === undefined ? fallback : integerOf(text, name, bounds)
}

export function integerParameter(request: Query, name: string): number {
  const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }
  return integerOf(request.param(name) ?? '', name, bounds)
}

/** Milliseconds since 1970, or a date and time of ISO 8601. Throws InvalidArgumentError. */
export function timestampOf(text: string, name: string): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : parseTime(text)
  if (Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError(
    `${name} is milliseconds since 1970 or a time like 2026-01-31T12:00:00Z, not '${text}'`,
  )
}

function parseTime(text: string): number {
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return Number.NaN
  // The clock of the host has no part in this: it only reads a date.
  // biome-ignore lint/style/noRestrictedGlobals: see above.
  return Date.parse(text)
}

function integerOf(
  text: string,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new InvalidArgumentError(`${name} is a whole number from ${min} to ${max}, not '${text}'`)
}
