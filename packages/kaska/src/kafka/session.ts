/**
 * The session of one Kafka connection (contract 6).
 *
 *   bytes -> requests (frame-intake) -> may it begin? -> handler -> answers in the requests' order
 *
 * - Requests begin in the order of their arrival. One begins when all before it are answered; appends
 *   begin beside appends, so that many that are pipelined need few syncs. A request that may not begin
 *   yet waits, and nothing is taken on behind it: a fetch that waits for messages holds back all that
 *   comes after it, as in Kafka.
 * - What is under way is bounded: requests in flight, and unsent bytes. Beyond either no further
 *   request is taken, and the transport is paused when more bytes come all the same.
 * - Nothing that a peer sends, and nothing that a handler throws, leaves the session: it ends this
 *   connection alone, and the reason is reported.
 */
import {
  ChunkReader,
  type Chunks,
  ChunkWriter,
  ClosedError,
  chunksLength,
  KaskaError,
  kafka,
  OverloadedError,
  ProtocolError,
  type Receiver,
  type RequestContext,
  type Transport,
} from '@kaska/protocol'
import type { Connection, ConnectionBytes, ConnectionLog } from '../figures/connection-log.ts'
import type { OperationFigures } from '../figures/request-figures.ts'
import { FrameIntake } from '../transport/frame-intake.ts'
import { ProgressWatch } from '../transport/progress-watch.ts'
import { Slices } from '../transport/slices.ts'
import { apiVersionsKey, refuseApiVersions } from './18-api-versions.ts'
import { failureIn } from './answer-failure.ts'
import type { Endpoint, Handler, KafkaBroker, KafkaContext } from './handler.ts'

/** What all sessions of a broker have in common. */
export interface SessionShared {
  readonly broker: KafkaBroker
  readonly advertise: Endpoint | undefined
  readonly connections: ConnectionLog
  /** By the key of an API. */
  readonly figures: ReadonlyMap<number, OperationFigures>
  readonly report: (line: string) => void
  /** Called once, when the connection has ended. */
  readonly ended: (session: KafkaSession) => void
}

/** A request that has arrived whole. */
interface Arrived {
  readonly frame: Chunks
  readonly reader: ChunkReader
  readonly header: kafka.RequestHeader
  /** In monotonic time. */
  readonly arrivedAt: number
  /** Undefined: a version of ApiVersions that is not served. */
  readonly handler: Handler | undefined
}

/** A request under way: the place of its answer among the others. */
interface Slot {
  readonly request: Arrived
  readonly isPipelined: boolean
  /** Memory that is reserved for it while it is decoded. */
  reserved: number
  /** Undefined while the answer is not ready. */
  chunks: Chunks | undefined
  /** Undefined while nobody wants to hear of it: so it is for most. */
  afterSent: (() => void)[] | undefined
}

/** A request up to this length takes no memory worth counting when it is decoded. */
const smallRequestBytes = 64 * 1024
/** What a decoded request takes at most, in bytes for each of its own; */
const decodedBytesPerByte = 24
/** or for each of its parts, where they can be counted before. */
const decodedBytesPerPart = 400

const settled = Promise.resolve()

export class KafkaSession implements Receiver, ConnectionBytes {
  readonly connection: Connection
  readonly #shared: SessionShared
  readonly #transport: Transport
  readonly #intake: FrameIntake
  readonly #watch: ProgressWatch
  readonly #endpoint: Endpoint
  #context: RequestContext
  #abort: AbortController | undefined
  /** The answers that are due, in the order of their requests. */
  readonly #slots: Slot[] = []
  #unpipelined = 0
  /** Arrived, and may not begin yet. */
  #next: Arrived | undefined
  /** Requests whose frame is still needed, those without an answer included. */
  #inFlight = 0
  #writtenBytes = 0
  /** When the requests that are being taken came, in monotonic time. */
  #takenAt = 0
  #isTaking = false
  /** Are there answers that leave at the end of this turn of promises? */
  #isAnswering = false
  #isHeldBack = false
  #isPaused = false
  #isEnding = false
  #isDone = false
  #isClosed = false

