/**
 * A connection to one broker of a cluster: messages in, messages out, each in the newest version that
 * both sides know. It ends with its first failure; whoever needs another one dials again.
 */
import {
  ChunkReader,
  ChunkWriter,
  ConnectionError,
  KaskaError,
  kafka,
  ProtocolError,
  UnsupportedVersionError,
} from '@kaska/protocol'
import type { BrokerAddress, KafkaDialer, KafkaLink } from './kafka-link.ts'

type Fields = kafka.Fields

/** Elements in all arrays of one answer: a cluster may have many topics. */
const elementsMax = 2 ** 24

export class BrokerConnection {
  readonly address: string
  isClosed = false
  readonly #link: KafkaLink
  #versions: ReadonlyMap<number, kafka.VersionRange> = new Map()

  private constructor(link: KafkaLink, address: string) {
    this.#link = link
    this.address = address
  }

  /** Rejects with ConnectionError, NotAuthorizedError, or the signal's reason. */
  static async open(
    dialer: KafkaDialer,
    { host, port }: BrokerAddress,
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
    const connection = new BrokerConnection(link, address)
    await connection.#negotiate()
    return connection
  }

  /** The version in which both sides know a message, none above `max`. */
  versionOf(message: kafka.Message<Fields>, max: number = message.versions.max): number {
    const theirs = this.#versions.get(message.key)
    const version = Math.min(max, message.versions.max, theirs?.max ?? -1)
    if (theirs === undefined || version < Math.max(theirs.min, message.versions.min)) {
      throw new UnsupportedVersionError(
        `the broker at ${this.address} has no version of ${message.name} that is known here`,
      )
    }
    return version
  }

  /** Sends before it returns. Rejects with ConnectionError, ProtocolError, UnsupportedVersionError. */
  async request<Q extends Fields, R extends Fields>(
    request: kafka.Message<Q>,
    response: kafka.Message<R>,
    input: kafka.Input<Q>,
    version: number = this.versionOf(request as unknown as kafka.Message<Fields>),
  ): Promise<kafka.Values<R>> {
    if (this.isClosed) throw new ConnectionError(`the connection to ${this.address} was closed`)
    const writer = new ChunkWriter()
    request.write(writer, input, version)
    const isFlexible = kafka.inRange(request.flexible, version)
    try {
      const answer = await this.#link.request(
        { key: request.key, version, isFlexible },
        writer.finish(),
      )
      return response.read(new ChunkReader(answer), version, elementsMax)
    } catch (cause) {
      this.close()
      if (cause instanceof ProtocolError) throw cause
      throw new ConnectionError(`the connection to ${this.address} was lost: ${textOf(cause)}`, {
        cause,
      })
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
      0,
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
