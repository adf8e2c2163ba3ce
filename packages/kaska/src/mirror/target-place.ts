/**
 * Where a mirror goes on in a partition, read back from the target itself.
 *
 *     target's log                                   then
 *     its last message has a mirror's header         behind that message, with the producer id and
 *                                                    sequence number that it names
 *     its last message has none                      refused: somebody else writes there
 *     it never held a message                        at the source's start
 *     all of its messages were deleted               where it was written down in `placeGroups`, if
 *                                                    that was for this very end; else refused
 *
 * Before the first message a partition is claimed: the producer id that is going to be used is committed
 * at the target. So a mirror that was killed is followed by one with the same id and the same sequence
 * numbers, and a batch of the first that arrives late is either known (and not stored again) or refused.
 */
import type {
  Codecs,
  Engine,
  OffsetBounds,
  PollPart,
  RequestContext,
  TopicId,
} from '@kaska/protocol'
import { MirrorError } from './asking.ts'
import { type MessageOrigin, originOf } from './mirror-header.ts'
import { endOf, recordsOf } from './read-batch.ts'
import { sequenceCount } from './rebuild.ts'

/** The names under which a mirror commits what is its own at the target. */
export const claimGroup = 'kaska-mirror'
export const placeGroups = { source: 'kaska-mirror-source', target: 'kaska-mirror-target' } as const

export interface Place {
  /** The source's offset to go on at; undefined is its start. */
  readonly position: number | undefined
  /** The offset that the target gives next. */
  readonly targetEnd: number
  /** Undefined: the partition is to be claimed anew, with sequence 0. */
  readonly producerId: number | undefined
  readonly sequence: number
}

export interface TargetPartition {
  readonly topic: TopicId
  readonly partition: number
  /** The source's topic. */
  readonly sourceTopic: TopicId
}

export async function readPlace(
  target: Engine,
  { topic, partition, sourceTopic }: TargetPartition,
  codecs: Codecs,
  context: RequestContext,
): Promise<Place> {
  const { startOffset, endOffset } = await target.offsets(topic, partition, context)
  const claimed = await target.committed(claimGroup, topic, partition, context)
  if (endOffset === 0)
    return { position: undefined, targetEnd: 0, producerId: claimed, sequence: 0 }
  const last =
    startOffset < endOffset
      ? await readOrigin(
          target,
          { topic, partition, offset: endOffset - 1 },
          false,
          codecs,
          context,
        )
      : undefined
  if (last === undefined) {
    // What was written down holds if nothing came behind it.
    const source = await target.committed(placeGroups.source, topic, partition, context)
    const end = await target.committed(placeGroups.target, topic, partition, context)
    if (source === undefined || end !== endOffset) {
      throw new MirrorError(
        'all messages of the target were deleted, and where to go on with them; delete the target topic to copy it again',
      )
    }
    return { position: source, targetEnd: endOffset, producerId: undefined, sequence: 0 }
  }
  const { origin } = last
  if (origin?.batch === undefined) {
    throw new MirrorError(
      `the last message of the target (offset ${endOffset - 1}) was not written by a mirror; a topic is mirrored into one that nobody else writes to`,
    )
  }
  const { batch } = origin
  if (batch.topic !== sourceTopic) {
    throw new MirrorError(
      `the target holds messages of another topic of this name (id ${batch.topic}, the source's is ${sourceTopic} now); delete the target topic to copy the new one`,
    )
  }
  // A cluster forgets claims after some days (`offsets.retention.minutes`); the message still names the id.
  const producerId = claimed ?? batch.producerId
  // A claim that nothing was sent under yet begins with 0.
  const sequence = producerId === batch.producerId ? (batch.sequence + 1) % sequenceCount : 0
  return { position: origin.offset + 1, targetEnd: endOffset, producerId, sequence }
}

/** A message of the target: where it lies, and where it came from. */
interface FoundOrigin {
  readonly offset: number
  readonly origin: MessageOrigin | undefined
}

/**
 * The first message at an offset or behind it, or of those the first that a mirror wrote; undefined at the
 * end of the log.
 */
async function readOrigin(
  target: Engine,
  { topic, partition, offset }: PollPart,
  isMirrored: boolean,
  codecs: Codecs,
  context: RequestContext,
): Promise<FoundOrigin | undefined> {
  for (let next = offset; ; ) {
    const parts = [{ topic, partition, offset: next }]
    const { batches, failures, release } = await target.poll(
      { parts, waitMs: 0, bytesMax: 1 },
      context,
    )
    try {
      if (failures[0] !== undefined) throw failures[0].error
      for (const batch of batches) {
        for (const record of recordsOf(batch, offset, codecs)) {
          const origin = originOf(record.headers)
          if (origin !== undefined || !isMirrored) return { offset: record.offset, origin }
        }
        next = Math.max(next, endOf(batch))
      }
      if (batches.length === 0) return undefined
    } finally {
      release()
    }
  }
}

/**
 * The offset of the first message that came from the given offset of the source or from behind it, within
 * these bounds; `endOffset` where there is none. Looks at few messages, first at the one at `guess`.
 */
export async function findOrigin(
  target: Engine,
  where: { readonly topic: TopicId; readonly partition: number } & OffsetBounds,
  sourceOffset: number,
  guess: number,
  codecs: Codecs,
  context: RequestContext,
): Promise<number> {
  const { topic, partition, startOffset, endOffset } = where
  let low = startOffset
  let high = endOffset
  let next = guess
  while (low < high) {
    const middle = Math.min(Math.max(next, low), high - 1)
    const found = await readOrigin(
      target,
      { topic, partition, offset: middle },
      true,
      codecs,
      context,
    )
    const from = found?.origin?.offset
    if (found === undefined || from === undefined || found.offset >= high) high = middle
    else if (from < sourceOffset) low = found.offset + 1
    else if (from === sourceOffset) return found.offset
    else high = middle
    next = Math.floor((low + high) / 2)
  }
  return low
}
