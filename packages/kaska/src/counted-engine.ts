/**
 * An engine whose messages come from somewhere else, as sessions need it: what its polls bring is counted in
 * the byte budget, and bounded.
 *
 * - A poll that waits may bring much at any moment, and thousands may wait: so each asks for a share of what is
 *   left of a quarter of the budget, and for `shareBytesMin` where others have that.
 * - What has come is counted by its buffers until it is released. Where there is no room for it, it is let
 *   go, and the poll rejects with OverloadedError: it may be asked again.
 */
import {
  batchHeaderBytes,
  type Capabilities,
  type CommitEntry,
  type CreateTopicRequest,
  type Engine,
  type OffsetBounds,
  OverloadedError,
  type PolledBatch,
  type PollRequest,
  type PollResult,
  type ProducerIdentity,
  type RequestContext,
  type SendPartResult,
  type SendRequest,
  type TopicDescription,
  type TopicId,
  type TopicInfo,
  type TopicName,
  type TopicPage,
} from '@kaska/protocol'
import type { ByteBudget } from './transport/byte-budget.ts'

/** What a poll may ask for in any case. */
const shareBytesMin = 64 * 1024
/** A poll gets one part of so many of what is left. */
const shareParts = 8

export class CountedEngine implements Engine {
  /** What went through, since the start. Bytes are those of whole batches. */
  readonly traffic = { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0 }
  readonly #engine: Engine
  readonly #budget: ByteBudget
  /** What polls under way may bring, together. */
  #promisedBytes = 0

  constructor(engine: Engine, budget: ByteBudget) {
    this.#engine = engine
    this.#budget = budget
  }

  get capabilities(): Capabilities {
    return this.#engine.capabilities
  }

  createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    return this.#engine.createTopic(request, context)
  }

  deleteTopic(name: TopicName, context: RequestContext): Promise<void> {
    return this.#engine.deleteTopic(name, context)
  }

  listTopics(cursor: number, context: RequestContext): Promise<TopicPage> {
    return this.#engine.listTopics(cursor, context)
  }

  topicCount(context: RequestContext): Promise<number> {
    return this.#engine.topicCount(context)
  }

  resolve(
    names: readonly TopicName[],
    context: RequestContext,
  ): Promise<readonly (TopicInfo | undefined)[]> {
    return this.#engine.resolve(names, context)
  }

  describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription> {
    return this.#engine.describeTopic(name, context)
  }

  initProducer(context: RequestContext): Promise<ProducerIdentity> {
    return this.#engine.initProducer(context)
  }

  async send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    const results = await this.#engine.send(request, context)
    for (const [index, { error }] of results.entries()) {
      const batch = request.parts[index]?.batch
      if (error !== undefined || batch === undefined) continue
      this.traffic.messagesIn += batch.recordCount
      this.traffic.bytesIn += batch.recordsLength + batchHeaderBytes
    }
    return results
  }

  async poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    const bytesMax = this.#promise(request.bytesMax)
    let result: PollResult
    try {
      result = await this.#engine.poll({ ...request, bytesMax }, context)
    } finally {
      this.#promisedBytes -= bytesMax
    }
    return this.#counted(result)
  }

  messageSize(
    topic: TopicId,
    partition: number,
    offset: number,
    context: RequestContext,
  ): Promise<number> {
    return this.#engine.messageSize(topic, partition, offset, context)
  }

  offsets(topic: TopicId, partition: number, context: RequestContext): Promise<OffsetBounds> {
    return this.#engine.offsets(topic, partition, context)
  }

  offsetAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    return this.#engine.offsetAt(topic, partition, timestamp, context)
  }

  commit(group: string, entries: readonly CommitEntry[], context: RequestContext): Promise<void> {
    return this.#engine.commit(group, entries, context)
  }

  committed(
    group: string,
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    return this.#engine.committed(group, topic, partition, context)
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  /** What a poll that would have `bytes` may ask for; taken off again when it has ended. */
  #promise(bytes: number): number {
    const left = this.#budget.total / 4 - this.#promisedBytes
    const promised = Math.min(bytes, Math.max(shareBytesMin, Math.floor(left / shareParts)))
    this.#promisedBytes += promised
    return promised
  }

  #counted({ batches, failures, release }: PollResult): PollResult {
    const bytes = bytesOf(batches)
    if (!this.#budget.tryReserve(bytes)) {
      release()
      throw new OverloadedError('the broker has no memory free for what was polled')
    }
    // Counted before the reservation is given back, so that nobody is granted it in between.
    const views = batches.flatMap(({ records }) => [...records])
    for (const { buffer } of views) this.#budget.retain(buffer)
    this.#budget.release(bytes)
    for (const { recordCount } of batches) this.traffic.messagesOut += recordCount
    this.traffic.bytesOut += bytes
    return {
      batches,
      failures,
      release: () => {
        for (const { buffer } of views.splice(0)) this.#budget.releaseBuffer(buffer)
        release()
      },
    }
  }
}

function bytesOf(batches: readonly PolledBatch[]): number {
  return batches.reduce((sum, { recordsLength }) => sum + recordsLength + batchHeaderBytes, 0)
}
