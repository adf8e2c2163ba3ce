/**
 * A connection to one broker of a cluster: messages in, messages out, each in the newest version that
 * both sides know. It ends with its first failure; whoever needs another one dials again.
 */
import {
  ChunkReader,
  ChunkWriter,
  type Clock,
  ConnectionError,
  KaskaError,
  kafka,
  ProtocolError,
  UnsupportedVersionError,
} from '@kaska/protocol'
import type { BrokerAddress, KafkaDialer, KafkaLink } from './kafka-link.ts'

type Fields = kafka.Fields
type VersionedMessage = Pick<kafka.Message<Fields>, 'name' | 'key' | 'versions'>

/** How long a broker may take for its answer, beyond the wait that it was asked for. */
const silenceMsMax = 10_000
/** Elements in all arrays of one answer: a cluster may have many topics. */
const elementsMax = 2 ** 24

export class BrokerConnection {
  readonly address: string
  isClosed = false
  readonly #link: KafkaLink
  readonly #clock: Clock
  #versions: ReadonlyMap<number, kafka.VersionRange> = new Map()

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
    await connection.#negotiate()
    return connection
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
   * Sends before it returns. `waitMs` is how long the broker was asked to wait. Rejects with ConnectionError,
   * ProtocolError, UnsupportedVersionError.
   */
  async request<Q extends Fields, R extends Fields>(
    request: kafka.Message<Q>,
    response: kafka.Message<R>,
    input: kafka.Input<Q>,
    { version = this.versionOf(request), waitMs = 0 }: { version?: number; waitMs?: number } = {},
  ): Promise<kafka.Values<R>> {
    if (this.isClosed) throw new ConnectionError(`the connection to ${this.address} was closed`)
    const writer = new ChunkWriter()
    request.write(writer, input, version)
    const isFlexible = kafka.inRange(request.flexible, version)
    let isSilent = false
    const timer = this.#clock.after(waitMs + silenceMsMax, () => {
      isSilent = true
      this.close()
    })
    try {
      const answer = await this.#link.request(
        { key: request.key, version, isFlexible },
        writer.finish(),
      )
      return response.read(new ChunkReader(answer), version, elementsMax)
    } catch (cause) {
      this.close()
      if (cause instanceof ProtocolError) throw cause
      if (isSilent) throw new ConnectionError(`the broker at ${this.address} is silent`, { cause })
      throw new ConnectionError(`the connection to ${this.address} was lost: ${textOf(cause)}`, {
        cause,
      })
    } finally {
      timer.cancel()
    }
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#link.close()
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
