/**
 * Batches on their way to the leaders of their partitions, each partition's in the order of the calls.
 *
 *   send --> queue --flush--> on its way --answered--> result
 *              ^                  |
 *              '---- refused: the leader has moved
 *
 * 1. A partition is warm while its leader takes what it is sent; then any number of batches is on the way
 *    to it at once. Else one goes alone, and the others follow when it was taken: what was refused because
 *    the leader has moved goes again before what came behind it.
 * 2. What was under way when a connection broke is not sent again here (only its sender knows whether it
 *    may be): it fails with ConnectionError. So does what was stored somewhere and has no number by which
 *    it would be recognised.
 * 3. What comes behind a batch that has failed, of the same producer, fails too (failed-batches.ts), and a
 *    producer's first batch goes alone: Kafka takes any number from a producer that it does not know. Since it
 *    forgets those that are idle for a day (`producer.id.expiration.ms`), one that has been idle here for an
 *    hour, or was never seen here, begins with a first batch too, whatever its number.
 */
import {
  type Clock,
  ConnectionError,
  type Crc32c,
  InvalidMessageError,
  kafka,
  type MessageBatch,
  type ProducerIdentity,
  type RequestContext,
  type SendPart,
  type SendPartResult,
  type SendRequest,
  type TopicId,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import { sleep } from '../abort.ts'
import type { BrokerConnection } from './broker-connection.ts'
import type { Cluster } from './cluster.ts'
import { isProducerKnown } from './describe-producers.ts'
import { behind, FailedBatches } from './failed-batches.ts'
import { errorOfCode, isMoved } from './kafka-errors.ts'
import { producedBatch, refusalOf } from './produced-batch.ts'

const { errorCode } = kafka

/** How long a batch is sent to one leader after the other before it is refused. */
const settleMsMax = 10_000
const pauseMsMin = 10
const pauseMsMax = 200
/** How long a leader may wait for its followers, as Kafka's producers have it. */
const ackTimeoutMs = 30_000
/** Batches of one request; a larger one goes alone. */
const requestBytesMax = 8 << 20
/** How long after it was taken a batch says that its partition knows the producer, and for how many it is noted. */
const knownMsMax = 3_600_000
const knownMax = 1000

interface Outgoing {
  /** Resolves when its whole call is answered. */
  readonly answered: Promise<void>
  readonly part: SendPart
  readonly producer: ProducerIdentity | undefined
  readonly deadline: number
  /** The place among those of its partition. */
  readonly order: number
  readonly signal: AbortSignal | undefined
  readonly settle: (result: SendPartResult) => void
}

interface PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly waiting: Outgoing[]
  onTheWay: number
  /** Where they are on their way. */
  sentOn: BrokerConnection | undefined
  /** Is the first batch of a producer among them? */
  hasFirst: boolean
  /** By producer, the epoch and the time of the last batch that was taken. */
  readonly known: Map<number, { readonly epoch: number; readonly at: number }>
  nextOrder: number
  isWarm: boolean
  /** Is what is known of its leader wrong? */
  isStale: boolean
  isPreparing: boolean
  failures: number
}

export interface KafkaSenderOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly crc32c: Crc32c
  /** Asked where the broker could not say what was wrong with a batch. */
  readonly isDamaged: (batch: MessageBatch) => boolean
}

export class KafkaSender {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #crc32c: Crc32c
  readonly #isDamaged: (batch: MessageBatch) => boolean
  readonly #queues = new Map<string, PartitionQueue>()
  readonly #failed: FailedBatches
  /** Those that have something to send. */
  readonly #ready = new Set<PartitionQueue>()
  #isFlushing = false

