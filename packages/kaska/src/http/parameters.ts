/** What stands in a path or behind its question mark, checked. */
import {
  InvalidArgumentError,
  type TopicName,
  topicNameOf,
  UnknownPartitionError,
} from '@kaska/protocol'

/** A group's name has at most so many characters. */
const groupCharsMax = 16_384

interface Query {
  query(name: string): string | undefined
  param(name: string): string | undefined
}

/** The topic in the path. Throws InvalidTopicError. */
export function topicParameter(request: Query): TopicName {
  return topicNameOf(request.param('topic') ?? '')
}

/** The group in the path. Throws InvalidArgumentError. */
export function groupParameter(request: Pick<Query, 'param'>): string {
  const name = request.param('group') ?? ''
  if (name !== '' && name.length <= groupCharsMax && name.isWellFormed()) return name
  throw new InvalidArgumentError(`a group's name has 1 to ${groupCharsMax} characters`)
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

/** An offset in a body. Throws InvalidArgumentError. */
export function offsetMember(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(`${name} is an offset, a whole number from 0 on`)
}

/** The number of a partition in a body. Throws InvalidArgumentError, UnknownPartitionError. */
export function partitionMember(
  value: unknown,
  { partitions }: { readonly partitions: number },
): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new InvalidArgumentError('partition is a whole number')
  }
  if (value >= 0 && value < partitions) return value
  throw new UnknownPartitionError(
    `there is no partition ${value}: the topic has ${partitions}, from 0 on`,
  )
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