  constructor(transport: Transport, shared: SessionShared) {
    const { budget, limits, clock } = shared.broker
    this.#shared = shared
    this.#transport = transport
    this.#intake = new FrameIntake(budget, {
      lengthForm: 'int32',
      frameBytesMax: limits.frameBytesMax,
      granted: () => this.#takeFrames(),
      ownsChunks: transport.givesBuffers ?? false,
    })
    this.#watch = new ProgressWatch(limits, clock.monotonic())
    this.#endpoint = shared.advertise ?? transport.localAddress ?? { host: 'localhost', port: 9092 }
    this.#context = this.#contextOf('')
    this.connection = shared.connections.open({
      protocol: 'kafka',
      address: transport.remoteAddress,
      isTls: transport.isSecure ?? false,
      bytes: this,
    })
  }

  get bytesIn(): number {
    return this.#intake.receivedBytes
  }

  get bytesOut(): number {
    return this.#writtenBytes
  }

  received(chunk: Uint8Array): void {
    if (this.#isDone) return
    this.#intake.push(chunk)
    this.#takeFrames()
    if (this.#isHeldBack || this.#intake.isWaiting) this.#pause()
  }

  closed(_error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isDone = true
    this.#abort?.abort(new ClosedError('the connection has ended'))
    if (this.#next !== undefined) this.#intake.release(this.#next.frame)
    this.#next = undefined
    this.#intake.close()
    for (const slot of this.#slots.splice(0)) runAll(slot.afterSent)
    this.#shared.connections.close(this.connection)
    this.#shared.ended(this)
  }

  /** Looks for progress and signs of life; called now and then, with the clock's monotonic time. */
  check(now: number): void {
    if (this.#isDone) return
    const verdict = this.#watch.check(now, {
      receivedBytes: this.bytesIn,
      frameCount: this.#intake.frameCount,
      frameLength: this.#intake.frameLength,
      isExpecting: this.#intake.isPartial,
      isWaiting: this.#intake.isWaiting,
      isHeldBack: this.#isHeldBack || this.#inFlight > 0,
      writtenBytes: this.#writtenBytes,
      unsentBytes: this.#transport.unsentBytes,
    })
    if (verdict === undefined) return
    // Nothing was asked for long: that is no fault, and the client connects again when it needs to.
    if (verdict.action === 'ping') this.destroy()
    else this.#refuse(new ProtocolError(verdict.reason))
  }

  /** Takes no more requests, lets what waits end at once, and ends when all is answered. */
  end(): void {
    if (this.#isDone) return
    this.#isEnding = true
    this.#isHeldBack = true
    this.#abort?.abort(new ClosedError('the broker is closing'))
    if (this.#inFlight === 0) this.#finish()
  }

  /** Ends the connection at once. */
  destroy(reason?: Error): void {
    this.#isDone = true
    this.#transport.destroy(reason)
  }

  /** Of the connection: made when the first request asks for it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#isClosed || this.#isEnding) {
      this.#abort.abort(new ClosedError('the connection has ended'))
    }
    return this.#abort.signal
  }

  get #isFull(): boolean {
    const { requestsInFlightMax, unsentBytesMax } = this.#shared.broker.limits
    return (
      this.#inFlight >= requestsInFlightMax ||
      this.#isEnding ||
      this.#transport.unsentBytes > unsentBytesMax
    )
  }

  /** Takes requests until there are no more, enough is under way, or one has to wait for its turn. */
  #takeFrames(): void {
    if (this.#isTaking || this.#isDone) return
    this.#isTaking = true
    this.#isHeldBack = false
    this.#takenAt = this.#shared.broker.clock.monotonic()
    try {
      while (!this.#isDone) {
        if (this.#isFull) {
          this.#isHeldBack = true
          break
        }
        this.#next ??= this.#arrive()
        const next = this.#next
        if (next === undefined) break
        // Answers that became ready in this loop are out of its way then.
        if (!this.#mayBegin(next)) this.#flush()
        if (!this.#mayBegin(next)) {
          this.#isHeldBack = true
          break
        }
        this.#next = undefined
        this.#begin(next)
      }
    } catch (error) {
      this.#refuse(error)
      return
    } finally {
      this.#isTaking = false
    }
    this.#flush()
    if (this.#isPaused && !this.#isHeldBack && !this.#intake.isWaiting) this.#resume()
  }

  #arrive(): Arrived | undefined {
    const frame = this.#intake.next()
    if (frame === undefined) return undefined
    try {
      const reader = new ChunkReader(frame)
      const header = kafka.readRequestHeader(reader)
      const { apiKey, apiVersion } = header
      const handler = this.#shared.broker.handlers.get(apiKey)
      const arrivedAt = this.#takenAt
      const isServed = handler !== undefined && kafka.inRange(handler.versions, apiVersion)
      if (isServed) return { frame, reader, header, arrivedAt, handler }
      if (apiKey === apiVersionsKey) {
        return { frame, reader, header, arrivedAt, handler: undefined }
      }
      throw new ProtocolError(`it asks for version ${apiVersion} of API ${apiKey}: not served`)
    } catch (error) {
      this.#intake.release(frame)
      throw error
    }
  }

  #count({ header, arrivedAt }: Arrived, failure: string | undefined): void {
    const { figures, broker } = this.#shared
    const of = figures.get(header.apiKey)
    if (of !== undefined) {
      this.connection.answered(of, arrivedAt, broker.clock.monotonic(), failure)
    }
  }

  #mayBegin({ handler }: Arrived): boolean {
    if (this.#slots.length === 0) return true
    return handler?.isPipelined === true && this.#unpipelined === 0
  }

  #begin(request: Arrived): void {
    const { frame, reader, header, handler } = request
    const isPipelined = handler?.isPipelined === true
    const slot: Slot = {
      request,
      isPipelined,
      reserved: 0,
      chunks: undefined,
      afterSent: undefined,
    }
    this.#inFlight++
    this.#slots.push(slot)
    if (!isPipelined) this.#unpipelined++
    if (handler === undefined) {
      this.#end(slot, refuseApiVersions(this.#shared.broker))
      return
    }
    let answer: unknown
    try {
      const { apiVersion } = header
      slot.reserved = this.#admit(frame, header, handler)
      const context = this.#contextFor(header, slot)
      // What is pipelined takes effect at once; its bytes are mostly records, which are not decoded.
      if (isPipelined || chunksLength(frame) <= smallRequestBytes) {
        answer = handler.handle(context, handler.request.read(reader, apiVersion), apiVersion)
      } else {
        answer = this.#decode(handler, reader, apiVersion).then((decoded) =>
          handler.handle(context, decoded, apiVersion),
        )
      }
    } catch (error) {
      this.#fail(slot, error)
      return
    }
    if (!(answer instanceof Promise)) this.#end(slot, answer)
    else {
      answer.then(
        (response) => this.#end(slot, response),
        (error) => this.#fail(slot, error),
      )
    }
  }

  #end(slot: Slot, response: unknown): void {
    this.#letGo(slot)
    this.#count(slot.request, failureIn(response))
    if (this.#isClosed) runAll(slot.afterSent)
    else this.#answer(slot, response)
  }

  #fail(slot: Slot, error: unknown): void {
    this.#letGo(slot)
    this.#count(slot.request, error instanceof Error ? error.message : String(error))
    runAll(slot.afterSent)
    this.#refuse(error)
  }

  /** The request's bytes are needed no more. */
  #letGo({ request, reserved }: Slot): void {
    this.#inFlight--
    this.#intake.release(request.frame)
    this.#shared.broker.budget.release(reserved)
  }

  /** Decodes a large request in slices. Rejects with ProtocolError. */
  async #decode(handler: Handler, reader: ChunkReader, version: number): Promise<unknown> {
    const slices = new Slices(this.#shared.broker.clock)
    const steps = handler.request.readSteps(reader, version)
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      if (slices.isDue) await slices.pause()
    }
  }

  /** Reserves what the decoded request may take. Throws OverloadedError. */
  #admit(frame: Chunks, header: kafka.RequestHeader, handler: Handler): number {
    const length = chunksLength(frame)
    if (length <= smallRequestBytes) return 0
    let bytes = length * decodedBytesPerByte
    if (handler.countParts !== undefined) {
      const reader = new ChunkReader(frame)
      kafka.readRequestHeader(reader)
      bytes = handler.countParts(reader, header.apiVersion) * decodedBytesPerPart
    }
    const { budget } = this.#shared.broker
    // Whoever asks for more than there is would get it all.
    if (bytes <= budget.total / 2 && budget.tryReserve(bytes)) return bytes
    throw new OverloadedError(`the broker has no memory free for a request of ${length} bytes`)
  }

  #contextFor(header: kafka.RequestHeader, slot: Slot): KafkaContext {
    const clientId = header.clientId ?? ''
    if (clientId !== this.#context.clientId) {
      this.#context = this.#contextOf(clientId)
      this.connection.clientId = clientId
    }
    return new Context(this, slot, this.#shared.broker, this.#context, this.#endpoint)
  }

  #contextOf(clientId: string): RequestContext {
    return { principal: null, clientId, address: this.#transport.remoteAddress }
  }

  #answer(slot: Slot, response: unknown): void {
    if (response === undefined) {
      const index = this.#slots.indexOf(slot)
      if (index >= 0) this.#slots.splice(index, 1)
      if (!slot.isPipelined) this.#unpipelined--
      runAll(slot.afterSent)
    } else {
      try {
        slot.chunks = encode(slot.request, response)
      } catch (error) {
        runAll(slot.afterSent)
        this.#refuse(error)
        return
      }
    }
    if (this.#isTaking || this.#isAnswering) return
    // One write of the log settles many requests: their answers leave together.
    this.#isAnswering = true
    void settled.then(() => this.#answered())
  }

  #answered(): void {
    this.#isAnswering = false
    if (this.#isDone) return
    this.#flush()
    if (this.#isHeldBack) this.#takeFrames()
    if (this.#isEnding && this.#inFlight === 0 && !this.#isDone) this.#finish()
  }

  /** Sends the answers that are next and ready, together. */
  #flush(): void {
    const first = this.#takeReady()
    if (first === undefined) return
    const { chunks = [], afterSent } = this.#join(first)
    const length = chunksLength(chunks)
    this.#writtenBytes += length
    const { unsentBytesMax } = this.#shared.broker.limits
    const isMuch = this.#transport.unsentBytes + length > unsentBytesMax
    this.#transport.write(
      chunks,
      afterSent === undefined && !isMuch
        ? undefined
        : () => {
            runAll(afterSent)
            if (this.#isHeldBack && !this.#isEnding) this.#takeFrames()
          },
    )
  }

  /** The next answer, if it is ready. */
  #takeReady(): Slot | undefined {
    const slot = this.#slots[0]
    if (this.#isDone || slot?.chunks === undefined) return undefined
    this.#slots.shift()
    if (!slot.isPipelined) this.#unpipelined--
    return slot
  }

  /** An answer and those that are ready behind it; most are alone. */
  #join(first: Slot): Pick<Slot, 'chunks' | 'afterSent'> {
    let next = this.#takeReady()
    if (next === undefined) return first
    const chunks = [...(first.chunks ?? [])]
    const afterSent = [...(first.afterSent ?? [])]
    for (; next !== undefined; next = this.#takeReady()) {
      for (const chunk of next.chunks ?? []) chunks.push(chunk)
      for (const callback of next.afterSent ?? []) afterSent.push(callback)
    }
    return { chunks, afterSent: afterSent.length === 0 ? undefined : afterSent }
  }

  /** Ends the connection for what it sent, or for what could not be answered. */
  #refuse(error: unknown): void {
    if (this.#isDone) return
    const name = `kafka ${this.#transport.remoteAddress}`
    if (!(error instanceof ClosedError)) {
      const { message, stack } = error instanceof Error ? error : new Error(String(error))
      const isOurs = !(error instanceof KaskaError)
      const text = isOurs ? `closed by a mistake of ours: ${stack}` : `closed: ${message}`
      this.#shared.report(`${name}: ${text}`)
      this.connection.refused(message)
    }
    this.destroy(error instanceof Error ? error : undefined)
  }

  #finish(): void {
    this.#flush()
    this.#isDone = true
    this.#intake.close()
    this.#resume()
    this.#transport.end()
  }

  #pause(): void {
    if (this.#isPaused || this.#isDone) return
    this.#isPaused = true
    this.#transport.pause()
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#transport.resume()
  }
}