  constructor({ cluster, clock, crc32c, isDamaged }: KafkaSenderOptions) {
    this.#cluster = cluster
    this.#clock = clock
    this.#crc32c = crc32c
    this.#isDamaged = isDamaged
    this.#failed = new FailedBatches({
      clock,
      closing: cluster.closing.signal,
      isKnown: (part, producer) => isProducerKnown(cluster, part, producer),
    })
  }

  send(
    { producer, parts }: SendRequest,
    { signal }: RequestContext,
  ): Promise<readonly SendPartResult[]> {
    const deadline = this.#clock.monotonic() + settleMsMax
    const { promise: answered, resolve } = Promise.withResolvers<void>()
    const results = Promise.all(
      parts.map((part) => {
        return new Promise<SendPartResult>((settle) => {
          const queue = this.#queueOf(part)
          const order = queue.nextOrder++
          const sent = { answered, part, producer, deadline, order, signal, settle }
          const behindFailed = this.#failed.refusalOf(sent)
          const refusal = refusalOf(part)
          if (behindFailed !== undefined) settle({ error: behindFailed })
          else if (refusal !== undefined) this.#fail(queue, sent, refusal)
          else queue.waiting.push(sent)
          this.#wake(queue)
          this.#drop(queue)
        })
      }),
    )
    void results.then(() => resolve())
    return results
  }

  #queueOf({ topic, partition }: SendPart): PartitionQueue {
    const key = `${partition} ${topic}`
    let queue = this.#queues.get(key)
    if (queue === undefined) {
      queue = {
        topic,
        partition,
        waiting: [],
        onTheWay: 0,
        sentOn: undefined,
        hasFirst: false,
        known: new Map(),
        nextOrder: 0,
        isWarm: false,
        isStale: false,
        isPreparing: false,
        failures: 0,
      }
      this.#queues.set(key, queue)
    }
    return queue
  }

  #wake(queue: PartitionQueue): void {
    if (queue.waiting.length === 0) return
    this.#ready.add(queue)
    if (this.#isFlushing) return
    this.#isFlushing = true
    // What is sent in this turn goes together.
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushing = false
    // One batch a partition in each round; a round is one request a broker.
    for (;;) {
      const requests = new Map<BrokerConnection, { queue: PartitionQueue; sent: Outgoing }[]>()
      const sizes = new Map<BrokerConnection, number>()
      for (const queue of this.#ready) {
        const connection = this.#leaderOf(queue)
        const next = connection === undefined ? undefined : this.#next(queue, connection)
        if (connection === undefined || next === undefined) {
          this.#ready.delete(queue)
          // It may know at once that there is no leader, and then has woken the queue when it returns.
          if (connection === undefined && !queue.isPreparing) void this.#prepare(queue)
          continue
        }
        const size = sizes.get(connection) ?? 0
        if (size > 0 && size + next.part.batch.recordsLength > requestBytesMax) continue
        sizes.set(connection, size + next.part.batch.recordsLength)
        queue.waiting.shift()
        queue.onTheWay++
        queue.sentOn = connection
        queue.hasFirst ||= this.#isFirst(queue, next)
        const request = requests.get(connection)
        if (request === undefined) requests.set(connection, [{ queue, sent: next }])
        else request.push({ queue, sent: next })
      }
      if (requests.size === 0) return
      for (const [connection, request] of requests) void this.#produce(connection, request)
    }
  }

  #next(queue: PartitionQueue, connection: BrokerConnection): Outgoing | undefined {
    for (let next = queue.waiting[0]; next !== undefined; next = queue.waiting[0]) {
      if (next.signal?.aborted) {
        queue.waiting.shift()
        next.settle({ error: asError(next.signal.reason) })
        continue
      }
      const mayFollow = queue.isWarm && queue.sentOn === connection && !queue.hasFirst
      return mayFollow || queue.onTheWay === 0 ? next : undefined
    }
    return undefined
  }

  /** The connection to the leader; undefined: it has to be looked for. */
  #leaderOf(queue: PartitionQueue): BrokerConnection | undefined {
    if (queue.isPreparing) return undefined
    const topic = queue.isStale ? undefined : this.#cluster.topics.get(queue.topic)
    const leader = topic?.leaders[queue.partition]?.leader ?? -1
    return leader < 0 ? undefined : this.#cluster.opened(leader, 'send')
  }

  /** Finds the leader and connects to it; fails what waits where that is not to be. */
  async #prepare(queue: PartitionQueue): Promise<void> {
    queue.isPreparing = true
    try {
      if (queue.failures > 0) await this.#pause(queue)
      const known = queue.isStale ? undefined : this.#cluster.topics.get(queue.topic)
      // It may have grown.
      const isKnown = known?.leaders[queue.partition] !== undefined
      const topic = isKnown ? known : await this.#cluster.refresh(queue.topic)
      queue.isStale = false
      if (topic === undefined) {
        throw new UnknownTopicError(`no topic of the cluster has the id ${queue.topic}`)
      }
      const partition = topic.leaders[queue.partition]
      if (partition === undefined) {
        throw new UnknownPartitionError(`'${topic.name}' has no partition ${queue.partition}`)
      }
      if (partition.leader < 0) this.#unsettled(queue, `'${topic.name}' has no leader now`)
      else await this.#cluster.connection(partition.leader, 'send')
    } catch (error) {
      this.#unsettledBy(queue, error)
    } finally {
      queue.isPreparing = false
      this.#wake(queue)
      this.#drop(queue)
    }
  }

  #pause(queue: PartitionQueue): Promise<void> {
    const pauseMs = Math.min(pauseMsMin * 2 ** (queue.failures - 1), pauseMsMax)
    return sleep(this.#clock, pauseMs, this.#cluster.closing.signal)
  }

  #unsettledBy(queue: PartitionQueue, error: unknown): void {
    // A leader that is gone will have a successor.
    if (error instanceof ConnectionError) this.#unsettled(queue, error.message)
    else for (const one of queue.waiting.splice(0)) one.settle({ error: asError(error) })
  }

  /** Those whose time is up fail; the others wait for the next try. */
  #unsettled(queue: PartitionQueue, reason: string): void {
    queue.isStale = true
    queue.failures++
    const now = this.#clock.monotonic()
    for (const one of [...queue.waiting]) {
      if (one.deadline > now) continue
      const index = queue.waiting.indexOf(one)
      // It has failed with one before it.
      if (index === -1) continue
      queue.waiting.splice(index, 1)
      this.#fail(queue, one, new ConnectionError(reason))
    }
  }

  /** Has the partition taken nothing of this producer lately, in this epoch? */
  #isFirst({ known }: PartitionQueue, { producer }: Outgoing): boolean {
    if (producer === undefined) return false
    const last = known.get(producer.producerId)
    if (last === undefined || last.epoch !== producer.producerEpoch) return true
    return this.#clock.monotonic() - last.at > knownMsMax
  }

  #noteKnown({ known }: PartitionQueue, { producer }: Outgoing): void {
    if (producer === undefined) return
    // Those that are forgotten here have a first batch once more.
    if (known.size >= knownMax) known.clear()
    known.set(producer.producerId, {
      epoch: producer.producerEpoch,
      at: this.#clock.monotonic(),
    })
  }

  #fail(queue: PartitionQueue, failed: Outgoing, error: Error): void {
    const { answered, order, producer, settle } = failed
    settle({ error })
    if (producer === undefined) return
    const { producerId } = producer
    for (const one of queue.waiting.splice(0)) {
      const isBehind = one.order > order && one.producer?.producerId === producerId
      if (isBehind) one.settle({ error: behind() })
      else queue.waiting.push(one)
    }
    this.#failed.add(failed, this.#isFirst(queue, failed), answered)
  }

  /** Nothing is kept of a partition that is not known. */
  #drop(queue: PartitionQueue): void {
    if (queue.isPreparing || queue.waiting.length > 0 || queue.onTheWay > 0) return
    if (this.#cluster.topics.has(queue.topic)) return
    this.#ready.delete(queue)
    this.#queues.delete(`${queue.partition} ${queue.topic}`)
  }

  async #produce(
    connection: BrokerConnection,
    request: readonly { queue: PartitionQueue; sent: Outgoing }[],
  ): Promise<void> {
    type Answer = kafka.ProduceResponse['responses'][number]['partitionResponses'][number]
    const answers = new Map<string, Answer>()
    // Older brokers answer by name, and what is known of a topic may be forgotten meanwhile.
    const names = new Map(request.map(({ queue: { topic } }) => [topic, this.#nameOf(topic)]))
    let failure: Error | undefined
    try {
      const answer = await connection.request(
        kafka.produceRequest,
        kafka.produceResponse,
        this.#requestOf(request, names),
        { waitMs: ackTimeoutMs },
      )
      for (const { topicId, name, partitionResponses } of answer.responses) {
        for (const one of partitionResponses) {
          answers.set(`${one.index} ${topicId}`, one)
          if (name !== '') answers.set(`${one.index} ${name}`, one)
        }
      }
    } catch (error) {
      failure = this.#cluster.closed ?? asError(error)
    }
    for (const { queue, sent } of request) {
      queue.onTheWay--
      if (queue.onTheWay === 0) queue.hasFirst = false
      const answer =
        answers.get(`${queue.partition} ${queue.topic}`) ??
        answers.get(`${queue.partition} ${names.get(queue.topic)}`)
      if (answer !== undefined) this.#answered(queue, sent, answer)
      else this.#lost(queue, sent, failure)
    }
    for (const { queue } of request) {
      this.#wake(queue)
      this.#drop(queue)
    }
  }

  #nameOf(topic: TopicId): string {
    return this.#cluster.topics.get(topic)?.name ?? ''
  }

  #requestOf(
    request: readonly { queue: PartitionQueue; sent: Outgoing }[],
    names: ReadonlyMap<TopicId, string>,
  ) {
    const byTopic = new Map<string, { index: number; records: readonly Uint8Array[] }[]>()
    for (const { queue, sent } of request) {
      const parts = byTopic.get(queue.topic)
      const part = { index: queue.partition, records: producedBatch(sent, this.#crc32c) }
      if (parts === undefined) byTopic.set(queue.topic, [part])
      else parts.push(part)
    }
    return {
      transactionalId: null,
      acks: -1,
      timeoutMs: ackTimeoutMs,
      topicData: [...byTopic].map(([topicId, partitionData]) => ({
        name: names.get(topicId) ?? '',
        topicId,
        partitionData,
      })),
    }
  }

  #answered(
    queue: PartitionQueue,
    sent: Outgoing,
    answer: {
      errorCode: number
      errorMessage: string | null
      baseOffset: number
      logAppendTimeMs: number
      recordErrors: readonly { batchIndexErrorMessage: string | null }[]
    },
  ): void {
    const { errorCode: code, baseOffset, logAppendTimeMs } = answer
    if (code === 0) {
      this.#noteKnown(queue, sent)
      queue.isWarm = true
      queue.failures = 0
      const appendTimestamp = logAppendTimeMs < 0 ? undefined : logAppendTimeMs
      sent.settle({ baseOffset, appendTimestamp })
      return
    }
    const text = answer.recordErrors[0]?.batchIndexErrorMessage ?? answer.errorMessage
    const what = `partition ${queue.partition} refused a batch`
    // A compressed batch that cannot be expanded surprises Apache Kafka 4.3.
    if (code === errorCode.UNKNOWN_SERVER_ERROR && this.#isDamaged(sent.part.batch)) {
      this.#fail(queue, sent, new InvalidMessageError(`${what}: it is damaged`))
      return
    }
    if (this.#mayGoAgain(queue, sent, answer) && sent.deadline > this.#clock.monotonic()) {
      queue.isWarm = false
      queue.isStale = true
      queue.failures++
      putBack(queue.waiting, sent)
      return
    }
    // Whoever sends again is to find the leader.
    if (isMoved(code)) {
      queue.isWarm = false
      queue.isStale = true
    }
    const error = isMoved(code)
      ? new ConnectionError(`${what}: ${text ?? kafka.errorOf(code)?.name}`)
      : errorOfCode(code, what, text)
    this.#fail(queue, sent, error)
  }

  #mayGoAgain(
    queue: PartitionQueue,
    { order, producer }: Outgoing,
    { errorCode: code, baseOffset }: { errorCode: number; baseOffset: number },
  ): boolean {
    // A leader that moves while it waits for the others says where it has stored what they may have by now.
    const isStored = baseOffset >= 0
    if (producer === undefined) return isMoved(code) && !isStored
    if (isMoved(code)) return true
    // It may be stored: sent again, it is recognised by its number.
    if (code === errorCode.REQUEST_TIMED_OUT) return true
    if (code === errorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND) return true
    // It is out of its turn only because one before it goes again.
    if (code !== errorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) return false
    return queue.waiting.some(
      (one) => one.order < order && one.producer?.producerId === producer.producerId,
    )
  }

  #lost(queue: PartitionQueue, sent: Outgoing, failure: Error | undefined): void {
    queue.isWarm = false
    queue.isStale = true
    const error = failure ?? new ConnectionError('the broker answered without this partition')
    this.#fail(queue, sent, error)
  }
}

/** Back to its place in the order of the calls. */
function putBack(waiting: Outgoing[], one: Outgoing): void {
  const index = waiting.findIndex(({ order }) => order > one.order)
  if (index === -1) waiting.push(one)
  else waiting.splice(index, 0, one)
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
