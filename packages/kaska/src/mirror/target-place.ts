/**
 * Where a mirror goes on in a partition, read back from the target itself.
 *
 *     target's log                                   then
 *     its last message has a mirror's header         behind that message, with the next sequence number
 *     its last message has none                      refused: somebody else writes there
 *     it never held a message                        at the source's start, with sequence number 0
 *     all of its messages were deleted               as it was noted, if that was for this very end and
 *                                                    this topic of the source; else refused
 *
 * All mirrors send as the same producer, and no batch of a partition before the one in front of it is
 * acknowledged. So of all that is on its way, whoever sent it, the target takes at most one batch behind what
 * it has: each was built behind the message with the number before its own. A batch of a killed mirror that
 * arrives late is that one (then its successor's is refused, or taken for it), or it is known, or refused.
 * Where the source has deleted messages in between, it may have as many others as the successor's, and its
 * numbers: so the first batch from a place is read back.
 */
import {
  type Codecs,
  type Engine,
  type OffsetBounds,
  OffsetOutOfRangeError,
  type PollPart,
  type ProducerIdentity,
  type RequestContext,
  type TopicId,
  topicIdToBytes,
} from '@kaska/protocol'
import { MirrorError } from './asking.ts'
import { type MessageOrigin, originOf } from './mirror-header.ts'
import { endOf, recordsOf } from './read-batch.ts'
import { pollOne } from './read-messages.ts'
import { sequenceCount } from './rebuild.ts'

/** Brokers give ids from 0 on, and keep what they know of a producer by partition: nobody else has this one. */
export const mirrorProducer: ProducerIdentity = { producerId: 2 ** 52, producerEpoch: 0 }

/** The names under which a mirror commits at the target what the last message says. */
export const noteNames = {
  /** The source's offset to go on at. */
  position: 'kaska-mirror-source',
  topic: 'kaska-mirror-topic',
  sequence: 'kaska-mirror-sequence',
  /** The target's end that all of it was noted for: it is written last. */
  end: 'kaska-mirror-target',
} as const

/** What is noted of the source's topic: enough to tell it from its successor. */
export function topicNumber(topic: TopicId): number {
  const bytes = topicIdToBytes(topic) ?? new Uint8Array(0)
  return bytes.subarray(0, 6).reduce((number, byte) => number * 256 + byte, 0)
}

export interface Place {
  /** The source's offset to go on at; undefined is its start. */
  readonly position: number | undefined
  /** The offset that the target gives next. */
  readonly targetEnd: number
  /** The sequence number of the next message. */
  readonly sequence: number
}

export interface TargetPartition {
  readonly topic: TopicId
  readonly partition: number
  /** The source's topic. */
  readonly sourceTopic: TopicId
}

/** How long a cluster that has just changed a leader may take to show what is there. */
const lastWaitMs = 500

export async function readPlace(
  target: Engine,
  where: TargetPartition,
  codecs: Codecs,
  context: RequestContext,
): Promise<Place> {
  const { topic, partition, sourceTopic } = where
  const { startOffset, endOffset } = await target.offsets(topic, partition, context)
  if (endOffset === 0) return { position: undefined, targetEnd: 0, sequence: 0 }
  if (startOffset === endOffset) return await readNotes(target, where, endOffset, context)
  const part = { topic, partition, offset: endOffset - 1 }
  const last = await readOrigin(target, part, { codecs, context, waitMs: lastWaitMs })
  if (last?.offset !== endOffset - 1) {
    // It may have been deleted meanwhile.
    const now = await target.offsets(topic, partition, context)
    if (now.startOffset >= endOffset) return await readPlace(target, where, codecs, context)
  }
  const origin = last?.origin
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
  return {
    position: origin.offset + 1,
    targetEnd: endOffset,
    sequence: (batch.sequence + 1) % sequenceCount,
  }
}

/** Where the message at an offset of the target came from; undefined where it is not there (any more). */
export async function originAt(
  target: Engine,
  part: PollPart,
  codecs: Codecs,
  context: RequestContext,
): Promise<number | undefined> {
  const found = await readOrigin(target, part, { codecs, context, waitMs: lastWaitMs })
  return found?.offset === part.offset ? found.origin?.offset : undefined
}

/** The place in a log whose messages are all deleted. */
async function readNotes(
  target: Engine,
  { topic, partition, sourceTopic }: TargetPartition,
  endOffset: number,
  context: RequestContext,
): Promise<Place> {
  const noted = (name: string) => target.committed(name, topic, partition, context)
  const end = await noted(noteNames.end)
  const position = await noted(noteNames.position)
  const sequence = await noted(noteNames.sequence)
  const number = await noted(noteNames.topic)
  // They hold if nothing came behind them.
  if (end !== endOffset || position === undefined || sequence === undefined) {
    throw new MirrorError(
      'all messages of the target were deleted, and where to go on with them; delete the target topic to copy it again',
    )
  }
  if (number !== topicNumber(sourceTopic)) {
    throw new MirrorError(
      "the target held messages of another topic of this name, and not of the source's now; delete the target topic to copy the new one",
    )
  }
  return { position, targetEnd: endOffset, sequence }
}

/** A message of the target: where it lies, and where it came from. */
interface FoundOrigin {
  readonly offset: number
  readonly origin: MessageOrigin | undefined
}

interface ReadOriginOptions {
  readonly codecs: Codecs
  readonly context: RequestContext
  readonly waitMs?: number
  /** Are messages passed over that no mirror wrote? */
  readonly isMirrored?: boolean
}

/** The first message at an offset or behind it; undefined at the end of the log. */
async function readOrigin(
  target: Engine,
  { topic, partition, offset }: PollPart,
  { codecs, context, waitMs = 0, isMirrored = false }: ReadOriginOptions,
): Promise<FoundOrigin | undefined> {
  for (let next = offset; ; ) {
    const part = { topic, partition, offset: next }
    try {
      const { batches, release } = await pollOne(target, part, { waitMs, bytesMax: 1 }, context)
      try {
        for (const batch of batches) {
          for (const record of recordsOf(batch, next, codecs)) {
            const origin = originOf(record.headers)
            if (origin !== undefined || !isMirrored) return { offset: record.offset, origin }
          }
          next = Math.max(next, endOf(batch))
        }
        if (batches.length === 0) return undefined
      } finally {
        release()
      }
    } catch (error) {
      // It was deleted a moment ago.
      if (!(error instanceof OffsetOutOfRangeError) || error.startOffset <= next) throw error
      next = error.startOffset
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
    const part = { topic, partition, offset: middle }
    const found = await readOrigin(target, part, { codecs, context, isMirrored: true })
    const from = found?.origin?.offset
    if (found === undefined || from === undefined || found.offset >= high) high = middle
    else if (from < sourceOffset) low = found.offset + 1
    else if (from === sourceOffset) return found.offset
    else high = middle
    next = Math.floor((low + high) / 2)
  }
  return low
}
