/**
 * A client's requests to its engine, made again while there is no connection or the broker has no
 * memory free; each is safe to repeat. They end with the client: most when it begins to close, those
 * that sends need when it is done.
 */
import { ClosedError, ConnectionError, OverloadedError, type RequestContext } from '@kaska/protocol'
import { eitherSignal, sleep } from './abort.ts'
import type { ClientHost } from './seams.ts'

export interface EngineRequestsOptions {
  readonly host: Pick<ClientHost, 'clock' | 'keepAlive'>
  readonly context: RequestContext
  /** How long a request is tried again, and one of a send. */
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
}

const pauseMsMin = 10
const pauseMsMax = 500

export class EngineRequests {
  readonly #options: EngineRequestsOptions
  /** Aborted when the client begins to close, and when it is done. */
  readonly #closing = new AbortController()
  readonly #ended = new AbortController()

  constructor(options: EngineRequestsOptions) {
    this.#options = options
  }

  /** Throws ClosedError once the client begins to close. */
  checkOpen(): void {
    if (this.#closing.signal.aborted) throw new ClosedError('the client was closed')
  }

  /**
   * Calls `run`, and again after a lost connection, until `requestTimeoutMs`. Rejects with its last
   * error, with the signal's reason, and with ClosedError.
   */
  async make<T>(
    signal: AbortSignal | undefined,
    run: (context: RequestContext) => Promise<T>,
  ): Promise<T> {
    this.checkOpen()
    signal?.throwIfAborted()
    const { requestTimeoutMs } = this.#options
    return await this.#retry(eitherSignal(signal, this.#closing.signal), requestTimeoutMs, run)
  }

  /** The same until `deliveryTimeoutMs`, for sends, which are delivered while the client closes. */
  async makeForSend<T>(run: (context: RequestContext) => Promise<T>): Promise<T> {
    return await this.#retry(this.#ended.signal, this.#options.deliveryTimeoutMs, run)
  }

  /** The client begins to close. */
  close(error: ClosedError): void {
    this.#closing.abort(error)
  }

  /** Nothing is asked any more, for sends either. */
  end(error: ClosedError): void {
    this.#ended.abort(error)
  }

  async #retry<T>(
    signal: AbortSignal,
    timeoutMs: number,
    run: (context: RequestContext) => Promise<T>,
  ): Promise<T> {
    const { clock, keepAlive } = this.#options.host
    const context = { ...this.#options.context, signal }
    const deadline = clock.monotonic() + timeoutMs
    keepAlive.hold()
    try {
      for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
        try {
          return await run(context)
        } catch (error) {
          const isBearable = error instanceof ConnectionError || error instanceof OverloadedError
          if (!isBearable || clock.monotonic() + pauseMs > deadline) throw error
          await sleep(clock, pauseMs, signal)
        }
      }
    } finally {
      keepAlive.release()
    }
  }
}
