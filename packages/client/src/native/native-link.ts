/**
 * The one connection of an engine (contract 7): made when it is first needed, and made again after it
 * broke, with a pause that grows while it fails. Who asks meanwhile waits for the next one.
 */
import { type Clock, ClosedError, ConnectionError, KaskaError, type native } from '@kaska/protocol'
import { abortable, sleep } from '../abort.ts'
import { retryPauseMs } from '../retry-pause.ts'
import type { Dialer } from '../seams.ts'
import { NativeConnection } from './native-connection.ts'

export interface NativeLinkOptions {
  readonly dialer: Dialer
  readonly clock: Clock
  readonly clientId: string
  /** How long the making of one connection may take. */
  readonly connectTimeoutMs: number
  readonly receiveBytesMax: number
  /** After how long a silence of the broker it is asked for a sign of life. */
  readonly silenceMsMax: number
}

/** What `ConnectionError` advises, once. */
const advice = 'is the broker running? start it with: npx kaska'

export class NativeLink {
  readonly #options: NativeLinkOptions
  #connection: NativeConnection | undefined
  #connecting: Promise<NativeConnection> | undefined
  #closed: ClosedError | undefined
  readonly #closing = new AbortController()
  #failures = 0
  #identity: native.BrokerIdentity | undefined

  constructor(options: NativeLinkOptions) {
    this.#options = options
  }

  /** The connection, while there is one. */
  get connection(): NativeConnection | undefined {
    return this.#connection
  }

  /** What the broker said of itself when it was last connected to. */
  get identity(): native.BrokerIdentity | undefined {
    return this.#identity
  }

  /** The connection, made where there is none. Rejects with ConnectionError, ClosedError, ... */
  connected(signal: AbortSignal | undefined): Promise<NativeConnection> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    if (this.#connection !== undefined) return Promise.resolve(this.#connection)
    if (this.#connecting === undefined) {
      this.#connecting = this.#connect().finally(() => {
        this.#connecting = undefined
      })
    }
    return abortable(this.#connecting, signal)
  }

  /** Ends the connection, what is under way on it, and the making of another one. */
  close(error: ClosedError): void {
    this.#closed ??= error
    this.#closing.abort(this.#closed)
    this.#connection?.end(this.#closed)
  }

  async #connect(): Promise<NativeConnection> {
    const { clock, connectTimeoutMs, dialer } = this.#options
    const closing = this.#closing.signal
    if (this.#failures > 0) await sleep(clock, retryPauseMs(this.#failures - 1), closing)
    const attempt = new AbortController()
    const abort = () => attempt.abort(closing.reason)
    closing.addEventListener('abort', abort, { once: true })
    const timer = clock.after(connectTimeoutMs, () =>
      attempt.abort(new ConnectionError(`no answer for ${connectTimeoutMs} ms`)),
    )
    const connection = new NativeConnection({
      ...this.#options,
      address: dialer.address,
      ended: () => {
        if (this.#connection === connection) this.#connection = undefined
      },
    })
    try {
      const transport = await abortable(dialer.dial(connection, attempt.signal), attempt.signal)
      this.#identity = await abortable(
        connection.open(transport, this.#options.clientId),
        attempt.signal,
      )
      this.#failures = 0
      this.#connection = connection
      return connection
    } catch (cause) {
      this.#failures++
      connection.end(new ConnectionError('the connection was given up'))
      throw this.#connectFailure(cause)
    } finally {
      timer.cancel()
      closing.removeEventListener('abort', abort)
    }
  }

  #connectFailure(cause: unknown): Error {
    if (cause instanceof ClosedError) return cause
    // The broker answered: it does not speak our version, or it is not Kaska.
    if (cause instanceof KaskaError && !(cause instanceof ConnectionError)) return cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new ConnectionError(
      `cannot connect to ${this.#options.dialer.address}: ${reason} (${advice})`,
      { cause },
    )
  }
}
