/**
 * Puts partitions where they go on, claims them, and writes down where they stand: all that a mirror
 * keeps at the target beside the messages.
 */
import type { Codecs, CommitEntry, Engine } from '@kaska/protocol'
import { forEachAtOnce, type Patience, patiently, pause } from './asking.ts'
import type { MirrorPartition } from './mirror-partition.ts'
import { claimGroup, placeGroups, readPlace } from './target-place.ts'

const claimedAtOnce = 256
/** A cluster forgets what was committed long ago: it is committed again after this. */
const notedMsMax = 3_600_000
/** How long a claim stands before it is looked at again. */
const settleMsMin = 200

export interface PlacementOptions {
  readonly source: Engine
  readonly target: Engine
  readonly codecs: Codecs
  /** A partition at which the target refuses what is written down. */
  readonly refused: (each: MirrorPartition, error: unknown) => void
}

export class Placement {
  readonly #options: PlacementOptions
  /** Of the claims of this run. */
  #producerId: number | undefined

  constructor(options: PlacementOptions) {
    this.#options = options
  }

  /** False: it has to be claimed. Rejects with MirrorError where it cannot go on. */
  async place(each: MirrorPartition, patience: Patience): Promise<boolean> {
    const { source, target, codecs } = this.#options
    const { topic, partition } = each
    const where = { topic: topic.target, partition, sourceTopic: topic.source }
    const place = await patiently(patience, (context) => readPlace(target, where, codecs, context))
    each.generation++
    each.targetEnd = place.targetEnd
    each.sentEnd = place.targetEnd
    each.sequence = place.sequence
    each.askedEpoch = undefined
    each.position =
      place.position ??
      (await patiently(patience, (context) => source.offsets(topic.source, partition, context)))
        .startOffset
    each.asked = each.position
    if (place.producerId === undefined) each.isClaimVoid = true
    else if (!each.isClaimVoid) each.producerId = place.producerId
    return !each.isClaimVoid
  }

  /**
   * Writes down at the target which producer id is going to be used. Two mirrors that claim at once end
   * up with the same id: each looks again after longer than either takes from its look to its claim.
   */
  async claim(partitions: readonly MirrorPartition[], patience: Patience): Promise<void> {
    if (partitions.length === 0) return
    const { clock, signal } = patience
    let settleMs = settleMsMin
    for (let start = 0; start < partitions.length; start += claimedAtOnce) {
      const some = partitions.slice(start, start + claimedAtOnce)
      const began = clock.monotonic()
      await this.#adopt(some, patience)
      const open = some.filter((each) => each.isClaimVoid)
      if (open.length > 0) {
        this.#producerId ??= (
          await patiently(patience, (context) => this.#options.target.initProducer(context))
        ).producerId
        for (const each of open) this.#use(each, this.#producerId)
        await this.#commit(claimGroup, open, ({ producerId }) => producerId, patience)
      }
      settleMs = Math.max(settleMs, 2 * (clock.monotonic() - began))
    }
    await pause(clock, settleMs, signal)
    await this.#adopt(partitions, patience)
  }

  /** Takes the ids that are claimed at the target now, unless they are those that are void. */
  async #adopt(partitions: readonly MirrorPartition[], patience: Patience): Promise<void> {
    const { target } = this.#options
    await forEachAtOnce(partitions, async (each) => {
      const { topic, partition } = each
      const claimed = await patiently(patience, (context) =>
        target.committed(claimGroup, topic.target, partition, context),
      )
      if (claimed === undefined || claimed === each.producerId) return
      this.#use(each, claimed)
    })
  }

  #use(each: MirrorPartition, producerId: number): void {
    each.producerId = producerId
    each.sequence = 0
    each.isClaimVoid = false
  }

  /** The target does not know the partition's producer any more: it is to be claimed anew. */
  forget(each: MirrorPartition): void {
    if (each.producerId === this.#producerId) this.#producerId = undefined
    each.isClaimVoid = true
  }

  /** Writes down where the partitions stand, for the case that the target deletes all of its messages. */
  async note(partitions: Iterable<MirrorPartition>, patience: Patience): Promise<void> {
    const now = patience.clock.monotonic()
    const moved = [...partitions].filter(
      ({ state, noted, targetEnd }) =>
        state !== 'unplaced' &&
        (noted === undefined || noted.end !== targetEnd || now - noted.at > notedMsMax),
    )
    await this.#commit(placeGroups.source, moved, ({ position }) => position, patience)
    await this.#commit(placeGroups.target, moved, ({ targetEnd }) => targetEnd, patience)
    for (const each of moved) each.noted = { end: each.targetEnd, at: now }
  }

  async #commit(
    group: string,
    partitions: readonly MirrorPartition[],
    offsetOf: (each: MirrorPartition) => number,
    patience: Patience,
  ): Promise<void> {
    if (partitions.length === 0) return
    const commit = (some: readonly MirrorPartition[]) => {
      const entries = some.map((each): CommitEntry => {
        return { topic: each.topic.target, partition: each.partition, offset: offsetOf(each) }
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
