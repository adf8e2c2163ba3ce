/**
 * What all polls want of one broker, in few fetches on few connections. A broker answers one request of
 * a connection after the other, so a fetch that waits holds its connection, a lane, until it ends.
 *
 *   asked --> fresh --> lane ------> news: told to all who ask, and over
 *               ^        | nothing
 *               |        v
 *      no room  |     rested ------> lane -> ...             nobody asks any more: dropped
 *
 *   wait lanes   5  |------------------------------|   each ends at the next multiple of its period,
 *                4  |---------------|                  16 ms << its number, so that those that end
 *                ...                                   together go on as one, and the shortest is
 *                0  |--|                               never long in coming
 *   quick lanes     ||  ||                             never wait at the broker
 *
 *   1. Equal parts are one ask, whoever asks; two offsets of one partition never go in one request.
 *   2. What is fresh goes in the longest free wait lane, apart from what has rested: so what is busy does not
 *      make the broker look at what is quiet. Where none is free it is asked on a quick lane for what
 *      there is already, and then rests until the shortest lane ends.
 *   3. Who wants to know what there is now, and not to wait, is asked for on a quick lane, always anew.
 *   4. Parts are asked in the order in which they came, those that found no room in an answer first.
 *   5. Requests leave in a later turn, so that all who ask in this one go together, and what was asked
 *      for by a poll that is over, and by no other, is asked no more.
 */
import type { Clock, Timer } from '@kaska/protocol'
import { AnswerBuffers } from './answer-buffers.ts'
import type { BrokerConnection } from './broker-connection.ts'
import { fetchParts, placeOf } from './fetch-call.ts'
import {
  type FetchPart,
  isCutShort,
  newsOf,
  type PartitionAnswer,
  type PartNews,
} from './fetch-part.ts'
import { Moved } from './kafka-errors.ts'

/** What one poll asks of one broker. */
export interface FetchQuestion {
  /** No two are equal. */
  readonly parts: readonly FetchPart[]
  /** For something new; else for what there is. */
  readonly isWaiting: boolean
  /** Of all parts. */
  readonly bytesMax: number
  /** Of one partition, so that others have room. */
  readonly partitionBytesMax: number
  /**
   * The answer for a part, undefined if there is nothing. Who waits hears of each part's nothing as often as
   * the broker says so, and of news once; who does not wait hears of each part once.
   */
  readonly hear: (index: number, news: PartNews | undefined) => void
}

/** What is asked of one partition at one offset, by all who do. */
interface Ask {
  readonly part: FetchPart
  readonly isWaiting: boolean
  /** With the index of the part in each. */
  readonly questions: Map<FetchQuestion, number>
  /** The largest of the questions'. */
  bytesMax: number
  partitionBytesMax: number
  /** Of `bytesMax`, if the question's parts have the same each. */
  share: number
}

/** By the partition: equal ones, of those who wait and of those who do not. */
type Asks = ReadonlyMap<string, readonly Ask[]>
type Answers = ReadonlyMap<string, PartitionAnswer>

interface Lane {
  /** 0: it never waits. */
  readonly periodMs: number
  connection: BrokerConnection | undefined
  isBusy: boolean
  /** When the broker ends the wait. */
  until: number
  usedAt: number
}

/** Eight connections in all. The longest wait is the shortest doubled five times: half a second. */
const waitLaneCount = 6
const quickLaneCount = 2
const periodMsMin = 16
/** A wait is not shorter: it would be over before it has begun. */
const waitMsMin = 8
/** So much sooner or later than another lane, one ends together with it. */
const earlyMsMax = 4
const lateMsMax = 12
/** What waits is shared out among some lanes, so that what ends one has not all asked again. */
const fullLanes = 3
const partsMaxMin = 64
/** So many parts are asked again in a millisecond: a broker takes some microseconds for each. */
const restedPerMs = 150
const heldMsMin = 1
const earlyPauseMs = 20
/** What was not used for so long the broker may have closed (`connections.max.idle.ms`: ten minutes). */
const idleMsMax = 5 * 60_000
/** What one answer may hold, for one poll or for many: others wait behind it. */
const answerBytesMax = 8 * 1024 * 1024

export class BrokerFetches {
  readonly #clock: Clock
  readonly #dial: () => Promise<BrokerConnection>
  /** The longest first. */
  readonly #waitLanes: readonly Lane[]
  readonly #quickLanes: readonly Lane[]
  /** Of those who wait, by the key: each is fresh, or rested, or under way. */
  readonly #waits = new Map<string, Ask>()
  #fresh = new Set<Ask>()
  readonly #rested = new Set<Ask>()
  /** Of those who do not wait, until it is under way. */
  #prompt = new Set<Ask>()
  readonly #promptByKey = new Map<string, Ask>()
  /** When what has rested may be asked again. */
  #restedAt = 0
  #isFlushing = false
  #timer: Timer | undefined
  #isClosed = false

