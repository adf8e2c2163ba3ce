/**
 * Copies topics from one engine to another, and follows them: nothing is lost and nothing repeated at
 * the target, whatever ends it and however often.
 *
 * It works in rounds. One poll asks for all partitions; what it brings becomes batches of the target, sent
 * while the next poll is under way:
 *
 *     poll 1 | poll 2       | poll 3       |
 *            | send 1 (acks)| send 2 (acks)| ...
 *
 * So what is in memory is two answers to polls and what is made of one, however many topics there are.
 * Whatever goes wrong with a partition has one answer, that of a start: its place is read back from the
 * target (target-place.ts), and the mirror goes on from there. An offset that the target gives is
 * compared with the one expected: a message of somebody else ends the partition's mirror.
 */
import {
  type Clock,
  type Codecs,
  type Engine,
  OffsetOutOfRangeError,
  OutOfOrderSequenceError,
  type PolledBatch,
  type PollFailure,
  type PollResult,
  type TopicInfo,
  topicNameOf,
  UnknownProducerError,
  UnknownTopicError,
} from '@kaska/protocol'
import {
  forEachAtOnce,
  isRetriable,
  MirrorError,
  mirrorContext,
  type Patience,
  patiently,
  pause,
} from './asking.ts'
import { MirrorPartition, type MirrorTopic } from './mirror-partition.ts'
import { listTopics, prepareTopic } from './mirror-topics.ts'
import { Placement } from './placement.ts'
import { type BuiltBatch, Rebuilder } from './rebuild.ts'
import { pollWaitMs, Round } from './round.ts'
import { translateOffset } from './translate.ts'

export interface MirrorOptions {
  readonly source: Engine
  readonly target: Engine
  readonly clock: Clock
  readonly codecs: Codecs
  readonly isWanted: (topic: string) => boolean
  /** Settings that the target's topics get instead of the source's; '' leaves one out. */
  readonly settings: ReadonlyMap<string, string>
  /** The names whose committed offsets are translated. */
  readonly groups: readonly string[]
  /** Ends with what was at the source at the start; else it follows until the signal is aborted. */
  readonly once: boolean
  readonly signal: AbortSignal
  /** A line for people. */
  readonly report: (line: string) => void
  /** After how long it looks for new topics, ends and committed offsets again: 5,000. */
  readonly lookAroundMs?: number
  /** Called after each round. */
  readonly progress?: (status: MirrorStatus) => void
}

export interface MirrorStatus {
  readonly topics: number
  readonly partitions: number
  /** Acknowledged by the target since the start. */
  readonly messages: number
  readonly bytes: number
  /** Messages that the source has and the target not yet, as far as is known. */
  readonly behind: number
  /** Deleted at the source before they were mirrored. */
  readonly missed: number
  /** Partitions and topics that could not be mirrored to the end. */
  readonly failures: number
}

const lookAroundMsUsual = 5000
/** How many requests are under way before their acknowledgements are waited for. */
const sendsAtOnce = 4
/** A batch of a mirror that was killed may arrive late: that is waited out. */
const disordersMax = 10
const attemptPauseMs = 100
const attemptsMax = 20
/** The records made in one round; a source's compressed batches may expand to more. */
const roundBytesMax = 64 << 20
/** How long the last look at the target may take. */
const finishMsMax = 15_000

export class Mirror {
  readonly #options: MirrorOptions
  readonly #patience: Patience
  readonly #placement: Placement
  /** The source's topics by name, as they were met: those that cannot be mirrored too. */
  readonly #topics = new Map<string, { id: string; partitions: number }>()
  readonly #partitions: MirrorPartition[] = []
  readonly #failedTopics = new Set<MirrorTopic>()
  /** What was said of offsets already. */
  readonly #untranslated = new Set<string>()
  #messages = 0
  #bytes = 0
  #failures = 0
  #lookAroundAt = 0

  constructor(options: MirrorOptions) {
    this.#options = options
    const { clock, signal, report } = options
    this.#patience = { clock, signal, report }
    const refused = (each: MirrorPartition, error: unknown) => this.#fail(each, textOf(error))
    this.#placement = new Placement({ ...options, refused })
  }

  get status(): MirrorStatus {
    let behind = 0
    let missed = 0
    for (const partition of this.#partitions) {
      behind += partition.behind
      missed += partition.missed
    }
    return {
      topics: this.#topics.size,
      partitions: this.#partitions.length,
      messages: this.#messages,
      bytes: this.#bytes,
      behind,
      missed,
      failures: this.#failures,
    }
  }