/** What a handler is given: one for each request, so its signal is made only where it is asked for. */
class Context implements KafkaContext {
  readonly broker: KafkaBroker
  readonly request: RequestContext
  readonly endpoint: Endpoint
  /** A function of its own: handlers take it out of the context. */
  readonly afterSent: (callback: () => void) => void
  readonly #session: KafkaSession

  constructor(
    session: KafkaSession,
    slot: Slot,
    broker: KafkaBroker,
    request: RequestContext,
    endpoint: Endpoint,
  ) {
    this.#session = session
    this.afterSent = (callback) => {
      slot.afterSent ??= []
      slot.afterSent.push(callback)
    }
    this.broker = broker
    this.request = request
    this.endpoint = endpoint
  }

  get signal(): AbortSignal {
    return this.#session.signal
  }

  softwareIs(text: string): void {
    this.#session.connection.software = text
  }
}

function runAll(callbacks: (() => void)[] | undefined): void {
  for (const callback of callbacks?.splice(0) ?? []) callback()
}

/** The answer with its header and its length: small fields in one buffer, all else by reference. */
function encode({ header, handler }: Arrived, response: unknown): Chunks {
  const writer = new ChunkWriter()
  // The length, which is known last.
  writer.i32(0)
  kafka.writeResponseHeader(writer, header)
  const message = handler?.response ?? kafka.apiVersionsResponse
  const version = handler === undefined ? 0 : header.apiVersion
  message.write(writer, response as never, version)
  const length = writer.length - lengthBytes
  const chunks = writer.finish()
  const first = chunks[0] as Uint8Array
  new DataView(first.buffer, first.byteOffset, lengthBytes).setInt32(0, length)
  return chunks
}

const lengthBytes = 4
