/**
 * One connection to a broker that speaks the native protocol: requests out, each with a tag; answers
 * in, which may overtake each other. Made for one transport, and ended with it: then every request
 * under way rejects with ConnectionError, whose fate nobody knows.
 *
 *   dialling --open()--> introducing --identify answered--> ready --closed--> ended
 *        \__________________\________________________________________________/
 *
 * A peer that is silent for `silenceMsMax` while requests are under way is asked for a sign of life,
 * and given up when none comes in as long a time again.
 */
import {
  type BufferReceiver,
  ChunkReader,
  type Chunks,
  type ChunkWriter,
  type Clock,
  ConnectionError,
  chunksLength,
  InvalidArgumentError,
  KaskaError,
  MessageTooLargeError,
  native,
  type ProducerIdentity,
  ProtocolError,
  type Timer,
  type TopicId,
  type Transport,
} from '@kaska/protocol'
import { FrameReader } from './frame-reader.ts'

export interface NativeConnectionOptions {
  readonly clock: Clock
  /** Where it goes, for people. */
  readonly address: string
  readonly receiveBytesMax: number
  readonly silenceMsMax: number
  /** Called once when the connection has ended. */
  readonly ended: (connection: NativeConnection, error: Error) => void
}

interface PendingRequest {
  readonly read: (reader: ChunkReader, status: number) => unknown
  resolve: (value: never) => void
  reject: (reason: unknown) => void
  /** Set when nobody waits for the answer any more. */
  isAbandoned: boolean
}

const nothing = () => {}

export class NativeConnection implements BufferReceiver {
  /** The broker's number for a topic on this connection. */
  readonly refs = new Map<TopicId, number>()
  readonly topics = new Map<number, TopicId>()
  /** Topics whose names now stand for another one, or for none. */
  readonly goneTopics = new Set<TopicId>()
  /** Whose sequence numbers the broker expects from this connection. */
  producer: ProducerIdentity | undefined
  identity: native.BrokerIdentity | undefined

  readonly #options: NativeConnectionOptions
  readonly #reader: FrameReader
  #transport: Transport | undefined
  #endError: Error | undefined
  /** By tag; the tag 0 stands for none. */
  readonly #pending: (PendingRequest | undefined)[] = [undefined]
  readonly #freeTags: number[] = []
  #pendingCount = 0
  #watch: Timer | undefined
  #hasHeard = false
  #isQuestioned = false
  #unsentBytes = 0