  /** Mirrors until the end, or until the signal; resolves with how it went. */
  async run(): Promise<MirrorStatus> {
    const { signal, source } = this.#options
    let round: Round | undefined
    try {
      await this.#lookAround()
      while (!signal.aborted) {
        await this.#placeAll()
        if (this.#isDone) break
        round ??= Round.start(source, this.#partitions, signal)
        if (round === undefined) {
          await this.#rest()
        } else {
          const result = await this.#answerOf(round)
          const answered = round
          round = undefined
          if (result !== undefined) {
            try {
              const built = this.#build(result, answered)
              round = Round.start(source, this.#partitions, signal)
              await this.#send(built)
            } finally {
              result.release()
            }
          }
        }
        this.#options.progress?.(this.status)
        if (this.#options.clock.monotonic() >= this.#lookAroundAt) await this.#lookAround()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      round?.answer.then(
        (result) => result.release(),
        () => {},
      )
    }
    await this.#finish()
    return this.status
  }

  get #isDone(): boolean {
    if (!this.#options.once) return false
    return this.#partitions.every(({ state }) => state === 'done' || state === 'failed')
  }

  // Topics and places -------------------------------------------------------------------------------

  /** New topics, ends of the source, groups. Now and then, between two rounds. */
  async #lookAround(): Promise<void> {
    const { source, isWanted, once, clock, lookAroundMs = lookAroundMsUsual } = this.#options
    const isFirst = this.#lookAroundAt === 0
    if (isFirst || !once) {
      const found = await listTopics(source, isWanted, this.#patience)
      await forEachAtOnce(found, (info) => this.#meet(info))
      await this.#refreshEnds(isFirst && once)
    }
    await this.#placement.note(this.#live(), this.#patience)
    await this.#translate(this.#patience)
    this.#lookAroundAt = clock.monotonic() + lookAroundMs
  }

  async #meet(info: TopicInfo): Promise<void> {
    const known = this.#topics.get(info.name)
    if (known?.id === info.id && known.partitions === info.partitions) return
    this.#topics.set(info.name, { id: info.id, partitions: info.partitions })
    if (known !== undefined) {
      const reason =
        known.id === info.id
          ? `it has ${info.partitions} partitions at the source now, and had ${known.partitions}`
          : 'it was deleted at the source and made again'
      this.#failTopic(info.name, `${reason}; delete the target topic to copy it anew`)
      return
    }
    let topic: MirrorTopic
    try {
      topic = await prepareTopic(info, this.#options, this.#patience)
    } catch (error) {
      if (this.#options.signal.aborted) throw error
      this.#failures++
      this.#options.report(`${info.name} is not mirrored: ${textOf(error)}`)
      return
    }
    for (let partition = 0; partition < info.partitions; partition++) {
      this.#partitions.push(new MirrorPartition(topic, partition))
    }
  }

  async #refreshEnds(isGoal: boolean): Promise<void> {
    const { source } = this.#options
    await forEachAtOnce(this.#live(), async (each) => {
      try {
        const { endOffset } = await patiently(this.#patience, (context) =>
          source.offsets(each.topic.source, each.partition, context),
        )
        each.sourceEnd = endOffset
        if (isGoal) each.goal = endOffset
      } catch (error) {
        if (this.#options.signal.aborted) throw error
        await this.#sourceFailed(each, error)
      }
    })
  }

  *#live(): Iterable<MirrorPartition> {
    for (const each of this.#partitions) if (each.state !== 'failed') yield each
  }

  /** Reads back where the partitions that are not placed go on, and claims them. */
  async #placeAll(): Promise<void> {
    const { clock } = this.#options
    const now = clock.monotonic()
    const due = this.#partitions.filter(
      ({ state, notBefore }) => state === 'unplaced' && notBefore <= now,
    )
    if (due.length === 0) return
    const unclaimed: MirrorPartition[] = []
    await forEachAtOnce(due, async (each) => {
      try {
        if (!(await this.#placement.place(each, this.#patience))) unclaimed.push(each)
      } catch (error) {
        if (this.#options.signal.aborted) throw error
        this.#fail(each, textOf(error))
      }
    })
    await this.#placement.claim(unclaimed, this.#patience)
    for (const each of due) if (each.state === 'unplaced') this.#activate(each)
  }

  #activate(each: MirrorPartition): void {
    each.state = each.position >= each.goal ? 'done' : 'active'
  }

  // Rounds ------------------------------------------------------------------------------------------

  /** Undefined where the source is out of reach for now. */
  async #answerOf({ answer }: Round): Promise<PollResult | undefined> {
    const { clock, signal, report } = this.#options
    try {
      return await answer
    } catch (error) {
      if (signal.aborted || !isRetriable(error)) throw error
      report(`trying again: ${error.message}`)
      // Asks for little until somebody answers.
      await patiently({ clock, signal, report: () => {} }, (context) =>
        this.#options.source.topicCount(context),
      )
      return undefined
    }
  }

  #build(result: PollResult, round: Round): Map<MirrorPartition, BuiltBatch[]> {
    const built = new Map<MirrorPartition, BuiltBatch[]>()
    let bytes = 0
    for (const [each, list] of round.batchesOf(result)) {
      // What is left is asked for again.
      if (bytes > roundBytesMax) break
      try {
        bytes += this.#rebuild(each, list, built)
      } catch (error) {
        this.#fail(each, `the source's messages from offset ${each.asked}: ${textOf(error)}`)
      }
    }
    for (const failure of result.failures) {
      const each = round.partitionOf(failure)
      if (each !== undefined && !built.has(each)) this.#pollFailed(each, failure)
    }
    return built
  }

  #rebuild(
    each: MirrorPartition,
    batches: readonly PolledBatch[],
    built: Map<MirrorPartition, BuiltBatch[]>,
  ): number {
    const { topic, producerId, sequence, asked, goal } = each
    const rebuilder = new Rebuilder({
      codecs: this.#options.codecs,
      sourceTopic: topic.source,
      batchBytesMax: topic.batchBytesMax,
      producerId,
      sequence,
      from: asked,
      until: goal,
    })
    for (const batch of batches) {
      if (rebuilder.bytes > roundBytesMax) break
      rebuilder.take(batch)
      each.askedEpoch = batch.leaderEpoch
    }
    const list = rebuilder.finish()
    each.asked = rebuilder.position
    each.sequence = rebuilder.sequence
    each.sourceEnd = Math.max(each.sourceEnd, each.asked)
    if (list.length > 0) built.set(each, list)
    else this.#acknowledged(each, each.asked)
    return rebuilder.bytes
  }

  /** Sends what was built, each partition's batches in their order; resolves when all is answered. */
  async #send(built: ReadonlyMap<MirrorPartition, readonly BuiltBatch[]>): Promise<void> {
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
    for (const [each] of built) if (each.state === 'active') this.#acknowledged(each, each.asked)
  }

  async #sendWave(
    producerId: number,
    list: readonly { each: MirrorPartition; next: BuiltBatch }[],
  ): Promise<void> {
    const { target } = this.#options
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
      for (const { each } of list) this.#sendFailed(each, error)
      return
    }
    for (const [index, { each, next }] of list.entries()) {
      const result = results[index]
      const offset = expected[index] as number
      if (each.state !== 'active' || result === undefined) continue
      if (result.error !== undefined) this.#sendFailed(each, result.error)
      else if (result.baseOffset !== offset) {
        this.#fail(
          each,
          `somebody else writes to the target: a message got offset ${result.baseOffset} there instead of ${offset}`,
        )
      } else {
        // Answers to sends may overtake each other; a later one says that the earlier arrived.
        each.targetEnd = Math.max(each.targetEnd, offset + next.batch.recordCount)
        each.attempts = 0
        each.disorders = 0
        this.#messages += next.batch.recordCount
        this.#bytes += next.batch.recordsLength
        this.#acknowledged(each, next.sourceEnd)
      }
    }
  }

  #acknowledged(each: MirrorPartition, position: number): void {
    each.position = Math.max(each.position, position)
    if (each.position >= each.goal) each.state = 'done'
  }

  async #rest(): Promise<void> {
    const { clock, signal } = this.#options
    await pause(clock, this.#partitions.some(isWaiting) ? attemptPauseMs : pollWaitMs, signal)
  }

  // What goes wrong ---------------------------------------------------------------------------------

  #sendFailed(each: MirrorPartition, error: unknown): void {
    if (each.state !== 'active') return
    const { clock, report } = this.#options
    const isUnknown = error instanceof UnknownProducerError
    const isOutOfOrder = error instanceof OutOfOrderSequenceError
    if (!isRetriable(error) && !isUnknown && !isOutOfOrder) {
      this.#fail(each, `the target refuses a message: ${textOf(error)}`)
      return
    }
    if (isOutOfOrder && ++each.disorders > disordersMax) {
      this.#fail(
        each,
        `somebody else writes to the target, or it has lost messages: ${textOf(error)}`,
      )
      return
    }
    // The target has forgotten who sent there: a new producer begins, and is claimed.
    if (isUnknown) this.#placement.forget(each)
    if (isRetriable(error) && each.attempts === 0) {
      report(`${each.label}: trying again: ${textOf(error)}`)
    }
    each.state = 'unplaced'
    each.attempts = Math.min(each.attempts + 1, attemptsMax)
    each.notBefore = clock.monotonic() + attemptPauseMs * each.attempts
  }

  #pollFailed(each: MirrorPartition, { error }: PollFailure): void {
    const { clock, report } = this.#options
    if (error instanceof OffsetOutOfRangeError && error.startOffset > each.asked) {
      const missed = error.startOffset - each.asked
      each.missed += missed
      report(
        `${each.label}: the source has deleted offsets ${each.asked} to ${error.startOffset - 1} before they were mirrored: they are missing at the target`,
      )
      each.asked = error.startOffset
      each.askedEpoch = undefined
      this.#acknowledged(each, error.startOffset)
      return
    }
    if (isRetriable(error)) {
      each.state = 'unplaced'
      each.notBefore = clock.monotonic() + attemptPauseMs * attemptsMax
      return
    }
    // It rejects with nothing.
    void this.#sourceFailed(each, error)
  }

  async #sourceFailed(each: MirrorPartition, error: unknown): Promise<void> {
    const { name, source: id } = each.topic
    if (!(error instanceof UnknownTopicError)) {
      this.#fail(each, `the source: ${textOf(error)}`)
      return
    }
    each.state = 'failed'
    const [info] = await this.#options.source
      .resolve([topicNameOf(name)], mirrorContext)
      .catch(() => [])
    const isAgain = info !== undefined && info.id !== id
    this.#failTopic(
      name,
      isAgain
        ? 'it was deleted at the source and made again; delete the target topic to copy it anew'
        : 'it was deleted at the source',
      each,
    )
  }

  #failTopic(name: string, reason: string, first?: MirrorPartition): void {
    const own = this.#partitions.filter(
      (each) => each.topic.name === name && (each === first || each.state !== 'failed'),
    )
    for (const each of own) each.state = 'failed'
    // One line for all of its partitions, whichever of them meets it first.
    if (own.length === 0 || (first !== undefined && this.#failedTopics.has(first.topic))) return
    for (const each of own) this.#failedTopics.add(each.topic)
    this.#failures++
    this.#options.report(`${name} is not mirrored any more: ${reason}`)
  }

  #fail(each: MirrorPartition, reason: string): void {
    each.state = 'failed'
    this.#failures++
    this.#options.report(`${each.label} is not mirrored any more: ${reason}`)
  }

  // Beside the messages -----------------------------------------------------------------------------

  async #translate(patience: Patience): Promise<void> {
    const { groups, source, target, codecs, signal } = this.#options
    for (const group of groups) {
      await forEachAtOnce([...this.#live()], async (each) => {
        if (each.state === 'unplaced') return
        try {
          const done = await patiently(patience, (context) =>
            translateOffset({ source, target, codecs, context, group }, each),
          )
          if (done !== undefined) each.translated.set(group, done)
        } catch (error) {
          if (signal.aborted && patience === this.#patience) throw error
          const line = `${each.label}: the offset of ${group} is not translated: ${textOf(error)}`
          if (this.#untranslated.has(line)) return
          this.#untranslated.add(line)
          this.#failures++
          this.#options.report(line)
        }
      })
    }
  }

  /** The last look: what is written down, and nobody else's messages behind the last one. */
  async #finish(): Promise<void> {
    const { clock, report, target } = this.#options
    const placed = [...this.#live()].filter(({ state }) => state !== 'unplaced')
    const unending = new AbortController()
    const timer = clock.after(finishMsMax, () =>
      unending.abort(new MirrorError('it took too long')),
    )
    const patience = { clock, report, signal: unending.signal }
    try {
      await forEachAtOnce(placed, async (each) => {
        const { endOffset } = await patiently(patience, (context) =>
          target.offsets(each.topic.target, each.partition, context),
        )
        if (endOffset <= each.targetEnd) return
        this.#fail(
          each,
          `somebody else writes to the target: it ends at ${endOffset} instead of ${each.targetEnd}`,
        )
      })
      await this.#placement.note(this.#live(), patience)
      await this.#translate(patience)
    } catch (error) {
      this.#failures++
      report(`the last look at the target failed: ${textOf(error)}`)
    } finally {
      timer.cancel()
    }
  }
}

function isWaiting({ state }: MirrorPartition): boolean {
  return state === 'unplaced'
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
