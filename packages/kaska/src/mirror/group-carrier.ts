/**
 * Carries committed offsets to the target, again and again while a mirror follows, and says before a
 * cut-over whether each name stands at the target where it stands at the source.
 */
import type { Codecs, Engine, RequestContext } from '@kaska/protocol'
import {
  forEachAtOnce,
  isRetriable,
  mirrorContext,
  type Patience,
  patiently,
  textOf,
} from './asking.ts'
import type { MirrorPartition } from './mirror-partition.ts'
import type { PartitionTable } from './partition-table.ts'
import { targetOffsetOf, translateOffset } from './translate.ts'

export interface GroupCarrierOptions {
  readonly source: Engine
  readonly target: Engine
  readonly codecs: Codecs
  readonly groups: readonly string[]
  readonly table: PartitionTable
  readonly report: (line: string) => void
}

export class GroupCarrier {
  readonly #options: GroupCarrierOptions
  /** What the target, or the source, has said to an offset that is not carried over; by partition and name. */
  readonly #refused = new Map<string, string>()

  constructor(options: GroupCarrierOptions) {
    this.#options = options
  }

  /**
   * What cannot be asked now is left for the next time, or waited for where this is the last. Rejects with the
   * reason of the patience's signal alone.
   */
  async carry(patience: Patience, isLast: boolean): Promise<void> {
    const { signal } = patience
    const { groups, table } = this.#options
    for (const group of groups) {
      await forEachAtOnce(table.live, async (each) => {
        if (each.state === 'unplaced') return
        const key = `${each.label} ${group}`
        try {
          const translate = (context: RequestContext) =>
            translateOffset(this.#asking(context), group, each)
          const done = isLast
            ? await patiently(patience, translate)
            : await translate({ ...mirrorContext, signal })
          if (done !== undefined) each.carried.set(group, done)
          this.#refused.delete(key)
        } catch (error) {
          if (signal.aborted) throw error
          if (!isLast && isRetriable(error)) return
          const reason = textOf(error)
          if (this.#refused.get(key) === reason) return
          this.#refused.set(key, reason)
          table.warn(`${each.label}: the offset of ${group} is not carried over: ${reason}`)
        }
      })
    }
  }

  /**
   * After the last `carry`, when nobody is to use either side: says what each name has still to read, and
   * which does not stand at the target where it stands at the source.
   */
  async check(patience: Patience): Promise<void> {
    const { groups, table, report } = this.#options
    for (const group of groups) {
      let committed = 0
      let toCome = 0
      await forEachAtOnce(table.live, async (each) => {
        const place = await patiently(patience, (context) =>
          this.#checkPlace(this.#asking(context), group, each),
        )
        if (place === undefined) return
        committed++
        toCome += each.targetEnd - place
      })
      if (committed === 0) {
        table.warn(`${group} has committed nothing at the source: is it spelled this way?`)
      } else {
        report(
          `${group} goes on at the target with ${toCome} ${toCome === 1 ? 'message' : 'messages'} to come`,
        )
      }
    }
  }

  /** The offset at the target; undefined where nothing is committed at the source. */
  async #checkPlace(
    asking: GroupCarrierOptions & { readonly context: RequestContext },
    group: string,
    each: MirrorPartition,
  ): Promise<number | undefined> {
    const { source, target, context, table } = asking
    const { topic, partition, label } = each
    const offset = await source.committed(group, topic.source, partition, context)
    if (offset === undefined) return undefined
    const place = await targetOffsetOf(asking, each, offset)
    const there = await target.committed(group, topic.target, partition, context)
    if (this.#refused.has(`${label} ${group}`)) return place
    if (offset !== each.carried.get(group)?.offset) {
      table.warn(`${label}: ${group} still commits at the source; stop it, and cut over again`)
    } else if (there !== place) {
      table.warn(
        `${label}: ${group} stands at ${there} at the target, its place at the source is ${place} there; to put it back: kaska offset commit ${group} ${topic.name} ${place} -p ${partition}, with the target's address`,
      )
    }
    return place
  }

  #asking(context: RequestContext) {
    return { ...this.#options, context }
  }
}
