/** Version ranges as Kafka's message definitions write them: `3+`, `0-2`, `4`, `none`. */

export interface VersionRange {
  readonly min: number
  /** Infinity where the range is open. */
  readonly max: number
}

const none: VersionRange = { min: 1, max: 0 }

/** Reads a range; throws a TypeError for anything else, since ranges are part of the source. */
export function parseVersions(text: string): VersionRange {
  if (text === 'none') return none
  const match = /^(\d+)(\+|-(\d+))?$/.exec(text)
  if (match === null) throw new TypeError(`'${text}' is not a version range`)
  const min = Number(match[1])
  if (match[2] === '+') return { min, max: Number.POSITIVE_INFINITY }
  return { min, max: match[3] === undefined ? min : Number(match[3]) }
}

export function inRange(range: VersionRange, version: number): boolean {
  return version >= range.min && version <= range.max
}
