/**
 * An engine over plain arrays, on a clock, with a connection that can break: what the client's tests
 * run against. Sends are taken in the order of the calls, each answered later; a break loses what was
 * on the way there, and the answers on the way back.
 *
 * Producers are known as the broker knows them (KIP-98): a repeated batch is answered with its place,
 * one behind a gap is refused.
 */
import {
  type Clock,
  ClosedError,
  type CommitEntry,
  ConnectionError,
  type CreateTopicRequest,
  type Engine,
  joinChunks,
  type MessageBatch,
  OffsetOutOfRangeError,
  OutOfOrderSequenceError,
  type PolledBatch,
  type PollFailure,
  type PollPart,
  type PollRequest,
  type PollResult,
  ProducerFencedError,
  type ProducerIdentity,
  RecordDecoder,
  type RequestContext,
  type SendPart,
  type SendPartResult,
  type SendRequest,
  type TopicDescription,
  TopicExistsError,
  type TopicInfo,
  type TopicName,
  type TopicPage,
  UnknownPartitionError,
  UnknownProducerError,
  UnknownTopicError,
} from '@kaska/protocol'

interface ModelProducer {
  readonly epoch: number
  readonly batches: readonly {
    readonly first: number
    readonly last: number
    readonly offset: number
  }[]
}

export interface ModelPartition {
  readonly batches: PolledBatch[]
  startOffset: number
  endOffset: number
  epoch: number
  readonly producers: Map<number, ModelProducer>
}

export interface ModelTopic extends TopicInfo {
  partitions: number
  readonly logs: ModelPartition[]
}

interface SendUnderWay {
  readonly request: SendRequest
  isTaken: boolean
  readonly resolve: (results: readonly SendPartResult[]) => void
  readonly reject: (error: Error) => void
}

const decoder = new TextDecoder()

export class ModelEngine implements Engine {
  readonly capabilities = { kind: 'native', retriesSurviveCrash: true } as const
  readonly topics = new Map<string, ModelTopic>()
  readonly committedOffsets = new Map<string, number>()
  /** Every call, in order: its name and what tells it apart. */
  readonly calls: string[] = []
  readonly sends: SendRequest[] = []
  readonly polls: PollRequest[] = []
  /** What is to be refused: asked for each part of a send before it is taken. */
  refuse: (part: SendPart, values: readonly string[]) => Error | undefined = () => undefined
  /** How long an answer takes. */
  delayMs: () => number = () => 1
  /** What the next calls of any method but `send` and `poll` reject with. */
  readonly failures: Error[] = []
  isDown = false
  producerCount = 0
  readonly #clock: Clock
  readonly #underWay = new Set<SendUnderWay>()
  readonly #wakers = new Set<() => void>()
  #topicCount = 0
  #isClosed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The messages' values in a partition, as text, from offset 0. */
  values(name: string, partition = 0): string[] {
    const log = this.#logOf(name, partition)
    return log.batches.flatMap((batch) => valuesOf(batch))
  }

