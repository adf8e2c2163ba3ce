/**
 * Makes requests of the batches that can leave: one right after the turn of the event loop in which
 * the first of them could, with at most one batch a partition, all under one identity. At most
 * `sendBufferBytes` are under way at once.
 */
import {
  type Engine,
  InvalidMessageError,
  type ProducerIdentity,
  type RequestContext,
  type SendPartResult,
} from '@kaska/protocol'
import type { BatchGroup, OutgoingBatch } from './outgoing-batch.ts'
import type { PartitionSender } from './partition-sender.ts'
import type { ProducerId } from './producer-id.ts'

export interface BatchRequestsOptions {
  readonly engine: Engine
  readonly context: RequestContext
  readonly sendBufferBytes: number
  readonly producerId: ProducerId
  readonly isClosed: () => boolean
  /** What became of a batch; called for each one of a request, in their order. */
  answered(batch: OutgoingBatch, result: SendPartResult): void
}

/** How many bytes of batches go into one request; one batch goes whatever its size. */
const requestBytesMax = 1 << 20

export class BatchRequests {
  readonly #options: BatchRequestsOptions
  /** Partitions that may have something to send. */
  readonly #ready = new Set<PartitionSender>()
  #isScheduled = false
  #underWayBytes = 0
  readonly #flushNow = () => this.flush()

  constructor(options: BatchRequestsOptions) {
    this.#options = options
  }

  /** The partition may have something to send. */
  wake(sender: PartitionSender): void {
    this.#ready.add(sender)
    this.#schedule()
  }

  /** The partition has nothing to send any more. */
  forget(sender: PartitionSender): void {
    this.#ready.delete(sender)
  }

  /** Sends what can be sent now. */
  flush(): void {
    this.#isScheduled = false
    if (this.#options.isClosed()) return
    for (;;) {
      const batches = this.#collect()
      if (batches.length === 0) return
      this.#send(batches)
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(this.#flushNow)
  }

  /** The batches of the next request: at most one a partition, all under one identity. */
  #collect(): OutgoingBatch[] {
    const batches: OutgoingBatch[] = []
    let identity: ProducerIdentity | undefined
    let bytes = 0
    for (const sender of this.#ready) {
      const batch = sender.next()
      if (batch === undefined || sender.topic.isGone) {
        this.#ready.delete(sender)
        continue
      }
      const isCrowded = this.#underWayBytes > 0 || bytes > 0
      if (isCrowded && this.#underWayBytes + bytes + batch.size > this.#options.sendBufferBytes) {
        break
      }
      const found = this.#identityOf(sender)
      if (found === undefined) break
      if (identity !== undefined && identity !== found) continue
      if (batches.length > 0 && bytes + batch.size > requestBytesMax) break
      if (batch.group !== undefined && sender.phase === 'sending') {
        if (!this.#isGroupReady(batch.group, found)) {
          this.#ready.delete(sender)
          continue
        }
        if (batches.length > 0) break
        return [...batch.group.batches]
      }
      identity = found
      bytes += batch.size
      batches.push(batch)
    }
    return batches
  }

  /** Can all of its batches leave together? Each partition that becomes free looks again. */
  #isGroupReady(group: BatchGroup, identity: ProducerIdentity): boolean {
    return group.batches.every(
      (batch) => batch.sender.next() === batch && this.#identityOf(batch.sender) === identity,
    )
  }

  #identityOf(sender: PartitionSender): ProducerIdentity | undefined {
    if (sender.identity !== undefined && sender.unacknowledged.length > 0) return sender.identity
    return this.#options.producerId.get()
  }

  #send(batches: readonly OutgoingBatch[]): void {
    const { answered, context, engine } = this.#options
    const [first] = batches
    const producer = first === undefined ? undefined : this.#identityOf(first.sender)
    if (producer === undefined) return
    let bytes = 0
    const parts = batches.map((batch) => {
      const { sender } = batch
      const isFirstTime = batch.sequence === -1
      sender.start(batch, producer)
      if (isFirstTime && batch.group === undefined) sender.topic.turn(sender.partition)
      bytes += batch.size
      return {
        topic: sender.topic.id,
        partition: sender.partition,
        baseSequence: batch.sequence,
        batch: batch.encode(),
      }
    })
    this.#underWayBytes += bytes
    // While the connection is in doubt, what is given up is not to leave later on.
    const isInDoubt = batches.some(({ sender }) => sender.failureCount > 0)
    const call = isInDoubt ? { batches, controller: new AbortController() } : undefined
    for (const batch of batches) batch.call = call
    const callContext =
      call === undefined ? context : { ...context, signal: call.controller.signal }
    engine.send({ producer, parts }, callContext).then(
      (results) => {
        this.#underWayBytes -= bytes
        for (let index = 0; index < batches.length; index++) {
          const result = results[index] ?? { error: new InvalidMessageError('no answer') }
          answered(batches[index] as OutgoingBatch, result)
        }
        this.#wakeAll(batches)
      },
      (error: unknown) => {
        this.#underWayBytes -= bytes
        for (const batch of batches) answered(batch, { error: error as Error })
        this.#wakeAll(batches)
      },
    )
  }

  #wakeAll(batches: readonly OutgoingBatch[]): void {
    for (const { sender } of batches) if (sender.phase !== 'draining') this.#ready.add(sender)
    // Those that found no room look again too; who waited for an answer may send more before that.
    if (this.#ready.size > 0) this.#schedule()
  }
}
