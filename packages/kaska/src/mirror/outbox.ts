/**
 * Sends what was built to the target: a partition's next batch when the one before is acknowledged. So
 * whatever was killed, and however late what it sent arrives, one batch at most comes behind what the
 * target has, and its messages are those that come next (target-place.ts).
 *
 * An offset that the target gives is compared with the one expected: a message of somebody else ends the
 * partition's mirror. What else goes wrong makes the partition unplaced: its place is read back before it
 * goes on.
 */
import {
  type Clock,
  type Codecs,
  type Engine,
  OutOfOrderSequenceError,
  type SendPart,
  type SendPartResult,
  UnknownProducerError,
} from '@kaska/protocol'
import { forEachAtOnce, isRetriable, mirrorContext, textOf } from './asking.ts'
import type { MirrorPartition } from './mirror-partition.ts'
import type { PartitionTable } from './partition-table.ts'
import type { BuiltBatch } from './rebuild.ts'
import { mirrorProducer, originAt } from './target-place.ts'

/** How many requests are under way before their acknowledgements are waited for, and how large they are. */
const sendsAtOnce = 4
const requestBytesMax = 4 << 20
/**
 * A batch of a mirror that was killed may arrive late, and a cluster shows it only once its followers have it,
 * or are given up (`replica.lag.time.max.ms`, 30 s): that is waited out, for a minute.
 */
const disordersMax = 40

export interface OutboxOptions {
  readonly target: Engine
  readonly clock: Clock
  readonly codecs: Codecs
  readonly table: PartitionTable
  readonly report: (line: string) => void
}

type Built = ReadonlyMap<MirrorPartition, readonly BuiltBatch[]>

interface Outgoing {
  readonly each: MirrorPartition
  readonly next: BuiltBatch
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
  async send(built: Built): Promise<void> {
    for (const wave of wavesOf(built)) {
      const underWay: Promise<void>[] = []
      for (const request of requestsOf(wave)) {
        await underWay.at(-sendsAtOnce)
        underWay.push(this.#sendOne(request.filter(({ each }) => each.state === 'active')))
      }
      await Promise.all(underWay)
    }
    // Behind the last message there may be what is none.
    for (const [each] of built) if (each.state === 'active') each.acknowledge(each.asked)
  }

  async #sendOne(list: readonly Outgoing[]): Promise<void> {
    if (list.length === 0) return
    const { target, table } = this.#options
    const parts = list.map(({ each, next: { baseSequence, batch } }): SendPart => {
      return { topic: each.topic.target, partition: each.partition, baseSequence, batch }
    })
    // What was begun is ended: the signal is for the next round.
    let results: readonly SendPartResult[]
    try {
      results = await target.send({ producer: mirrorProducer, parts }, mirrorContext)
    } catch (error) {
      for (const { each } of list) this.#failed(each, error)
      return
    }
    const unsure: Outgoing[] = []
    for (const [index, { each, next }] of list.entries()) {
      const result = results[index] as SendPartResult
      if (each.state !== 'active') continue
      if (result.error !== undefined) this.#failed(each, result.error)
      else if (result.baseOffset !== each.targetEnd) {
        table.fail(
          each,
          `somebody else writes to the target: a message got offset ${result.baseOffset} there instead of ${each.targetEnd}`,
        )
      } else if (each.isUnsure) unsure.push({ each, next })
      else this.#acknowledge(each, next)
    }
    await forEachAtOnce(unsure, (one) => this.#confirm(one))
  }

  /** Is it this batch that the target has there, or an earlier one that had its numbers? */
  async #confirm({ each, next }: Outgoing): Promise<void> {
    const { target, codecs, clock } = this.#options
    const { topic, partition, targetEnd } = each
    const offset = targetEnd + next.batch.recordCount - 1
    const part = { topic: topic.target, partition, offset }
    let origin: number | undefined
    try {
      origin = await originAt(target, part, codecs, mirrorContext)
    } catch {
      // What is wrong is met again when its place is read.
      each.waitAndPlace(clock.monotonic())
      return
    }
    if (origin !== undefined && origin !== next.sourceEnd - 1) each.state = 'unplaced'
    else {
      each.isUnsure = false
      this.#acknowledge(each, next)
    }
  }

  #acknowledge(each: MirrorPartition, next: BuiltBatch): void {
    each.targetEnd += next.batch.recordCount
    each.attempts = 0
    each.disorders = 0
    this.messages += next.batch.recordCount
    this.bytes += next.batch.recordsLength
    each.acknowledge(next.sourceEnd)
  }

  #failed(each: MirrorPartition, error: unknown): void {
    if (each.state !== 'active') return
    const { clock, report, table } = this.#options
    const isUnknown = error instanceof UnknownProducerError
    const isDisorder = isUnknown || error instanceof OutOfOrderSequenceError
    if (!isRetriable(error) && !isDisorder) {
      table.fail(each, `the target refuses a message: ${textOf(error)}`)
      return
    }
    if (isDisorder && ++each.disorders > disordersMax) {
      table.fail(
        each,
        `somebody else writes to the target, or it has lost messages: ${textOf(error)}`,
      )
      return
    }
    // The numbers begin anew there.
    if (isUnknown) each.forgottenAt = each.targetEnd
    if (isRetriable(error) && each.attempts === 0) {
      report(`${each.label}: trying again: ${textOf(error)}`)
    }
    each.waitAndPlace(clock.monotonic())
  }
}

/** One batch of a partition at most: all first ones, then all second ones, ... */
function* wavesOf(built: Built): Generator<readonly Outgoing[], void, void> {
  for (let index = 0; ; index++) {
    const wave: Outgoing[] = []
    for (const [each, batches] of built) {
      const next = batches[index]
      if (next !== undefined) wave.push({ each, next })
    }
    if (wave.length === 0) return
    yield wave
  }
}

function* requestsOf(wave: readonly Outgoing[]): Generator<readonly Outgoing[], void, void> {
  let request: Outgoing[] = []
  let bytes = 0
  for (const one of wave) {
    const size = one.next.batch.recordsLength
    if (request.length > 0 && bytes + size > requestBytesMax) {
      yield request
      request = []
      bytes = 0
    }
    request.push(one)
    bytes += size
  }
  yield request
}
