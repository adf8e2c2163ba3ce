/**
 * A connection to one broker of a cluster: messages in, messages out, each in the newest version that
 * both sides know. It ends with its first failure; whoever needs another one dials again.
 */
import {
  ChunkReader,
  type Chunks,
  ChunkWriter,
  type Clock,
  ConnectionError,
  KaskaError,
  kafka,
  ProtocolError,
  type Timer,
  UnsupportedVersionError,
} from '@kaska/protocol'
import type { BrokerAddress, KafkaDialer, KafkaLink } from './kafka-link.ts'

type Fields = kafka.Fields
type VersionedMessage = Pick<kafka.Message<Fields>, 'name' | 'key' | 'versions'>

interface RequestOptions {
  readonly version?: number
  readonly waitMs?: number
  readonly received?: (answer: Chunks) => void
}

/** How long a broker may take for an answer, beyond the wait that it was asked for. */
const silenceMsMax = 10_000
/** Elements in all arrays of one answer: a cluster may have many topics. */
const elementsMax = 2 ** 24

export class BrokerConnection {
  readonly address: string
  readonly #link: KafkaLink
  readonly #clock: Clock
  #versions: ReadonlyMap<number, kafka.VersionRange> = new Map()
  /** What was not answered yet, in the order in which it will be. */
  readonly #awaited = new Set<{ readonly waitMs: number }>()
  #timer: Timer | undefined
  #isSilent = false

  private constructor(link: KafkaLink, address: string, clock: Clock) {
    this.#link = link
    this.#clock = clock
    this.address = address
  }

  /** Rejects with ConnectionError, NotAuthorizedError, or the signal's reason. */
  static async open(
    dialer: KafkaDialer,
    { host, port }: BrokerAddress,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<BrokerConnection> {
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
    let link: KafkaLink
    try {
      link = await dialer.dial({ host, port }, signal)
    } catch (cause) {
      signal.throwIfAborted()
      if (cause instanceof KaskaError) throw cause
      throw new ConnectionError(`cannot connect to ${address}: ${textOf(cause)}`, { cause })
    }
    const connection = new BrokerConnection(link, address, clock)
    const close = () => connection.close()
    signal.addEventListener('abort', close, { once: true })
    if (signal.aborted) close()
    try {
      await connection.#negotiate()
    } finally {
      signal.removeEventListener('abort', close)
    }
    return connection
  }

  /** Has it ended? The broker may have ended one that was idle for long. */
  get isClosed(): boolean {
    return this.#link.isClosed
  }

  /** The version in which both sides know a message, none above `max`. */
  versionOf(message: VersionedMessage, max: number = message.versions.max): number {
    const theirs = this.#versions.get(message.key)
    const version = Math.min(max, message.versions.max, theirs?.max ?? -1)
    if (theirs === undefined || version < Math.max(theirs.min, message.versions.min)) {
      throw new UnsupportedVersionError(
        `the broker at ${this.address} has no version of ${message.name} that is known here`,
      )
    }
    return version
  }

  /**
   * Sends before it returns. `waitMs` is how long the broker was asked to wait; `received` is given the answer's
   * chunks if their buffers may be freed. Rejects with ConnectionError, ProtocolError, UnsupportedVersionError.
   */
  async request<Q extends Fields, R extends Fields>(
    request: kafka.Message<Q>,
    response: kafka.Message<R>,
    input: kafka.Input<Q>,
    { version = this.versionOf(request), waitMs = 0, received }: RequestOptions = {},
  ): Promise<kafka.Values<R>> {
    if (this.isClosed) throw new ConnectionError(`the connection to ${this.address} was closed`)
    const writer = new ChunkWriter()
    request.write(writer, input, version)
    const isFlexible = kafka.inRange(request.flexible, version)
    const awaited = { waitMs }
    this.#awaited.add(awaited)
    if (this.#awaited.size === 1) this.#listen()
    try {
      const answer = await this.#link.request(
        { key: request.key, version, isFlexible },
        writer.finish(),
      )
      if (this.#link.givesBuffers) received?.(answer)
      return response.read(new ChunkReader(answer), version, elementsMax)
    } catch (cause) {
      this.close()
      if (cause instanceof ProtocolError) throw cause
      if (this.#isSilent) {
        throw new ConnectionError(`the broker at ${this.address} is silent`, { cause })
      }
      throw new ConnectionError(`the connection to ${this.address} was lost: ${textOf(cause)}`, {
        cause,
      })
    } finally {
      this.#awaited.delete(awaited)
      this.#listen()
    }
  }

  close(): void {
    this.#link.close()
  }

  /** A broker answers one request after the other: it is silent when it does not answer the first of them. */
  #listen(): void {
    this.#timer?.cancel()
    const [first] = this.#awaited
    if (first === undefined) return
    this.#timer = this.#clock.after(first.waitMs + silenceMsMax, () => {
      this.#isSilent = true
      this.close()
    })
  }

  async #negotiate(): Promise<void> {
    // Version 0 is what every broker answers.
    const { apiKeys, errorCode } = await this.request(
      kafka.apiVersionsRequest,
      kafka.apiVersionsResponse,
      {},
      { version: 0 },
    )
    if (errorCode !== 0) {
      this.close()
      throw new UnsupportedVersionError(`the broker at ${this.address} does not tell its versions`)
    }
    this.#versions = new Map(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
        apiKey,
        { min: minVersion, max: maxVersion },
      ]),
    )
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