  constructor(options: NativeConnectionOptions) {
    this.#options = options
    this.#reader = new FrameReader({
      frameBytesMax: options.receiveBytesMax,
      frame: (chunks, length) => this.#takeFrame(chunks, length),
    })
  }

  get isOpen(): boolean {
    return this.#endError === undefined && this.identity !== undefined
  }

  /** Introduces the client; the connection's first bytes leave together with it (contract 12). */
  async open(transport: Transport, clientId: string): Promise<native.BrokerIdentity> {
    if (this.#endError !== undefined) {
      transport.destroy()
      throw this.#endError
    }
    this.#transport = transport
    const preamble = new Uint8Array([...native.magic, native.version])
    this.identity = await this.#start(
      native.operation.identify,
      (writer) => native.writeIdentify(writer, clientId),
      native.readBrokerIdentity,
      undefined,
      preamble,
    )
    return this.identity
  }

  /**
   * Sends a request. Resolves with what `read` makes of the answer; rejects with the broker's error,
   * with ConnectionError, and with the signal's reason: the answer is then thrown away.
   */
  request<T>(
    operation: number,
    write: ((writer: ChunkWriter) => void) | undefined,
    read: (reader: ChunkReader, status: number) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    return this.#start(operation, write, read, signal, undefined)
  }

  /** Ends the connection; what is under way rejects with the error. */
  end(error: Error): void {
    if (this.#endError !== undefined) return
    this.#endError = error
    this.#watch?.cancel()
    this.#watch = undefined
    this.#transport?.destroy()
    const pending = this.#pending.splice(0)
    this.#pendingCount = 0
    for (const request of pending) request?.reject(error)
    this.#options.ended(this, error)
  }

  buffer(): Uint8Array {
    return this.#reader.buffer()
  }

  filled(length: number): void {
    this.#hasHeard = true
    if (this.#endError !== undefined) return
    try {
      this.#reader.filled(length)
    } catch (error) {
      this.#refuse(error)
    }
  }

  received(chunk: Uint8Array): void {
    this.#hasHeard = true
    if (this.#endError !== undefined) return
    try {
      this.#reader.received(chunk)
    } catch (error) {
      this.#refuse(error)
    }
  }

  closed(error: Error | undefined): void {
    const reason = error === undefined ? 'the broker closed it' : error.message
    const message = `the connection to ${this.#options.address} was lost: ${reason}`
    this.end(new ConnectionError(message, { cause: error }))
  }

  #start<T>(
    operation: number,
    write: ((writer: ChunkWriter) => void) | undefined,
    read: (reader: ChunkReader, status: number) => T,
    signal: AbortSignal | undefined,
    preamble: Uint8Array | undefined,
  ): Promise<T> {
    const transport = this.#transport
    if (this.#endError !== undefined || transport === undefined) {
      return Promise.reject(this.#endError ?? new ConnectionError('there is no connection'))
    }
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const tag = this.#freeTags.pop() ?? this.#pending.length
      const frame = native.encodeRequest(operation, tag, write)
      const refusal = this.#checkSize(operation, chunksLength(frame))
      if (refusal !== undefined) {
        this.#freeTags.push(tag)
        this.#pending[tag] = undefined
        reject(refusal)
        return
      }
      const pending: PendingRequest = { read, resolve, reject, isAbandoned: false }
      this.#pending[tag] = pending
      this.#pendingCount++
      this.#watch ??= this.#watchOut()
      if (signal !== undefined) this.#abandonOn(signal, tag, operation, pending)
      transport.write(preamble === undefined ? frame : [preamble, ...frame])
    })
  }

  /** The broker closes a connection whose frame is too long for it: such a frame does not leave. */
  #checkSize(operation: number, length: number): KaskaError | undefined {
    const lengthMax = this.identity?.frameBytesMax ?? Number.POSITIVE_INFINITY
    if (length <= lengthMax) return undefined
    const message = `the broker takes requests of up to ${lengthMax} bytes, this one has ${length}`
    return operation === native.operation.send
      ? new MessageTooLargeError(message)
      : new InvalidArgumentError(message)
  }

  /** The signal ends the wait of the caller, and a waiting poll at the broker too. */
  #abandonOn(signal: AbortSignal, tag: number, operation: number, pending: PendingRequest): void {
    const { resolve, reject } = pending
    const abort = () => {
      pending.isAbandoned = true
      reject(signal.reason)
      if (operation !== native.operation.poll || this.#endError !== undefined) return
      this.#forget(native.operation.cancel, (writer) => writer.varint(tag))
    }
    signal.addEventListener('abort', abort, { once: true })
    const settled = () => signal.removeEventListener('abort', abort)
    pending.resolve = (value) => {
      settled()
      resolve(value)
    }
    pending.reject = (reason) => {
      settled()
      reject(reason)
    }
  }

  /** Sends a request whose answer nobody waits for. */
  #forget(operation: number, write?: (writer: ChunkWriter) => void): void {
    this.#start(operation, write, nothing, undefined, undefined).catch(nothing)
  }

  #takeFrame(chunks: Chunks, length: number): void {
    if (this.#endError !== undefined) return
    const reader = new ChunkReader(chunks, length)
    const tag = reader.varint()
    const status = reader.varint()
    if (tag === native.noticeTag) {
      this.#takeNotice(status, reader)
      return
    }
    const pending = this.#pending[tag]
    if (pending === undefined) throw new ProtocolError(`the broker answers request ${tag}: no such`)
    this.#pending[tag] = undefined
    this.#freeTags.push(tag)
    this.#pendingCount--
    if (native.isFailure(status)) {
      const error = native.readErrorDetails(reader, status)
      if (!pending.isAbandoned) pending.reject(error)
      return
    }
    if (pending.isAbandoned) return
    try {
      pending.resolve(pending.read(reader, status) as never)
    } catch (error) {
      pending.reject(error)
      throw error
    }
  }

  #takeNotice(code: number, reader: ChunkReader): void {
    if (code === native.operation.ping) {
      this.#forget(native.operation.ping)
      return
    }
    if (!native.isFailure(code)) return
    this.end(native.readErrorDetails(reader, code))
  }

  /** The peer does not keep to the protocol. */
  #refuse(error: unknown): void {
    if (!(error instanceof KaskaError)) throw error
    const message = `${this.#options.address} does not speak the native protocol: ${error.message}`
    this.end(new ProtocolError(message, { cause: error }))
  }

  #watchOut(): Timer {
    const { clock, silenceMsMax } = this.#options
    this.#hasHeard = false
    this.#isQuestioned = false
    return clock.after(silenceMsMax, () => this.#look())
  }

  #look(): void {
    const { clock, silenceMsMax, address } = this.#options
    this.#watch = undefined
    if (this.#pendingCount === 0) return
    const unsentBytes = this.#transport?.unsentBytes ?? 0
    // A large request that is still on its way out is a sign of life too.
    const isAlive = this.#hasHeard || unsentBytes < this.#unsentBytes
    this.#unsentBytes = unsentBytes
    this.#hasHeard = false
    if (!isAlive && this.#isQuestioned) {
      this.end(new ConnectionError(`${address} has not answered for ${silenceMsMax * 2} ms`))
      return
    }
    this.#isQuestioned = !isAlive
    this.#watch = clock.after(silenceMsMax, () => this.#look())
    if (!isAlive) this.#forget(native.operation.ping)
  }
}
