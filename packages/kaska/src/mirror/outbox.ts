/**
 * Sends what was built to the target, each partition's batches in their order. An offset that the target
 * gives is compared with the one expected: a message of somebody else ends the partition's mirror. What
 * else goes wrong makes the partition unplaced: its place is read back before it goes on.
 */
import {
  type Clock,
  type Engine,
  OutOfOrderSequenceError,
  UnknownProducerError,
} from '@kaska/protocol'
import { isRetriable, mirrorContext, textOf } from './asking.ts'
import type { MirrorPartition } from './mirror-partition.ts'
import type { PartitionTable } from './partition-table.ts'
import type { Placement } from './placement.ts'
import type { BuiltBatch } from './rebuild.ts'

/** How many requests are under way before their acknowledgements are waited for. */
const sendsAtOnce = 4
/** A batch of a mirror that was killed may arrive late: that is waited out. */
const disordersMax = 10
export const attemptPauseMs = 100
export const attemptsMax = 20

export interface OutboxOptions {
  readonly target: Engine
  readonly clock: Clock
  readonly placement: Placement
  readonly table: PartitionTable
  readonly report: (line: string) => void
}

export class Outbox {
  /** Acknowledged by the target. */
  messages = 0
  bytes = 0
  readonly #options: OutboxOptions

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** Resolves when all is answered. */
  async send(built: ReadonlyMap<MirrorPartition, readonly BuiltBatch[]>): Promise<void> {
    const underWay: Promise<void>[] = []
    for (let wave = 0; ; wave++) {
      const byProducer = new Map<number, { each: MirrorPartition; next: BuiltBatch }[]>()
      for (const [each, batches] of built) {
        const next = batches[wave]
        if (next === undefined || each.state !== 'active') continue
        const list = byProducer.get(each.producerId) ?? []
        list.push({ each, next })
        byProducer.set(each.producerId, list)
      }
      if (byProducer.size === 0) break
      for (const [producerId, list] of byProducer) underWay.push(this.#sendWave(producerId, list))
      if (underWay.length >= sendsAtOnce) await underWay[underWay.length - sendsAtOnce]
    }
    await Promise.all(underWay)
    // Behind the last message there may be what is none.
    for (const [each] of built) if (each.state === 'active') each.acknowledge(each.asked)
  }

  async #sendWave(
    producerId: number,
    list: readonly { each: MirrorPartition; next: BuiltBatch }[],
  ): Promise<void> {
    const { target, table } = this.#options
    const expected: number[] = []
    const parts = list.map(({ each, next: { baseSequence, batch } }) => {
      expected.push(each.sentEnd)
      each.sentEnd += batch.recordCount
      return { topic: each.topic.target, partition: each.partition, baseSequence, batch }
    })
    // What was begun is ended: the signal is for the next round.
    let results: Awaited<ReturnType<Engine['send']>>
    try {
      const producer = { producerId, producerEpoch: 0 }
      results = await target.send({ producer, parts }, mirrorContext)
    } catch (error) {
      for (const { each } of list) this.#failed(each, error)
      return
    }
    for (const [index, { each, next }] of list.entries()) {
      const result = results[index]
      const offset = expected[index] as number
      if (each.state !== 'active' || result === undefined) continue
      if (result.error !== undefined) this.#failed(each, result.error)
      else if (result.baseOffset !== offset) {
        table.fail(
          each,
          `somebody else writes to the target: a message got offset ${result.baseOffset} there instead of ${offset}`,
        )
      } else {
        // Answers to sends may overtake each other; a later one says that the earlier arrived.
        each.targetEnd = Math.max(each.targetEnd, offset + next.batch.recordCount)
        each.attempts = 0
        each.disorders = 0
        this.messages += next.batch.recordCount
        this.bytes += next.batch.recordsLength
        each.acknowledge(next.sourceEnd)
      }
    }
  }

  #failed(each: MirrorPartition, error: unknown): void {
    if (each.state !== 'active') return
    const { clock, report, table, placement } = this.#options
    const isUnknown = error instanceof UnknownProducerError
    const isOutOfOrder = error instanceof OutOfOrderSequenceError
    if (!isRetriable(error) && !isUnknown && !isOutOfOrder) {
      table.fail(each, `the target refuses a message: ${textOf(error)}`)
      return
    }
    if (isOutOfOrder && ++each.disorders > disordersMax) {
      table.fail(
        each,
        `somebody else writes to the target, or it has lost messages: ${textOf(error)}`,
      )
      return
    }
    // The target has forgotten who sent there: a new producer begins, and is claimed.
    if (isUnknown) placement.forget(each)
    if (isRetriable(error) && each.attempts === 0) {
      report(`${each.label}: trying again: ${textOf(error)}`)
    }
    each.state = 'unplaced'
    each.attempts = Math.min(each.attempts + 1, attemptsMax)
    each.notBefore = clock.monotonic() + attemptPauseMs * each.attempts
  }
}
