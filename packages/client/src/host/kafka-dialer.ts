/**
 * Connections to Kafka brokers by @platformatic/kafka: its sockets, TLS, SASL and request frames. The
 * package is an optional peer dependency, loaded when the first cluster is connected to.
 *
 * Of its classes only `Connection` is used: batches have to pass as they are, and its producer and its
 * consumer make records of their own (docs/decisions/0022-kafka-client.md).
 */
import net from 'node:net'
import {
  type Chunks,
  ConnectionError,
  InvalidArgumentError,
  NotAuthorizedError,
} from '@kaska/protocol'
import type { BrokerAddress, KafkaCall, KafkaDialer, KafkaLink } from '../kafka/kafka-link.ts'
import type { TlsOptions } from './socket-transport.ts'

export interface SaslOptions {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

export interface KafkaDialerOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  /** Undefined: without TLS. */
  readonly tls?: TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
}

/** What is installed where it is missing. */
export const kafkaPackage = '@platformatic/kafka@2.12.1'

type Platformatic = typeof import('@platformatic/kafka')
type Connection = InstanceType<Platformatic['Connection']>

/** Longer than any wait that is asked for; what is not answered by then ends the connection. */
const requestTimeoutMs = 60_000
/** A broker takes them one after the other; ours are counted by who sends. */
const inFlightMax = 100_000

/** Loads the package. Rejects with InvalidArgumentError where it is not installed. */
export async function createKafkaDialer(options: KafkaDialerOptions): Promise<KafkaDialer> {
  const library = await loadLibrary()
  const { clientId, connectTimeoutMs, tls, sasl } = options
  return {
    dial: async (address, signal) => {
      const connection = new library.Connection(clientId === '' ? 'kaska' : clientId, {
        connectTimeout: connectTimeoutMs,
        requestTimeout: requestTimeoutMs,
        maxInflights: inFlightMax,
        ...(tls === undefined
          ? {}
          : { tls: { servername: net.isIP(address.host) === 0 ? address.host : '', ...tls } }),
        ...(sasl === undefined ? {} : { sasl: { ...sasl } }),
      })
      return await dial(library, connection, address, signal)
    },
  }
}

async function loadLibrary(): Promise<Platformatic> {
  try {
    return await import('@platformatic/kafka')
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new InvalidArgumentError(
      `kafka:// needs a package that is not installed: npm install ${kafkaPackage}`,
      { cause },
    )
  }
}

async function dial(
  library: Platformatic,
  connection: Connection,
  { host, port }: BrokerAddress,
  signal: AbortSignal,
): Promise<KafkaLink> {
  signal.throwIfAborted()
  // What an error means is heard from those that wait; without a listener it would be thrown.
  connection.on('error', () => {})
  const abort = () => end(connection)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await connection.connect(host, port)
  } catch (error) {
    end(connection)
    throw plainError(error, `${host}:${port}`)
  } finally {
    signal.removeEventListener('abort', abort)
  }
  return new PlatformaticLink(library, connection)
}

/** Its errors say what happened in their causes. */
function plainError(error: unknown, address: string): Error {
  const texts: string[] = []
  let isRefusal = false
  const seen = new Set<unknown>()
  const visit = (cause: unknown): void => {
    if (!(cause instanceof Error) || seen.has(cause)) return
    seen.add(cause)
    const { code } = cause as { code?: string }
    if (code === 'PLT_KFK_AUTHENTICATION') isRefusal = true
    // A connection that breaks while one is asked who one is: nobody has refused anything.
    if (code === 'PLT_KFK_NETWORK') isRefusal = false
    if (cause.message !== '') texts.push(cause.message)
    if (cause instanceof AggregateError) for (const one of cause.errors) visit(one)
    visit(cause.cause)
  }
  visit(error)
  const message = `cannot connect to ${address}: ${texts.join(': ')}`
  return isRefusal
    ? new NotAuthorizedError(message, { cause: error })
    : new ConnectionError(message, { cause: error })
}

/** Ends it now, and the timers that it has: without `close` one would wait for the time to authenticate again. */
function end(connection: Connection): void {
  void connection.close()
  connection.socket?.destroy()
}

/**
 * Is nothing kept of what was received once all of it was given? The 2.12 releases keep nothing; even an empty view
 * would break the connection when its buffer has been freed.
 */
function forgetsAnswers({ Reader }: Platformatic): boolean {
  const { buffer } = Reader.from(Buffer.alloc(8))
  buffer.consume(8)
  return buffer.buffers.length === 0
}

class PlatformaticLink implements KafkaLink {
  readonly givesBuffers: boolean
  readonly #library: Platformatic
  readonly #connection: Connection
  /** What is asked while it is authenticated again (KIP-368): a broker would end it. */
  #held: (() => void)[] = []

  constructor(library: Platformatic, connection: Connection) {
    this.#library = library
    this.#connection = connection
    this.givesBuffers = forgetsAnswers(library)
    const release = () => {
      for (const send of this.#held.splice(0)) send()
    }
    connection.on('connect', release)
    connection.on('error', release)
    connection.on('close', () => {
      end(connection)
      release()
    })
  }

  get isClosed(): boolean {
    return this.#connection.socket.destroyed
  }

  request(call: KafkaCall, body: Chunks): Promise<Chunks> {
    return new Promise((resolve, reject) => {
      const send = () => this.#send(call, body, resolve, reject)
      if (this.#connection.status === 'reauthenticating') this.#held.push(send)
      else send()
    })
  }

  close(): void {
    end(this.#connection)
  }

  #send(
    { key, version, isFlexible }: KafkaCall,
    body: Chunks,
    resolve: (answer: Chunks) => void,
    reject: (error: Error) => void,
  ): void {
    this.#connection.send<Chunks>(
      key,
      version,
      () => {
        const writer = this.#library.Writer.create()
        for (const view of body) writer.append(bufferOf(view))
        return writer
      },
      (_correlationId, _key, _version, reader) => reader.buffer.buffers,
      isFlexible,
      // ApiVersions is asked before it is known what the broker speaks (KIP-511).
      isFlexible && key !== apiVersionsKey,
      (error, answer) => {
        if (answer === undefined || error) reject(error ?? new Error('no answer'))
        else resolve(answer)
      },
    )
  }
}

const apiVersionsKey = 18

function bufferOf(view: Uint8Array): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength)
}