  constructor(clock: Clock, dial: () => Promise<BrokerConnection>) {
    this.#clock = clock
    this.#dial = dial
    const periods = Array.from({ length: waitLaneCount }, (_, index) => periodMsMin << index)
    this.#waitLanes = periods.reverse().map(laneOf)
    this.#quickLanes = Array.from({ length: quickLaneCount }, () => laneOf(0))
  }

  /** The result is to be called once when the question is no longer of interest. */
  ask(question: FetchQuestion): () => void {
    const asks = question.parts.map((part, index) => this.#join(part, question, index))
    this.#flushSoon()
    return () => {
      for (const ask of asks) ask.questions.delete(question)
    }
  }

  /** Was the broker asked for this part, and has told nothing so far? */
  isWaiting({ key }: FetchPart): boolean {
    const ask = this.#waits.get(key)
    return ask !== undefined && !this.#fresh.has(ask)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    for (const lane of [...this.#waitLanes, ...this.#quickLanes]) lane.connection?.close()
  }

  #join(part: FetchPart, question: FetchQuestion, index: number): Ask {
    const { isWaiting, bytesMax, partitionBytesMax, parts } = question
    const byKey = isWaiting ? this.#waits : this.#promptByKey
    let ask = byKey.get(part.key)
    if (ask === undefined) {
      const nobodys = { bytesMax: 0, partitionBytesMax: 0, share: 0 }
      ask = { part, isWaiting, questions: new Map(), ...nobodys }
      byKey.set(part.key, ask)
      if (isWaiting) this.#fresh.add(ask)
      else this.#prompt.add(ask)
    }
    ask.questions.set(question, index)
    ask.bytesMax = Math.max(ask.bytesMax, bytesMax)
    ask.partitionBytesMax = Math.max(ask.partitionBytesMax, partitionBytesMax)
    ask.share = Math.max(ask.share, bytesMax / parts.length)
    return ask
  }

  // What is asked when -----------------------------------------------------------------------------

