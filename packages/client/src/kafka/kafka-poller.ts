/**
 * A poll over a cluster: each broker that leads a part is asked, all at the same time. The first that has
 * something to tell ends the wait.
 *
 *   1. What is known to be wrong (no such topic, no such partition) is a failure at once.
 *   2. What is there already is told together: all brokers are asked for it first, and are waited for, but not
 *      long where others have something to tell. Of a part for which a fetch waits there is nothing so far.
 *   3. A part whose leader is looked for is silent meanwhile; the others are served.
 *   4. That there is nothing is said when each broker has said so.
 */
import {
  batchHeaderBytes,
  type Clock,
  ConnectionError,
  LogTruncatedError,
  type OffsetBounds,
  OffsetOutOfRangeError,
  type PolledBatch,
  type PollFailure,
  type PollPart,
  type PollRequest,
  type PollResult,
  type RequestContext,
  type TopicId,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import { abortable, eitherSignal, sleep } from '../abort.ts'
import type { AnswerBuffers } from './answer-buffers.ts'
import type { Cluster, KnownPartition, KnownTopic } from './cluster.ts'
import type { FetchLanes } from './fetch-lanes.ts'
import { type FetchPart, fetchPart, type PartNews } from './fetch-part.ts'

/** A leader that has just changed is looked for so long, even by a poll that does not wait. */
const settleMsMax = 5_000
const pauseMsMin = 20
const pauseMsMax = 200
/** How long a broker that may be gone is waited for by who could go on without it. */
const patienceMs = 2_000
/** What Kafka takes for a number of bytes, and more than it ever answers with. */
const bytesMaxMax = 2 ** 30

const nothing = () => {}
const never = Number.MAX_SAFE_INTEGER

export interface KafkaPollerOptions {
  readonly cluster: Cluster
  readonly lanes: FetchLanes
  readonly clock: Clock
  /** Does `release` let go of the buffers that batches are views of? False unless said. */
  readonly freesPolled?: boolean
  readonly offsets: (
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ) => Promise<OffsetBounds>
}

/** What a round has found. */
interface Found {
  readonly batches: Map<number, readonly PolledBatch[]>
  /** Of the batches; held. */
  readonly buffers: AnswerBuffers[]
  readonly failures: Map<number, Error>
  /** Did a broker answer, if only that there is nothing? */
  isServed: boolean
  /** Did each part's broker answer in this round? */
  isComplete: boolean
  /** Why a part was not served: its leader is looked for. */
  lastError: Error | undefined
}

/** The parts of a poll that one broker leads, with their places in the request. */
interface Asked {
  readonly parts: FetchPart[]
  readonly indexes: number[]
}

export class KafkaPoller {
  readonly #options: KafkaPollerOptions
  /** Of those who wait for brokers: one listener for all, since there may be thousands. */
  readonly #ends = new Set<(reason: unknown) => void>()

  constructor(options: KafkaPollerOptions) {
    this.#options = options
    const { signal } = options.cluster.closing
    const end = () => {
      for (const reject of this.#ends) reject(signal.reason)
    }
    signal.addEventListener('abort', end, { once: true })
  }

  async poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    const { clock, cluster } = this.#options
    context.signal?.throwIfAborted()
    if (cluster.closed !== undefined) throw cluster.closed
    const started = clock.monotonic()
    const deadline = started + request.waitMs
    let pauseMs = pauseMsMin
    for (let isFirst = true; ; isFirst = false) {
      const leftMs = Math.max(0, deadline - clock.monotonic())
      const found = await this.#round(request, leftMs, isFirst, context)
      if (found.batches.size > 0 || found.failures.size > 0) {
        return resultOf(request, found, this.#options.freesPolled ?? false)
      }
      const now = clock.monotonic()
      // Where nobody could be asked there is nothing to tell: not even that there are no messages.
      const isSilent = found.lastError !== undefined && !found.isServed
      if (now >= (isSilent ? Math.max(deadline, started + settleMsMax) : deadline)) {
        if (isSilent) throw found.lastError
        // Who waited at a broker that has not answered meanwhile asks it before it says so.
        if (found.isComplete || found.lastError !== undefined) {
          return { batches: [], failures: [], release: nothing }
        }
      }
      if (found.lastError === undefined) continue
      await this.#pause(pauseMs, context)
      pauseMs = Math.min(2 * pauseMs, pauseMsMax)
    }
  }

  async #round(
    request: PollRequest,
    leftMs: number,
    isFirst: boolean,
    context: RequestContext,
  ): Promise<Found> {
    const found: Found = {
      batches: new Map(),
      buffers: [],
      failures: new Map(),
      isServed: false,
      isComplete: true,
      lastError: undefined,
    }
    const topics = await abortable(this.#topicsOf(request.parts), context.signal)
    const nodes = this.#nodesOf(request.parts, topics, found)
    // Who has something to tell already does not wait for more.
    let waitMs = found.failures.size > 0 ? 0 : leftMs
    // A part whose leader is looked for: the wait for the others is a pause of the search.
    if (found.lastError !== undefined) waitMs = Math.min(waitMs, pauseMsMax)
    if (nodes.size === 0) {
      if (waitMs > 0 && found.lastError === undefined) await this.#pause(waitMs, context)
      return found
    }
    const bytesMax = Math.max(1, Math.ceil(Math.min(request.bytesMax, bytesMaxMax) / nodes.size))
    const isLook = waitMs > 0 && isFirst && nodes.size > 1 && this.#keepUnknown(nodes)
    await this.#hear(nodes, { bytesMax, waitMs: isLook ? 0 : waitMs, isLook }, found, context)
    return found
  }

  /**
   * Asks all brokers, and resolves when all have answered, or one has something to tell to who waits. A look is
   * over after a while: the wait that follows goes on without those that have not answered.
   */
  async #hear(
    nodes: ReadonlyMap<number, Asked>,
    how: { readonly bytesMax: number; readonly waitMs: number; readonly isLook: boolean },
    found: Found,
    context: RequestContext,
  ): Promise<void> {
    const { clock, cluster, lanes } = this.#options
    if (cluster.closed !== undefined) throw cluster.closed
    const { bytesMax, waitMs, isLook } = how
    const isWaiting = waitMs > 0
    let isPatient = !isWaiting
    const news: { told: PartNews; part: FetchPart; index: number }[] = []
    const silent = new Set<FetchPart>()
    const heard = Promise.withResolvers<void>()
    const timer = clock.after(isWaiting ? waitMs : patienceMs, () => {
      isPatient = false
      if (isWaiting || isLook || news.length > 0) heard.resolve()
    })
    let total = 0
    let answers = 0
    for (const { parts } of nodes.values()) total += parts.length
    const leaves = Array.from(nodes, ([node, { parts, indexes }]) =>
      lanes.ask(node, {
        parts,
        isWaiting,
        bytesMax,
        partitionBytesMax: parts.length > 1 ? Math.ceil(bytesMax / 2) : bytesMax,
        hear: (place, told) => {
          const part = parts[place] as FetchPart
          if (told?.kind === 'batches') told.buffers.hold()
          if (told === undefined) silent.add(part)
          else news.push({ told, part, index: indexes[place] as number })
          answers++
          if (isPatient ? answers === total : told !== undefined) heard.resolve()
        },
      }),
    )
    this.#ends.add(heard.reject)
    try {
      await abortable(heard.promise, context.signal)
    } finally {
      this.#ends.delete(heard.reject)
      timer.cancel()
      for (const leave of leaves) leave()
    }
    found.isComplete = isWaiting ? silent.size === total : answers >= total
    found.isServed = silent.size > 0
    for (const { told, part, index } of news) await this.#take(told, part, index, found, context)
  }

  #pause(ms: number, { signal }: RequestContext): Promise<void> {
    const { clock, cluster } = this.#options
    return sleep(clock, ms, eitherSignal(signal, cluster.closing.signal))
  }

  /** What is asked of whom; a part that comes twice, once. */
  #nodesOf(
    parts: readonly PollPart[],
    topics: ReadonlyMap<TopicId, KnownTopic | undefined>,
    found: Found,
  ): Map<number, Asked> {
    const nodes = new Map<number, Asked>()
    const seen = new Set<string>()
    for (const [index, { topic, partition, offset, lastEpoch = -1 }] of parts.entries()) {
      const leader = this.#leaderOf(topic, partition, index, topics.get(topic), found)
      if (leader === undefined) continue
      const part = fetchPart(topic, partition, offset, lastEpoch, leader.leaderEpoch)
      if (seen.has(part.key)) continue
      seen.add(part.key)
      const asked = nodes.get(leader.leader)
      if (asked === undefined) nodes.set(leader.leader, { parts: [part], indexes: [index] })
      else {
        asked.parts.push(part)
        asked.indexes.push(index)
      }
    }
    return nodes
  }

  /**
   * All that is there now is told together: leaves what has to be asked for it. False: there is nothing, since
   * fetches wait for all the parts.
   */
  #keepUnknown(nodes: Map<number, Asked>): boolean {
    const { lanes } = this.#options
    const unknown = new Map<number, Asked>()
    for (const [node, { parts, indexes }] of nodes) {
      const places = [...parts.keys()].filter(
        (place) => !lanes.isWaiting(node, parts[place] as FetchPart),
      )
      if (places.length === 0) continue
      unknown.set(node, {
        parts: places.map((place) => parts[place] as FetchPart),
        indexes: places.map((place) => indexes[place] as number),
      })
    }
    if (unknown.size === 0) return false
    for (const node of [...nodes.keys()]) {
      const asked = unknown.get(node)
      if (asked === undefined) nodes.delete(node)
      else nodes.set(node, asked)
    }
    return true
  }

  async #topicsOf(parts: readonly PollPart[]): Promise<Map<TopicId, KnownTopic | undefined>> {
    const { cluster } = this.#options
    const topics = new Map<TopicId, KnownTopic | undefined>()
    const unknown = new Set<TopicId>()
    for (const { topic, partition } of parts) {
      const known = cluster.topics.get(topic)
      topics.set(topic, known)
      // It may have grown.
      if (known?.leaders[partition] === undefined) unknown.add(topic)
    }
    await Promise.all(
      [...unknown].map(async (topic) => topics.set(topic, await cluster.refresh(topic))),
    )
    return topics
  }

  #leaderOf(
    id: TopicId,
    partition: number,
    index: number,
    topic: KnownTopic | undefined,
    found: Found,
  ): KnownPartition | undefined {
    if (topic === undefined) {
      const message = `no topic of the cluster has the id ${id}`
      found.failures.set(index, new UnknownTopicError(message))
      return undefined
    }
    const leader = topic.leaders[partition]
    if (leader === undefined) {
      const message = `'${topic.name}' has no partition ${partition}`
      found.failures.set(index, new UnknownPartitionError(message))
      return undefined
    }
    if (leader.leader >= 0) return leader
    this.#moved(id, found, new ConnectionError(`'${topic.name}' has no leader now`))
    return undefined
  }

  /** The next round reads the topic's leaders anew. */
  #moved(topic: TopicId, found: Found, error: Error): void {
    found.lastError = error
    this.#options.cluster.topics.delete(topic)
  }

  async #take(
    news: PartNews,
    part: FetchPart,
    index: number,
    found: Found,
    context: RequestContext,
  ): Promise<void> {
    switch (news.kind) {
      case 'batches':
        found.batches.set(index, news.batches)
        found.buffers.push(news.buffers)
        return
      case 'failed':
        found.failures.set(index, news.error)
        return
      case 'out of range':
        found.failures.set(index, await this.#outOfRange(part, context))
        return
      case 'truncated':
        found.failures.set(index, truncated(part, news.endOffset))
        return
      case 'moved':
        this.#moved(part.topic, found, news.error)
        return
      case 'lost': {
        const { closed } = this.#options.cluster
        if (closed !== undefined) throw closed
        if (!(news.error instanceof ConnectionError)) throw news.error
        this.#moved(part.topic, found, news.error)
      }
    }
  }

  async #outOfRange(part: FetchPart, context: RequestContext): Promise<Error> {
    let bounds: OffsetBounds
    try {
      bounds = await this.#options.offsets(part.topic, part.partition, context)
    } catch (error) {
      return error as Error
    }
    // It has read what no leader since has: its epoch is none of this log's.
    if (part.lastEpoch >= 0 && part.offset > bounds.endOffset) {
      return truncated(part, bounds.endOffset)
    }
    return new OffsetOutOfRangeError(
      `the partition holds ${bounds.startOffset} to ${bounds.endOffset}, not ${part.offset}`,
      bounds,
    )
  }
}

function truncated(part: FetchPart, endOffset: number): LogTruncatedError {
  return new LogTruncatedError(
    `the log was cut back: it differs from what was read before ${part.offset} from ${endOffset} on`,
    { endOffset },
  )
}

/** In the order of the request's parts, and within its bytes but for the first batch. */
function resultOf(
  { parts, bytesMax }: PollRequest,
  found: Found,
  freesPolled: boolean,
): PollResult {
  const batches: PolledBatch[] = []
  const failures: PollFailure[] = []
  let bytes = 0
  for (const [index, { topic, partition }] of parts.entries()) {
    const error = found.failures.get(index)
    if (error !== undefined) failures.push({ topic, partition, error })
    for (const batch of found.batches.get(index) ?? []) {
      const size = batch.recordsLength + batchHeaderBytes
      if (batches.length > 0 && bytes + size > bytesMax) {
        bytes = never
        break
      }
      bytes += size
      batches.push(batch)
    }
  }
  const release = () => {
    for (const buffers of found.buffers.splice(0)) buffers.release()
  }
  return { batches, failures, release: freesPolled ? release : nothing }
}