  /** The connection breaks: of the sends that are on their way, the first `taken` arrive still. */
  break(taken: number): void {
    const error = new ConnectionError('the connection was lost')
    let left = taken
    for (const send of [...this.#underWay]) {
      if (!send.isTaken && left-- > 0) this.#take(send.request)
      this.#underWay.delete(send)
      send.reject(error)
    }
    for (const wake of [...this.#wakers]) wake()
  }

  /** Cuts a partition back, as after a crash, and begins a new epoch. */
  truncate(name: string, partition: number, endOffset: number): void {
    const log = this.#logOf(name, partition)
    while ((log.batches.at(-1)?.baseOffset ?? -1) >= endOffset) log.batches.pop()
    log.endOffset = endOffset
    log.epoch++
  }

  /** Gives a topic more partitions. */
  grow(name: string, partitions: number): void {
    const topic = this.topics.get(name) as ModelTopic
    while (topic.logs.length < partitions) topic.logs.push(createLog())
    topic.partitions = partitions
  }

  /** Appends as another producer would. */
  append(name: string, partition: number, batch: MessageBatch): number {
    const log = this.#logOf(name, partition)
    return this.#append(log, this.topics.get(name) as ModelTopic, partition, batch)
  }

  async createTopic(request: CreateTopicRequest): Promise<TopicInfo> {
    this.#call('createTopic', request.name.text)
    const name = request.name.text
    const found = this.topics.get(name)
    if (found !== undefined && found.id !== request.id) throw new TopicExistsError('exists')
    const topic = found ?? {
      name,
      id: request.id ?? `topic-${this.#topicCount++}`,
      partitions: request.partitions,
      logs: Array.from({ length: request.partitions }, createLog),
    }
    this.topics.set(name, topic)
    this.#answer()
    return infoOf(topic)
  }

  async deleteTopic(name: TopicName): Promise<void> {
    this.#call('deleteTopic', name.text)
    if (!this.topics.delete(name.text)) throw new UnknownTopicError('no such topic')
    for (const wake of [...this.#wakers]) wake()
    this.#answer()
  }

  async listTopics(cursor: number): Promise<TopicPage> {
    this.#call('listTopics', String(cursor))
    const topics = [...this.topics.values()].map(infoOf)
    const next = cursor + 2 < topics.length ? cursor + 2 : undefined
    this.#answer()
    return { topics: topics.slice(cursor, cursor + 2), next }
  }

  async topicCount(): Promise<number> {
    this.#call('topicCount', '')
    this.#answer()
    return this.topics.size
  }

  async resolve(names: readonly TopicName[]): Promise<(TopicInfo | undefined)[]> {
    this.#call('resolve', names.map(({ text }) => text).join(' '))
    this.#answer()
    return names.map(({ text }) => {
      const topic = this.topics.get(text)
      return topic && infoOf(topic)
    })
  }

  async describeTopic(name: TopicName): Promise<TopicDescription> {
    this.#call('describeTopic', name.text)
    const topic = this.topics.get(name.text)
    if (topic === undefined) throw new UnknownTopicError('no such topic')
    this.#answer()
    return { ...infoOf(topic), config: [] }
  }

  async initProducer(): Promise<ProducerIdentity> {
    this.#call('initProducer', '')
    this.#answer()
    return { producerId: this.producerCount++, producerEpoch: 0 }
  }

  send(request: SendRequest): Promise<readonly SendPartResult[]> {
    if (this.#isClosed) return Promise.reject(new ClosedError('closed'))
    if (this.isDown) return Promise.reject(new ConnectionError('down'))
    this.sends.push(request)
    return new Promise((resolve, reject) => {
      const send: SendUnderWay = { request, isTaken: false, resolve, reject }
      this.#underWay.add(send)
      this.#clock.after(this.delayMs(), () => {
        // In the order of the calls, whatever the delays.
        for (const each of this.#underWay) {
          if (!each.isTaken) {
            each.isTaken = true
            const results = this.#take(each.request)
            this.#clock.after(this.delayMs(), () => {
              if (this.#underWay.delete(each)) each.resolve(results)
            })
          }
          if (each === send) break
        }
      })
    })
  }

  async poll(request: PollRequest, context: RequestContext): Promise<PollResult> {
    this.polls.push(request)
    const { signal } = context
    const deadline = this.#clock.monotonic() + request.waitMs
    for (;;) {
      if (this.#isClosed) throw new ClosedError('closed')
      if (this.isDown) throw new ConnectionError('down')
      signal?.throwIfAborted()
      const result = this.#look(request)
      const isOver = this.#clock.monotonic() >= deadline
      if (isOver || result.batches.length > 0 || result.failures.length > 0) {
        await new Promise<void>((resolve) => this.#clock.after(this.delayMs(), resolve))
        signal?.throwIfAborted()
        if (this.isDown) throw new ConnectionError('down')
        return result
      }
      await this.#changed(deadline - this.#clock.monotonic(), signal)
    }
  }

  async messageSize(topic: string, partition: number, offset: number): Promise<number> {
    this.#call('messageSize', `${offset}`)
    const log = this.#logOfId(topic, partition)
    if (offset < log.startOffset || offset >= log.endOffset) {
      throw new OffsetOutOfRangeError('out of range', log)
    }
    this.#answer()
    return log.batches.flatMap((batch) => valuesOf(batch))[offset]?.length ?? 0
  }

  async offsets(topic: string, partition: number) {
    this.#call('offsets', `${partition}`)
    const { startOffset, endOffset } = this.#logOfId(topic, partition)
    this.#answer()
    return { startOffset, endOffset }
  }

  async offsetAt(topic: string, partition: number, timestamp: number) {
    this.#call('offsetAt', `${timestamp}`)
    const log = this.#logOfId(topic, partition)
    this.#answer()
    return log.batches.find((batch) => batch.baseTimestamp >= timestamp)?.baseOffset
  }

  async commit(group: string, entries: readonly CommitEntry[]): Promise<void> {
    const [entry] = entries
    if (entry === undefined) return
    this.#call('commit', `${group} ${entry.offset}`)
    this.#logOfId(entry.topic, entry.partition)
    this.committedOffsets.set(`${group} ${entry.topic} ${entry.partition}`, entry.offset)
    this.#answer()
  }

  async committed(group: string, topic: string, partition: number) {
    this.#call('committed', group)
    this.#logOfId(topic, partition)
    this.#answer()
    return this.committedOffsets.get(`${group} ${topic} ${partition}`)
  }

  close(): Promise<void> {
    this.#isClosed = true
    for (const send of this.#underWay) send.reject(new ClosedError('closed'))
    for (const wake of [...this.#wakers]) wake()
    return Promise.resolve()
  }

  /** Errors before the call takes effect. */
  #call(name: string, about: string): void {
    this.calls.push(about === '' ? name : `${name} ${about}`)
    if (this.#isClosed) throw new ClosedError('closed')
    if (this.isDown) throw new ConnectionError('down')
  }

  /** Errors after the call took effect: the answer is lost. */
  #answer(): void {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
  }

  #take(request: SendRequest): SendPartResult[] {
    return request.parts.map((part): SendPartResult => {
      try {
        return { baseOffset: this.#takePart(part, request.producer), appendTimestamp: undefined }
      } catch (error) {
        return { error: error as Error }
      }
    })
  }

  #takePart(part: SendPart, producer: ProducerIdentity | undefined): number {
    const log = this.#logOfId(part.topic, part.partition)
    const { batch, baseSequence: first } = part
    const last = first + batch.recordCount - 1
    const found = producer && log.producers.get(producer.producerId)
    const epoch = producer?.producerEpoch ?? -1
    if (found !== undefined && epoch < found.epoch) throw new ProducerFencedError('a newer epoch')
    // A new epoch begins with number 0.
    const known = found?.epoch === epoch ? found : undefined
    const repeated = known?.batches.find((each) => each.first === first && each.last === last)
    if (repeated !== undefined) return repeated.offset
    const refusal = this.refuse(part, valuesOf(batch))
    if (refusal !== undefined) throw refusal
    if (producer !== undefined) {
      if (known === undefined && first !== 0) throw new UnknownProducerError('unknown')
      if (known !== undefined && first !== (known.batches.at(-1)?.last ?? -1) + 1) {
        throw new OutOfOrderSequenceError('a gap')
      }
    }
    const topic = [...this.topics.values()].find(({ id }) => id === part.topic) as ModelTopic
    const offset = this.#append(log, topic, part.partition, batch)
    if (producer !== undefined) {
      const batches = [...(known?.batches ?? []), { first, last, offset }].slice(-5)
      log.producers.set(producer.producerId, { epoch, batches })
    }
    return offset
  }

  #append(log: ModelPartition, topic: ModelTopic, partition: number, batch: MessageBatch): number {
    const baseOffset = log.endOffset
    log.batches.push({
      ...batch,
      // What was sent may change later on.
      records: [new Uint8Array(joinChunks(batch.records))],
      topic: topic.id,
      partition,
      baseOffset,
      leaderEpoch: log.epoch,
    })
    log.endOffset += batch.lastOffsetDelta + 1
    for (const wake of [...this.#wakers]) wake()
    return baseOffset
  }

  /** What a poll finds now: a batch of each part in its order, while there is room. */
  #look(request: PollRequest): PollResult {
    const batches: PolledBatch[] = []
    const failures: PollFailure[] = []
    let bytes = 0
    for (const part of request.parts) {
      try {
        const log = this.#logOfId(part.topic, part.partition)
        checkPosition(log, part)
        for (const batch of log.batches) {
          if (batch.baseOffset + batch.lastOffsetDelta < part.offset) continue
          if (batches.length > 0 && bytes + batch.recordsLength > request.bytesMax) break
          bytes += batch.recordsLength
          batches.push(batch)
        }
      } catch (error) {
        failures.push({ topic: part.topic, partition: part.partition, error: error as Error })
      }
    }
    return { batches, failures, release: () => {} }
  }

  #changed(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wakers.delete(wake)
        timer.cancel()
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = this.#clock.after(timeoutMs, wake)
      signal?.addEventListener('abort', wake)
      this.#wakers.add(wake)
    })
  }

  #logOf(name: string, partition: number): ModelPartition {
    const topic = this.topics.get(name)
    if (topic === undefined) throw new UnknownTopicError('no such topic')
    const log = topic.logs[partition]
    if (log === undefined) throw new UnknownPartitionError('no such partition')
    return log
  }

  #logOfId(id: string, partition: number): ModelPartition {
    const topic = [...this.topics.values()].find((each) => each.id === id)
    if (topic === undefined) throw new UnknownTopicError('no such topic')
    return this.#logOf(topic.name, partition)
  }
}

function createLog(): ModelPartition {
  return { batches: [], startOffset: 0, endOffset: 0, epoch: 0, producers: new Map() }
}

function infoOf({ name, id, partitions }: ModelTopic): TopicInfo {
  return { name, id, partitions }
}

function checkPosition(log: ModelPartition, part: PollPart): void {
  if (part.offset < log.startOffset || part.offset > log.endOffset) {
    throw new OffsetOutOfRangeError('out of range', log)
  }
}

/** The values of a batch, as text. */
export function valuesOf(batch: MessageBatch): string[] {
  const records = new RecordDecoder(joinChunks(batch.records), batch.recordCount)
  const values: string[] = []
  for (let record = records.next(); record !== undefined; record = records.next()) {
    values.push(decoder.decode(record.value ?? new Uint8Array(0)))
  }
  return values
}
