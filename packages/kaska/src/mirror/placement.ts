/**
 * Puts partitions where they go on, and notes where they stand: all that a mirror keeps at the target beside
 * the messages.
 */
import type { Codecs, CommitEntry, Engine, RequestContext } from '@kaska/protocol'
import { forEachAtOnce, MirrorError, type Patience, patiently } from './asking.ts'
import { hasSameContent } from './message-sum.ts'
import type { MirrorPartition } from './mirror-partition.ts'
import { withMessage } from './read-messages.ts'
import { noteNames, type Place, readPlace, topicNumber } from './target-place.ts'

const notedAtOnce = 1000
/** A cluster forgets what was committed long ago: it is committed again after this. */
const notedMsMax = 3_600_000

export interface PlacementOptions {
  readonly source: Engine
  readonly target: Engine
  readonly codecs: Codecs
  /** A partition at which the target refuses what is noted. */
  readonly refused: (each: MirrorPartition, error: unknown) => void
}

export class Placement {
  readonly #options: PlacementOptions

  constructor(options: PlacementOptions) {
    this.#options = options
  }

  /** Rejects with MirrorError where it cannot go on; nothing is changed then. */
  async place(each: MirrorPartition, context: RequestContext): Promise<void> {
    const { target, codecs } = this.#options
    const { topic, partition } = each
    const where = { topic: topic.target, partition, sourceTopic: topic.source }
    const place = await readPlace(target, where, codecs, context)
    const position = await this.#positionOf(each, place.position, context)
    if (place.position !== undefined) await this.#checkLast(each, place, context)
    // All at once: committed offsets are translated by it meanwhile.
    each.generation++
    each.targetEnd = place.targetEnd
    each.isUnsure = true
    each.sequence = place.targetEnd === each.forgottenAt ? 0 : place.sequence
    each.position = position
    each.asked = position
    each.askedEpoch = undefined
  }

  /** The source's offset to go on at; its first where the target has held no message. */
  async #positionOf(
    { topic, partition, sourceEnd }: MirrorPartition,
    position: number | undefined,
    context: RequestContext,
  ): Promise<number> {
    if (position !== undefined && position <= sourceEnd) return position
    const { source } = this.#options
    const { startOffset, endOffset } = await source.offsets(topic.source, partition, context)
    if (position === undefined) return startOffset
    if (position <= endOffset) return position
    throw new MirrorError(
      `the source ends at offset ${endOffset}, and the target holds what came from before ${position}: the source has lost messages; delete the target topic to copy it anew`,
    )
  }

  /**
   * Is the last message that the target has still the source's? A source may have lost its newest messages, and have
   * taken others in their place. What one side has deleted meanwhile cannot be compared.
   */
  async #checkLast(
    { topic, partition }: MirrorPartition,
    { position = 0, targetEnd }: Place,
    context: RequestContext,
  ): Promise<void> {
    const { source, target, codecs } = this.#options
    const last = position - 1
    const there = { topic: topic.target, partition, offset: targetEnd - 1 }
    const here = { topic: topic.source, partition, offset: last }
    await withMessage(target, there, { codecs, context }, async (copy) => {
      if (copy === undefined) return
      await withMessage(source, here, { codecs, context }, async (original) => {
        if (original === undefined || hasSameContent(original, copy)) return
        throw new MirrorError(
          `the source's message at offset ${last} is not the one that was mirrored from there: the source has lost messages, and has others in their place; delete the target topic to copy it anew`,
        )
      })
    })
  }

  /** Writes down where the partitions stand, for the case that the target deletes all of its messages. */
  async note(partitions: Iterable<MirrorPartition>, patience: Patience): Promise<void> {
    const now = patience.clock.monotonic()
    const moved = [...partitions].filter(
      ({ state, noted, targetEnd }) =>
        state !== 'unplaced' &&
        (noted === undefined || noted.end !== targetEnd || now - noted.at > notedMsMax),
    )
    for (let start = 0; start < moved.length; start += notedAtOnce) {
      const some = moved.slice(start, start + notedAtOnce)
      await this.#commit(noteNames.position, some, ({ position }) => position, patience)
      await this.#commit(noteNames.topic, some, ({ topic }) => topicNumber(topic.source), patience)
      await this.#commit(noteNames.sequence, some, ({ sequence }) => sequence, patience)
      await this.#commit(noteNames.end, some, ({ targetEnd }) => targetEnd, patience)
      for (const each of some) each.noted = { end: each.targetEnd, at: now }
    }
  }

  async #commit(
    group: string,
    partitions: readonly MirrorPartition[],
    numberOf: (each: MirrorPartition) => number,
    patience: Patience,
  ): Promise<void> {
    const commit = (some: readonly MirrorPartition[]) => {
      const entries = some.map((each): CommitEntry => {
        return { topic: each.topic.target, partition: each.partition, offset: numberOf(each) }
      })
      return patiently(patience, (context) => this.#options.target.commit(group, entries, context))
    }
    try {
      await commit(partitions)
    } catch (error) {
      if (patience.signal.aborted) throw error
      // All or none: which of them it was, each tells by itself.
      await forEachAtOnce(partitions, async (each) => {
        try {
          await commit([each])
        } catch (cause) {
          if (patience.signal.aborted) throw cause
          this.#options.refused(each, cause)
        }
      })
    }
  }
}
