/**
 * A poll over a cluster: one fetch to each broker that leads a part, all at the same time. The first
 * that has something to tell ends the wait.
 *
 *   1. What is known to be wrong (no such topic, no such partition) is a failure at once.
 *   2. Brokers wait for a second at most, then they are asked again: so a change of leader is noticed.
 *   3. A part whose leader is looked for is silent meanwhile; the others are served.
 */
import {
  batchHeaderBytes,
  type Clock,
  ConnectionError,
  kafka,
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
import type { Cluster, KnownTopic } from './cluster.ts'
import type { FetchLanes, FetchPart } from './fetch-lanes.ts'
import { fetchedBatches } from './fetched-batches.ts'
import { errorOfCode, isMoved } from './kafka-errors.ts'

/** How long a broker may wait before it is asked again. */
const sliceMsMax = 1_000
/** A leader that has just changed is looked for so long, even by a poll that does not wait. */
const settleMsMax = 5_000
const pauseMsMin = 20
const pauseMsMax = 200

const nothing = () => {}
const never = Number.MAX_SAFE_INTEGER

export interface KafkaPollerOptions {
  readonly cluster: Cluster
  readonly lanes: FetchLanes
  readonly clock: Clock
  readonly offsets: (
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ) => Promise<OffsetBounds>
}

/** What a round has found. */
interface Found {
  readonly batches: Map<number, PolledBatch[]>
  readonly failures: Map<number, Error>
  /** Did a broker answer, if only that there is nothing? */
  isServed: boolean
  /** Why a part was not served: its leader is looked for. */
  lastError: Error | undefined
}

export class KafkaPoller {
  readonly #options: KafkaPollerOptions

  constructor(options: KafkaPollerOptions) {
    this.#options = options
  }

  async poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    const { clock, cluster } = this.#options
    context.signal?.throwIfAborted()
    if (cluster.closed !== undefined) throw cluster.closed
    const signal = eitherSignal(context.signal, cluster.closing.signal)
    const started = clock.monotonic()
    const deadline = started + request.waitMs
    let pauseMs = pauseMsMin
    for (let isFirst = true; ; isFirst = false) {
      const leftMs = Math.max(0, deadline - clock.monotonic())
      const found = await this.#round(request, leftMs, isFirst, context, signal)
      if (found.batches.size > 0 || found.failures.size > 0) return resultOf(request, found)
      const now = clock.monotonic()
      // Where nobody could be asked there is nothing to tell: not even that there are no messages.
      const isSilent = found.lastError !== undefined && !found.isServed
      if (now >= (isSilent ? Math.max(deadline, started + settleMsMax) : deadline)) {
        if (isSilent) throw found.lastError
        return { batches: [], failures: [], release: nothing }
      }
      if (found.lastError === undefined) continue
      await sleep(clock, pauseMs, signal)
      pauseMs = Math.min(2 * pauseMs, pauseMsMax)
    }
  }

  async #round(
    request: PollRequest,
    leftMs: number,
    isFirst: boolean,
    context: RequestContext,
    signal: AbortSignal,
  ): Promise<Found> {
    const { lanes } = this.#options
    const found: Found = {
      batches: new Map(),
      failures: new Map(),
      isServed: false,
      lastError: undefined,
    }
    const topics = await abortable(this.#topicsOf(request.parts), signal)
    const nodes = new Map<number, { part: FetchPart; index: number }[]>()
    for (const [index, part] of request.parts.entries()) {
      const leader = this.#leaderOf(part, index, topics.get(part.topic), found)
      if (leader === undefined) continue
      const { topic, partition, offset, lastEpoch = -1 } = part
      const leaderEpoch = leader.leaderEpoch
      const asked = { part: { topic, partition, offset, lastEpoch, leaderEpoch }, index }
      const parts = nodes.get(leader.leader)
      if (parts === undefined) nodes.set(leader.leader, [asked])
      else parts.push(asked)
    }
    // Who has something to tell already does not wait for more.
    let isWaiting = leftMs > 0 && found.failures.size === 0
    const bytesMax = Math.max(1, Math.ceil(Math.min(request.bytesMax, 2 ** 30) / nodes.size))
    if (isWaiting && isFirst && nodes.size > 1) {
      // All that is there now is told together. Where a fetch waits already there is nothing.
      const silent = [...nodes].filter(([node, parts]) => lanes.isWaiting(node, partsOf(parts)))
      if (silent.length < nodes.size) {
        isWaiting = false
        for (const [node] of silent) nodes.delete(node)
      }
    }
    const waitMs = isWaiting ? Math.ceil(Math.min(leftMs, sliceMsMax)) : 0
    const asked = [...nodes].map(([node, parts]) => {
      const { answer, leave } = lanes.fetch(node, {
        parts: partsOf(parts),
        waitMs,
        bytesMax,
        partitionBytesMax: parts.length > 1 ? Math.ceil(bytesMax / 2) : bytesMax,
      })
      const taken = answer.then(
        (response) => this.#take(response, parts, found, context),
        (error: unknown) => this.#failed(error, parts, found),
      )
      taken.catch(nothing)
      return { taken, leave }
    })
    if (asked.length === 0) {
      if (leftMs > 0 && found.failures.size === 0 && found.lastError === undefined)
        await sleep(this.#options.clock, leftMs, signal)
      return found
    }
    try {
      await abortable(this.#firstNews(asked, isWaiting, found), signal)
    } finally {
      for (const { leave } of asked) leave()
    }
    // What comes later is for the next poll: its answer is kept, and this one is done.
    return { ...found, batches: new Map(found.batches), failures: new Map(found.failures) }
  }

  /** Resolves when all have answered, or, if there is a wait to end, one has something to tell. */
  #firstNews(
    asked: readonly { taken: Promise<void> }[],
    isWaiting: boolean,
    found: Found,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = asked.length
      for (const { taken } of asked) {
        taken.then(() => {
          left--
          const hasNews =
            found.batches.size > 0 || found.failures.size > 0 || found.lastError !== undefined
          if (left === 0 || (isWaiting && hasNews)) resolve()
        }, reject)
      }
    })
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

  #leaderOf(part: PollPart, index: number, topic: KnownTopic | undefined, found: Found) {
    if (topic === undefined) {
      const message = `no topic of the cluster has the id ${part.topic}`
      found.failures.set(index, new UnknownTopicError(message))
      return undefined
    }
    const leader = topic.leaders[part.partition]
    if (leader === undefined) {
      const message = `'${topic.name}' has no partition ${part.partition}`
      found.failures.set(index, new UnknownPartitionError(message))
      return undefined
    }
    if (leader.leader >= 0) return leader
    this.#moved(part.topic, found, new ConnectionError(`'${topic.name}' has no leader now`))
    return undefined
  }

  /** The next round reads the topic's leaders anew. */
  #moved(topic: TopicId, found: Found, error: Error): void {
    found.lastError = error
    this.#options.cluster.topics.delete(topic)
  }

  #failed(error: unknown, parts: readonly { part: FetchPart }[], found: Found): void {
    const { closed } = this.#options.cluster
    if (closed !== undefined) throw closed
    if (!(error instanceof ConnectionError)) throw error
    for (const { part } of parts) this.#moved(part.topic, found, error)
  }

  async #take(
    response: kafka.FetchResponse,
    parts: readonly { part: FetchPart; index: number }[],
    found: Found,
    context: RequestContext,
  ): Promise<void> {
    if (response.errorCode !== 0) {
      const error = errorOfCode(response.errorCode, 'a fetch failed')
      if (!isMoved(response.errorCode)) throw error
      for (const { part } of parts) this.#moved(part.topic, found, error)
      return
    }
    found.isServed = true
    const asked = new Map(parts.map((one) => [`${one.part.partition} ${one.part.topic}`, one]))
    for (const { topicId, partitions } of response.responses) {
      for (const answer of partitions) {
        const one = asked.get(`${answer.partitionIndex} ${topicId}`)
        if (one !== undefined) await this.#takePart(answer, one, found, context)
      }
    }
  }

  async #takePart(
    answer: kafka.FetchResponse['responses'][number]['partitions'][number],
    { part, index }: { part: FetchPart; index: number },
    found: Found,
    context: RequestContext,
  ): Promise<void> {
    const { errorCode: code, divergingEpoch, records } = answer
    const what = `partition ${part.partition} cannot be read`
    if (isMoved(code)) {
      this.#moved(part.topic, found, errorOfCode(code, what))
    } else if (code === kafka.errorCode.OFFSET_OUT_OF_RANGE) {
      found.failures.set(index, await this.#outOfRange(part, context))
    } else if (code !== 0) {
      found.failures.set(index, errorOfCode(code, what))
    } else if (divergingEpoch.endOffset >= 0) {
      found.failures.set(index, truncated(part, divergingEpoch.endOffset))
    } else if (records !== null && records.length > 0) {
      try {
        const aborted = answer.abortedTransactions ?? []
        const batches = fetchedBatches(part.topic, part.partition, records, aborted)
        if (batches.length > 0) found.batches.set(index, batches)
      } catch (error) {
        found.failures.set(index, error as Error)
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

function partsOf(asked: readonly { part: FetchPart }[]): FetchPart[] {
  return asked.map(({ part }) => part)
}

function truncated(part: FetchPart, endOffset: number): LogTruncatedError {
  return new LogTruncatedError(
    `the log was cut back: it differs from what was read before ${part.offset} from ${endOffset} on`,
    { endOffset },
  )
}

/** In the order of the request's parts, and within its bytes but for the first batch. */
function resultOf({ parts, bytesMax }: PollRequest, found: Found): PollResult {
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
  return { batches, failures, release: nothing }
}
