/** What is checked of a call before it is done: callers of any protocol may ask for anything. */
import { InvalidArgumentError, type PollRequest } from '@kaska/protocol'

/** A group's name has at most so many characters. */
const groupCharsMax = 16_384

/** Throws InvalidArgumentError. */
export function checkPoll({ bytesMax, waitMs, parts }: PollRequest): void {
  if (!(bytesMax >= 0)) throw new InvalidArgumentError(`${bytesMax} is not a number of bytes`)
  if (!(waitMs >= 0)) throw new InvalidArgumentError(`${waitMs} is not a time to wait`)
  for (const { offset } of parts) {
    if (!Number.isSafeInteger(offset)) {
      throw new InvalidArgumentError(`${offset} is not an offset`)
    }
  }
}

/** Throws InvalidArgumentError. */
export function checkGroup(group: string): void {
  if (typeof group !== 'string' || group === '') {
    throw new InvalidArgumentError('a name to commit under is a string, and not empty')
  }
  if (!group.isWellFormed() || group.length > groupCharsMax) {
    throw new InvalidArgumentError(
      `a name to commit under is well-formed, and has at most ${groupCharsMax} characters`,
    )
  }
}
