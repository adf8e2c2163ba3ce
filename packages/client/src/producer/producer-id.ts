/**
 * The identity that batches are sent under: asked for when the first one is to leave, for as long as
 * somebody waits for a batch, and exchanged for its next epoch where a partition's sequence numbers
 * have to begin anew.
 */
import {
  type Clock,
  type Engine,
  KaskaError,
  type ProducerIdentity,
  type RequestContext,
} from '@kaska/protocol'
import { sleep } from '../abort.ts'
import { retryPauseMs } from '../retry-pause.ts'
import type { UnsettledBatches } from './unsettled-batches.ts'

export interface ProducerIdOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly context: RequestContext
  readonly batches: UnsettledBatches
  /** There is an identity. */
  given(): void
  /** There is none to be had. */
  refused(error: unknown): void
}

/** An epoch is an int16. */
const epochMax = 0x7fff

export class ProducerId {
  readonly #options: ProducerIdOptions
  #identity: ProducerIdentity | undefined
  #isAsking = false

  constructor(options: ProducerIdOptions) {
    this.#options = options
  }

  /** The identity of what is sent from now on; undefined: it is asked for, and `given` tells of it. */
  get(): ProducerIdentity | undefined {
    if (this.#identity === undefined) void this.#ask()
    return this.#identity
  }

  /** Goes on in the next epoch, unless that was done; after the last one a new id has to be asked for. */
  renew(identity: ProducerIdentity | undefined): void {
    if (identity !== this.#identity) return
    this.#identity =
      identity === undefined || identity.producerEpoch >= epochMax
        ? undefined
        : { producerId: identity.producerId, producerEpoch: identity.producerEpoch + 1 }
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    const { batches, clock, context, engine, given, refused } = this.#options
    let failureCount = 0
    while (this.#identity === undefined && batches.count > 0) {
      try {
        this.#identity = await engine.initProducer(context)
      } catch (error) {
        if (!(error instanceof KaskaError && error.retriable)) {
          refused(error)
          break
        }
        for (const batch of batches) batch.lastError = error
        await sleep(clock, retryPauseMs(failureCount++), undefined)
      }
    }
    this.#isAsking = false
    // Without an id nothing can be sent: whoever comes next asks for one again.
    if (this.#identity !== undefined) given()
  }
}