  #flushSoon(): void {
    if (this.#isFlushing || this.#isClosed) return
    this.#isFlushing = true
    void this.#clock.yield().then(() => {
      this.#isFlushing = false
      if (!this.#isClosed) this.#flush()
    })
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const asks of [this.#fresh, this.#rested, this.#prompt]) {
      for (const ask of asks) if (ask.questions.size === 0) this.#drop(ask)
    }
    const heldMs = this.#rested.size === 0 ? 0 : this.#heldMs()
    if (heldMs > 0) this.#timer = this.#clock.after(heldMs, () => this.#flushSoon())
    else {
      // The longest lanes are for what has waited the longest.
      this.#sendRested()
      this.#sendAll(this.#waitLanes, this.#fresh)
    }
    this.#sendAll(this.#quickLanes, this.#prompt, this.#fresh)
  }

  #sendRested(): void {
    const partsMax = Math.max(partsMaxMin, Math.ceil(this.#waits.size / fullLanes))
    for (const lane of this.#waitLanes) {
      if (lane.isBusy) continue
      const sent = this.#send(lane, this.#rested, partsMax)
      this.#restedAt = Math.max(this.#restedAt, this.#clock.monotonic()) + sent / restedPerMs
    }
  }

  /** In as many requests as it takes and there are lanes for. */
  #sendAll(lanes: readonly Lane[], ...sets: ReadonlySet<Ask>[]): void {
    for (const lane of lanes) {
      if (!lane.isBusy)
        this.#send(
          lane,
          sets.flatMap((asks) => [...asks]),
        )
    }
  }

  /** How long what has rested is not asked yet: for those that end now, or for its rate. */
  #heldMs(): number {
    const now = this.#clock.monotonic()
    const rateMs = this.#restedAt - now
    return Math.max(this.#dueMs(), rateMs < heldMsMin ? 0 : rateMs)
  }

  /** How long at most until a wait lane ends that is due now. */
  #dueMs(): number {
    const now = this.#clock.monotonic()
    let dueMs = 0
    for (const { isBusy, until } of this.#waitLanes) {
      if (!isBusy || until > now + earlyMsMax || until + lateMsMax <= now) continue
      dueMs = Math.max(dueMs, until + lateMsMax - now)
    }
    return dueMs
  }

  #drop(ask: Ask): void {
    const { key } = ask.part
    this.#fresh.delete(ask)
    this.#rested.delete(ask)
    this.#prompt.delete(ask)
    if (ask.isWaiting) this.#waits.delete(key)
    else if (this.#promptByKey.get(key) === ask) this.#promptByKey.delete(key)
  }

  // Requests ---------------------------------------------------------------------------------------

  /** Sends these, but for other offsets of the same partitions, and returns how many parts they are. */
  #send(lane: Lane, candidates: Iterable<Ask>, partsMax = Number.POSITIVE_INFINITY): number {
    const asks = new Map<string, Ask[]>()
    let bytesMax = 1
    let shares = 0
    for (const ask of candidates) {
      if (asks.size >= partsMax) break
      const place = placeOf(ask.part)
      const same = asks.get(place)
      if (same === undefined) asks.set(place, [ask])
      else if (same[0]?.part.key === ask.part.key) same.push(ask)
      else continue
      bytesMax = Math.max(bytesMax, ask.bytesMax)
      shares += ask.share
      this.#fresh.delete(ask)
      this.#rested.delete(ask)
      this.#prompt.delete(ask)
      if (!ask.isWaiting) this.#promptByKey.delete(ask.part.key)
    }
    if (asks.size === 0) return 0
    lane.isBusy = true
    lane.until = this.#untilOf(lane)
    void this.#run(lane, asks, Math.min(Math.max(bytesMax, Math.ceil(shares)), answerBytesMax))
    return asks.size
  }

  async #run(lane: Lane, asks: Asks, bytesMax: number): Promise<void> {
    const buffers = new AnswerBuffers()
    try {
      const answers = await this.#fetch(lane, asks, bytesMax, buffers)
      const hasNews = this.#take(asks, answers, buffers)
      // A broker that throttles answers with nothing, however long it was to wait.
      const now = this.#clock.monotonic()
      const isEarly = lane.periodMs > 0 && now < lane.until - waitMsMin
      if (!hasNews && isEarly) this.#restedAt = Math.max(this.#restedAt, now + earlyPauseMs)
    } catch (error) {
      const news: PartNews =
        error instanceof Moved ? { kind: 'moved', error: error.error } : { kind: 'lost', error }
      for (const same of asks.values()) for (const ask of same) this.#tell(ask, news)
    } finally {
      buffers.release()
      lane.isBusy = false
      lane.usedAt = this.#clock.monotonic()
      this.#flushSoon()
    }
  }

  async #fetch(lane: Lane, asks: Asks, bytesMax: number, buffers: AnswerBuffers): Promise<Answers> {
    if (this.#clock.monotonic() - lane.usedAt > idleMsMax) lane.connection?.close()
    if (lane.connection === undefined || lane.connection.isClosed) {
      lane.connection = await this.#dial()
      lane.until = this.#untilOf(lane)
    }
    if (this.#isClosed) lane.connection.close()
    const waitMs =
      lane.periodMs === 0 ? 0 : Math.max(1, Math.ceil(lane.until - this.#clock.monotonic()))
    const parts = Array.from(asks.values(), (same) => {
      const partitionBytesMax = Math.max(...same.map((ask) => ask.partitionBytesMax))
      return { part: (same[0] as Ask).part, bytesMax: Math.min(partitionBytesMax, bytesMax) }
    })
    return await fetchParts(lane.connection, parts, waitMs, bytesMax, (answer) =>
      buffers.take(answer),
    )
  }

  /** When the lane's next wait ends. */
  #untilOf({ periodMs }: Lane): number {
    const now = this.#clock.monotonic()
    return periodMs === 0 ? now : Math.ceil((now + waitMsMin) / periodMs) * periodMs
  }

  /** True if there was something to tell. */
  #take(asks: Asks, answers: Answers, buffers: AnswerBuffers): boolean {
    const silent: Ask[] = []
    const cut: Ask[] = []
    let hasNews = false
    for (const [place, same] of asks) {
      const answer = answers.get(place)
      const { part } = same[0] as Ask
      const news = answer === undefined ? undefined : newsOf(part, answer, buffers)
      if (news !== undefined) {
        hasNews = true
        for (const ask of same) this.#tell(ask, news)
      } else if (answer === undefined || isCutShort(part, answer)) cut.push(...same)
      else silent.push(...same)
    }
    for (const ask of silent) this.#rest(ask)
    // An answer without any news had room for all: asking for the same at once would help nobody.
    if (hasNews) this.#askAgain(cut)
    else for (const ask of cut) this.#rest(ask)
    return hasNews
  }

  #tell(ask: Ask, news: PartNews | undefined): void {
    if (news !== undefined && ask.isWaiting) this.#waits.delete(ask.part.key)
    for (const [question, index] of [...ask.questions]) question.hear(index, news)
  }

  #rest(ask: Ask): void {
    if (ask.isWaiting) this.#rested.add(ask)
    this.#tell(ask, undefined)
  }

  /** Before all others. */
  #askAgain(asks: readonly Ask[]): void {
    if (asks.length === 0) return
    this.#fresh = new Set([...asks.filter(({ isWaiting }) => isWaiting), ...this.#fresh])
    this.#prompt = new Set([...asks.filter(({ isWaiting }) => !isWaiting), ...this.#prompt])
  }
}

function laneOf(periodMs: number): Lane {
  return { periodMs, connection: undefined, isBusy: false, until: 0, usedAt: 0 }
}
