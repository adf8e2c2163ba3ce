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
 * So what is in memory is two answers to polls and what is made of one, however many topics there are. An
 * answer has room for few of them: the next poll asks first for those behind the last one that was served.
 * Whatever goes wrong with a partition has one answer, that of a start: its place is read back from the
 * target (target-place.ts), and the mirror goes on from there.
 */
import {
  type Clock,
  type Codecs,
  type Engine,
  OffsetOutOfRangeError,
  type PolledBatch,
  type PollFailure,
  type PollResult,
  type RequestContext,
  type TopicInfo,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import {
  forEachAtOnce,
  isRetriable,
  mirrorContext,
  type Patience,
  patiently,
  pause,
  textOf,
} from './asking.ts'
import { GroupCarrier } from './group-carrier.ts'
import { lookLast } from './last-look.ts'
import { attemptPauseMs, MirrorPartition, type MirrorTopic } from './mirror-partition.ts'
import { listTopics, prepareTopic } from './mirror-topics.ts'
import { Outbox } from './outbox.ts'
import { PartitionTable } from './partition-table.ts'
import { Placement } from './placement.ts'
import { type BuiltBatch, Rebuilder } from './rebuild.ts'
import { pollWaitMs, Round } from './round.ts'

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
  /**
   * `follow`: until the signal is aborted. `once`: ends with what was at the source at the start. `cut-over`:
   * the same, for when nobody is to use either side any more: whatever shows that somebody does is a failure.
   */
  readonly mode: 'follow' | 'once' | 'cut-over'
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
/** The records made in one round; a source's compressed batches may expand to more. */
const roundBytesMax = 64 << 20

export class Mirror {
  readonly #options: MirrorOptions
  readonly #patience: Patience
  readonly #placement: Placement
  /** The source's topics by name, as they were met: those that cannot be mirrored too. */
  readonly #topics = new Map<string, { id: string; partitions: number }>()
  readonly #table: PartitionTable
  readonly #outbox: Outbox
  readonly #carrier: GroupCarrier
  /** What runs beside the messages, by what it is. */
  readonly #beside = new Map<'places' | 'ends' | 'groups', Promise<void>>()
  /** The last partition of the last answer. */
  #served: MirrorPartition | undefined
  #lookAroundAt = 0
  /** When the ends of the source were read that are to be reached. */
  #goalAt = 0

  constructor(options: MirrorOptions) {
    this.#options = options
    const { clock, signal, report } = options
    this.#patience = { clock, signal, report }
    const table = new PartitionTable(report)
    this.#table = table
    this.#placement = new Placement({
      ...options,
      refused: (each, error) => table.fail(each, textOf(error)),
    })
    this.#outbox = new Outbox({ ...options, table })
    this.#carrier = new GroupCarrier({ ...options, table })
  }

  get status(): MirrorStatus {
    const { size, behind, missed, failures } = this.#table
    const { messages, bytes } = this.#outbox
    return {
      topics: this.#topics.size,
      partitions: size,
      messages,
      bytes,
      behind,
      missed,
      failures,
    }
  }

  /** Mirrors until the end, or until the signal; resolves with how it went. */
  async run(): Promise<MirrorStatus> {
    const { signal } = this.#options
    let round: Round | undefined
    try {
      await this.#lookAround()
      while (!signal.aborted) {
        this.#placeDue()
        if (this.#isDone) break
        round ??= this.#ask()
        if (round === undefined) {
          await this.#rest()
        } else {
          const result = await this.#answerOf(round)
          const answered = round
          round = undefined
          if (result !== undefined) {
            try {
              const built = await this.#build(result, answered)
              round = this.#ask()
              await this.#outbox.send(built)
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
    await Promise.all(this.#beside.values())
    const table = this.#table
    const parts = { ...this.#options, table, placement: this.#placement, carrier: this.#carrier }
    await lookLast(parts, { goalAt: this.#goalAt, topics: this.#topics })
    return this.status
  }

  get #isDone(): boolean {
    if (this.#options.mode === 'follow') return false
    return [...this.#table].every(({ state }) => state === 'done' || state === 'failed')
  }

  // Topics and places -------------------------------------------------------------------------------

  /** New topics, ends of the source, groups. Now and then, between two rounds. */
  async #lookAround(): Promise<void> {
    const { source, isWanted, mode, clock, lookAroundMs = lookAroundMsUsual } = this.#options
    const isFirst = this.#lookAroundAt === 0
    if (isFirst || mode === 'follow') {
      const found = await listTopics(source, isWanted, this.#patience)
      await forEachAtOnce(found, (info) => this.#meet(info))
      if (isFirst) await this.#refreshEnds(mode !== 'follow')
      else this.#runBeside('ends', () => this.#refreshEnds(false))
      if (isFirst) this.#goalAt = clock.monotonic()
    }
    await this.#placement.note(this.#table.live, this.#patience)
    this.#runBeside('groups', () => this.#carrier.carry(this.#patience, false))
    this.#lookAroundAt = clock.monotonic() + lookAroundMs
  }

  /** One of a kind at once. A partition or a name that cannot be asked for now holds up nothing else. */
  #runBeside(what: 'places' | 'ends' | 'groups', run: () => Promise<void>): void {
    if (this.#beside.has(what)) return
    const running = run()
      .catch((error: unknown) => {
        if (!this.#options.signal.aborted) throw error
      })
      .finally(() => this.#beside.delete(what))
    this.#beside.set(what, running)
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
      this.#table.failTopic(info.name, `${reason}; delete the target topic to copy it anew`)
      return
    }
    let topic: MirrorTopic
    try {
      topic = await prepareTopic(info, this.#options, this.#patience)
    } catch (error) {
      if (this.#options.signal.aborted) throw error
      this.#table.warn(`${info.name} is not mirrored: ${textOf(error)}`)
      return
    }
    for (let partition = 0; partition < info.partitions; partition++) {
      this.#table.add(new MirrorPartition(topic, partition))
    }
  }

  /** Reads the ends of the source: each of them where they are to be reached, else those that are told now. */
  async #refreshEnds(isGoal: boolean): Promise<void> {
    const { source, signal } = this.#options
    await forEachAtOnce(this.#table.live, async (each) => {
      const ask = (context: RequestContext) =>
        source.offsets(each.topic.source, each.partition, context)
      try {
        const { endOffset } = isGoal
          ? await patiently(this.#patience, ask)
          : await ask({ ...mirrorContext, signal })
        each.sourceEnd = endOffset
        if (isGoal) each.goal = endOffset
      } catch (error) {
        if (signal.aborted) throw error
        if (isRetriable(error)) return
        await this.#sourceFailed(each, error)
      }
    })
  }

  /** Reads back where the partitions that are not placed go on. */
  #placeDue(): void {
    const now = this.#options.clock.monotonic()
    const due = [...this.#table].filter(
      ({ state, notBefore }) => state === 'unplaced' && notBefore <= now,
    )
    if (due.length === 0) return
    this.#runBeside('places', () => forEachAtOnce(due, (each) => this.#place(each)))
  }

  async #place(each: MirrorPartition): Promise<void> {
    const { clock, signal, report } = this.#options
    try {
      await this.#placement.place(each, { ...mirrorContext, signal })
      // Its topic may have failed meanwhile.
      if (each.state !== 'unplaced') return
      each.state = each.position >= each.goal ? 'done' : 'active'
    } catch (error) {
      if (signal.aborted) throw error
      if (each.state !== 'unplaced') return
      if (!isRetriable(error)) {
        this.#table.fail(each, textOf(error))
        return
      }
      if (each.attempts === 0) report(`${each.label}: trying again: ${error.message}`)
      each.waitAndPlace(clock.monotonic())
    }
  }

  // Rounds ------------------------------------------------------------------------------------------

  #ask(): Round | undefined {
    const { source, signal } = this.#options
    return Round.start(source, this.#table.behindOf(this.#served), signal)
  }

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

  async #build(result: PollResult, round: Round): Promise<Map<MirrorPartition, BuiltBatch[]>> {
    const built = new Map<MirrorPartition, BuiltBatch[]>()
    let bytes = 0
    for (const [each, list] of round.batchesOf(result)) {
      // What is left is asked for again.
      if (bytes > roundBytesMax) break
      this.#served = each
      try {
        bytes += this.#rebuild(each, list, built)
      } catch (error) {
        this.#table.fail(each, `the source's messages from offset ${each.asked}: ${textOf(error)}`)
      }
    }
    for (const failure of result.failures) {
      const each = round.partitionOf(failure)
      if (each !== undefined && !built.has(each)) await this.#pollFailed(each, failure)
    }
    return built
  }

  #rebuild(
    each: MirrorPartition,
    batches: readonly PolledBatch[],
    built: Map<MirrorPartition, BuiltBatch[]>,
  ): number {
    const { topic, sequence, asked, goal } = each
    const rebuilder = new Rebuilder({
      codecs: this.#options.codecs,
      sourceTopic: topic.source,
      batchBytesMax: topic.batchBytesMax,
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
    else each.acknowledge(each.asked)
    return rebuilder.bytes
  }

  async #rest(): Promise<void> {
    const { clock, signal } = this.#options
    const placing = this.#beside.get('places')
    if (placing !== undefined) await placing
    else
      await pause(
        clock,
        this.#table.live.some(({ state }) => state === 'unplaced') ? attemptPauseMs : pollWaitMs,
        signal,
      )
  }

  // What goes wrong ---------------------------------------------------------------------------------

  async #pollFailed(each: MirrorPartition, { error }: PollFailure): Promise<void> {
    const { clock, report } = this.#options
    if (error instanceof OffsetOutOfRangeError && error.startOffset > each.asked) {
      const missed = error.startOffset - each.asked
      each.missed += missed
      report(
        `${each.label}: the source has deleted offsets ${each.asked} to ${error.startOffset - 1} before they were mirrored: they are missing at the target`,
      )
      each.asked = error.startOffset
      each.askedEpoch = undefined
      each.acknowledge(error.startOffset)
      return
    }
    if (isRetriable(error)) {
      each.waitAndPlace(clock.monotonic())
      return
    }
    await this.#sourceFailed(each, error)
  }

  async #sourceFailed(each: MirrorPartition, error: unknown): Promise<void> {
    const { name, source: id } = each.topic
    if (!(error instanceof UnknownTopicError)) {
      this.#table.fail(each, `the source: ${textOf(error)}`)
      return
    }
    each.state = 'failed'
    const [info] = await this.#options.source
      .resolve([topicNameOf(name)], { ...mirrorContext, signal: this.#options.signal })
      .catch(() => [])
    const isAgain = info !== undefined && info.id !== id
    this.#table.failTopic(
      name,
      isAgain
        ? 'it was deleted at the source and made again; delete the target topic to copy it anew'
        : 'it was deleted at the source',
      each,
    )
  }
}
