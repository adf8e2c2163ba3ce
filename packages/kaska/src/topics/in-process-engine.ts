/**
 * The engine for a client in the broker's own process. It makes the one copy that a socket otherwise
 * makes: what is sent is copied before `send` returns, so the sender's bytes are its own again when
 * its promise settles, and every reader gets bytes of its own, so none can change what another sees.
 */
import {
  type Capabilities,
  ClosedError,
  type CommitEntry,
  type CreateTopicRequest,
  copyChunks,
  type Engine,
  type OffsetBounds,
  type PollRequest,
  type PollResult,
  type ProducerIdentity,
  type RequestContext,
  type SendPart,
  type SendPartResult,
  type SendRequest,
  type TopicDescription,
  type TopicId,
  type TopicInfo,
  type TopicName,
  type TopicPage,
} from '@kaska/protocol'

export class InProcessEngine implements Engine {
  readonly #engine: Engine
  /** Polls that may wait, each with the means to end it. */
  readonly #polls = new Set<AbortController>()
  #closed: ClosedError | undefined = undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get capabilities(): Capabilities {
    return this.#engine.capabilities
  }

  async createTopic(request: CreateTopicRequest, context: RequestContext): Promise<TopicInfo> {
    const { text, bytes } = request.name
    const name = { text, bytes: [copyChunks(bytes)] }
    return await this.#engine.createTopic({ ...request, name }, this.#open(context))
  }

  async deleteTopic(name: TopicName, context: RequestContext): Promise<void> {
    await this.#engine.deleteTopic(name, this.#open(context))
  }

  async listTopics(cursor: number, context: RequestContext): Promise<TopicPage> {
    return await this.#engine.listTopics(cursor, this.#open(context))
  }

  async topicCount(context: RequestContext): Promise<number> {
    return await this.#engine.topicCount(this.#open(context))
  }

  async resolve(
    names: readonly TopicName[],
    context: RequestContext,
  ): Promise<readonly (TopicInfo | undefined)[]> {
    return await this.#engine.resolve(names, this.#open(context))
  }

  async describeTopic(name: TopicName, context: RequestContext): Promise<TopicDescription> {
    return await this.#engine.describeTopic(name, this.#open(context))
  }

  async initProducer(context: RequestContext): Promise<ProducerIdentity> {
    return await this.#engine.initProducer(this.#open(context))
  }

  async send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    const { producer } = request
    const parts = request.parts.map(copyPart)
    return await this.#engine.send({ producer, parts }, this.#open(context))
  }

  async poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    const { signal } = this.#open(context)
    const ending = new AbortController()
    const abort = () => ending.abort(signal?.reason)
    signal?.addEventListener('abort', abort)
    this.#polls.add(ending)
    try {
      const result = await this.#engine.poll(request, { ...context, signal: ending.signal })
      const batches = result.batches.map((batch) => ({
        ...batch,
        records: [copyChunks(batch.records)],
      }))
      result.release()
      return { batches, failures: result.failures, release: () => {} }
    } finally {
      this.#polls.delete(ending)
      signal?.removeEventListener('abort', abort)
    }
  }

  async messageSize(
    topic: TopicId,
    partition: number,
    offset: number,
    context: RequestContext,
  ): Promise<number> {
    return await this.#engine.messageSize(topic, partition, offset, this.#open(context))
  }

  async offsets(topic: TopicId, partition: number, context: RequestContext): Promise<OffsetBounds> {
    return await this.#engine.offsets(topic, partition, this.#open(context))
  }

  async offsetAt(
    topic: TopicId,
    partition: number,
    timestamp: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    return await this.#engine.offsetAt(topic, partition, timestamp, this.#open(context))
  }

  async commit(
    group: string,
    entries: readonly CommitEntry[],
    context: RequestContext,
  ): Promise<void> {
    await this.#engine.commit(group, entries, this.#open(context))
  }

  async committed(
    group: string,
    topic: TopicId,
    partition: number,
    context: RequestContext,
  ): Promise<number | undefined> {
    return await this.#engine.committed(group, topic, partition, this.#open(context))
  }

  /** Ends this client's polls. The broker, and its other clients, go on. */
  async close(): Promise<void> {
    this.#closed ??= new ClosedError('the engine was closed')
    for (const poll of this.#polls) poll.abort(this.#closed)
  }

  #open(context: RequestContext): RequestContext {
    if (this.#closed !== undefined) throw this.#closed
    context.signal?.throwIfAborted()
    return context
  }
}

function copyPart(part: SendPart): SendPart {
  return { ...part, batch: { ...part.batch, records: [copyChunks(part.batch.records)] } }
}
