/**
 * The session of one connection (contract 6): made when it is accepted, ended with it, and the only
 * one that answers its requests.
 *
 *   bytes -> preamble -> frames (frame-intake) -> one handler each -> answers -> one gathered write
 *
 * - Requests take effect in the order of their arrival: a handler calls the engine before the next
 *   frame is looked at. Answers leave as they become ready; the tag tells which is which.
 * - What is under way is bounded: so many requests in flight, so many unsent bytes. Beyond either no
 *   further frame is taken, and the transport is paused when more bytes come all the same.
 * - Nothing that a peer sends, and nothing that a handler throws, leaves the session: a request that
 *   is refused is answered with an error; bytes that are no request end this connection alone.
 */
import {
  ChunkReader,
  type Chunks,
  type Clock,
  ClosedError,
  chunksLength,
  type Engine,
  KaskaError,
  native,
  OverloadedError,
  type ProducerIdentity,
  ProtocolError,
  type Receiver,
  type RequestContext,
  type Timer,
  type Transport,
  UnsupportedOperationError,
  UnsupportedVersionError,
} from '@kaska/protocol'
import type { Connection, ConnectionBytes, ConnectionLog } from '../figures/connection-log.ts'
import type { OperationFigures } from '../figures/request-figures.ts'
import type { ByteBudget } from '../transport/byte-budget.ts'
import { FrameIntake } from '../transport/frame-intake.ts'
import { ProgressWatch, type Verdict } from '../transport/progress-watch.ts'
import type { NativeCounters } from './native-counters.ts'
import type { NativeLimits } from './native-limits.ts'
import { type Handler, Request } from './request.ts'
import { TopicRefs } from './topic-refs.ts'

/** What all sessions of a broker have in common. */
export interface SessionShared {
  readonly engine: Engine
  readonly clock: Clock
  readonly budget: ByteBudget
  readonly limits: NativeLimits
  /** By operation. */
  readonly handlers: readonly (Handler | undefined)[]
  readonly identity: native.BrokerIdentity
  readonly counters: NativeCounters
  readonly connections: ConnectionLog
  /** By operation; the first one is for those that there are not. */
  readonly figures: readonly OperationFigures[]
  readonly report: (line: string) => void
  /** Called once, when the connection has ended. */
  readonly ended: (session: Session) => void
}

/** How a connection came about, where it is not simply a socket. */
export interface ConnectionOrigin {
  readonly protocol: 'native' | 'websocket'
  readonly isTls?: boolean
  /** What the program at the other end calls itself. */
  readonly software?: string
}

const magicLength = native.magic.length
const preambleLength = magicLength + 1

export class Session implements Receiver, ConnectionBytes {
  readonly shared: SessionShared
  readonly connection: Connection
  /** The topic numbers of this connection. */
  readonly refs: TopicRefs
  /** Polls that wait, by their tag. */
  readonly polls = new Map<number, AbortController>()
  /** Who asks. */
  context: RequestContext
  /** Whose sequence numbers this connection sends. */
  producer: ProducerIdentity | undefined
  /** When the frames that are being taken came, in monotonic time: looked up once for all of them. */
  takenAt = 0
  /** What polls that are under way may bring, together. */
  promisedBytes = 0
  readonly #transport: Transport
  readonly #intake: FrameIntake
  readonly #watch: ProgressWatch
  #preambleRead = 0
  #inFlight = 0
  #writtenBytes = 0
  /** Answers that became ready while frames were taken: they leave together. */
  #outbox: Uint8Array[] = []
  #outboxSent: (() => void)[] = []
  #isTaking = false
  /** Were frames left in the intake because too much was under way? */
  #isHeldBack = false
  #isPaused = false
  /** Takes no more requests, and ends when those under way are answered. */
  #isEnding = false
  /** Was it ended by this side? Then what still arrives is dropped. */
  #isDone = false
  #isClosed = false
  #closeTimer: Timer | undefined

  constructor(transport: Transport, shared: SessionShared, origin?: ConnectionOrigin) {
    this.shared = shared
    this.#transport = transport
    this.refs = new TopicRefs(shared.budget, shared.limits.refsMax)
    this.context = { principal: null, clientId: '', address: transport.remoteAddress }
    const { budget, limits, clock } = shared
    const granted = () => this.#takeFrames()
    const { givesBuffers = false } = transport
    this.#intake = new FrameIntake(budget, {
      lengthForm: 'varint',
      frameBytesMax: limits.frameBytesMax,
      granted,
      ownsChunks: givesBuffers,
    })
    this.#watch = new ProgressWatch(limits, clock.monotonic())
    this.connection = shared.connections.open({
      protocol: 'native',
      isTls: transport.isSecure ?? false,
      ...origin,
      address: transport.remoteAddress,
      bytes: this,
    })
  }

  received(chunk: Uint8Array): void {
    if (this.#isDone) return
    const frames = this.#preambleRead < preambleLength ? this.#readPreamble(chunk) : chunk
    if (frames === undefined) return
    this.#intake.push(frames)
    this.#takeFrames()
    if (this.#isHeldBack || this.#intake.isWaiting) this.#pause()
  }

  closed(_error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isDone = true
    this.#closeTimer?.cancel()
    this.#intake.close()
    this.refs.close()
    for (const poll of this.polls.values()) poll.abort(new ClosedError('the connection has ended'))
    this.polls.clear()
    this.shared.connections.close(this.connection)
    this.shared.ended(this)
  }

  get bytesIn(): number {
    return this.#preambleRead + this.#intake.receivedBytes
  }

  get bytesOut(): number {
    return this.#writtenBytes
  }

  /** Counts a request that is about to be answered. For `Request`. */
  count(operation: number, startedAt: number, failure: string | undefined): void {
    const { clock, figures } = this.shared
    const of = figures[operation] ?? (figures[0] as OperationFigures)
    this.connection.answered(of, startedAt, clock.monotonic(), failure)
  }

  /** The answer to a request whose frame is no longer needed. For `Request`. */
  answered(frame: Chunks, chunks: Chunks, sent: (() => void) | undefined): void {
    this.#inFlight--
    this.shared.counters.requestsInFlight--
    this.#intake.release(frame)
    if (this.#isClosed) {
      sent?.()
      return
    }
    this.#send(chunks, sent)
    if (this.#isTaking) return
    if (this.#isHeldBack) this.#takeFrames()
    if (this.#isEnding) this.#endWhenAnswered()
  }

  /**
   * What a poll may bring of the bytes that it asks for, so that all polls of a connection together,
   * and the answers that it has not taken, are no more than one may be: at least 1, for one batch.
   * The caller takes it off `promisedBytes` when the poll has ended.
   */
  promise(bytes: number): number {
    const { pollBytesMax } = this.shared.limits
    const left = pollBytesMax - this.promisedBytes - this.#transport.unsentBytes
    const promised = Math.max(1, Math.min(bytes, left))
    this.promisedBytes += promised
    return promised
  }

  /** Counts, and reports what is a mistake of ours. For `Request`. */
  failed(request: Request, error: unknown): void {
    const { counters, report } = this.shared
    counters.failures++
    if (this.#isClosed || error instanceof KaskaError) return
    counters.internalErrors++
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    report(`${this.#name}: operation ${request.operation} failed by a mistake of ours: ${text}`)
  }

  /** Looks for progress and signs of life; called now and then, with the clock's monotonic time. */
  check(now: number): void {
    if (this.#isDone) return
    const verdict = this.#watch.check(now, {
      receivedBytes: this.bytesIn,
      frameCount: this.#intake.frameCount,
      frameLength: this.#intake.frameLength,
      isExpecting: this.#preambleRead < preambleLength || this.#intake.isPartial,
      isWaiting: this.#intake.isWaiting,
      isHeldBack: this.#isHeldBack,
      writtenBytes: this.#writtenBytes,
      unsentBytes: this.#transport.unsentBytes,
    })
    if (verdict !== undefined) this.#obey(verdict)
  }

  /** Takes no more requests, lets waiting polls answer at once, and ends when all is answered. */
  end(): void {
    if (this.#isDone) return
    this.#isEnding = true
    this.#isHeldBack = true
    for (const poll of this.polls.values()) poll.abort(new ClosedError('the broker is closing'))
    this.#endWhenAnswered()
  }

  /** Ends the connection at once. */
  destroy(reason?: Error): void {
    this.#isDone = true
    this.#transport.destroy(reason)
  }

  get #name(): string {
    return `native ${this.#transport.remoteAddress}`
  }

  /** Is as much under way as may be? */
  get #isFull(): boolean {
    const { requestsInFlightMax, unsentBytesMax } = this.shared.limits
    return (
      this.#inFlight >= requestsInFlightMax ||
      this.#isEnding ||
      this.#transport.unsentBytes > unsentBytesMax
    )
  }

  /** Takes frames until there are no more, or enough is under way. */
  #takeFrames(): void {
    if (this.#isTaking || this.#isDone) return
    this.#isTaking = true
    this.#isHeldBack = false
    this.takenAt = this.shared.clock.monotonic()
    try {
      for (;;) {
        if (this.#isFull) {
          this.#isHeldBack = true
          break
        }
        const frame = this.#intake.next()
        if (frame === undefined) break
        this.#take(frame)
        if (this.#isDone) return
      }
    } catch (error) {
      this.#refuse(error)
      return
    } finally {
      this.#isTaking = false
      this.#flush()
    }
    if (this.#isPaused && !this.#isHeldBack && !this.#intake.isWaiting) this.#resume()
  }

  /** Hands a request to its handler. Throws ProtocolError where the frame is none. */
  #take(frame: Chunks): void {
    const { counters } = this.shared
    const reader = new ChunkReader(frame)
    let request: Request
    try {
      request = new Request(this, native.decodeRequestHead(reader), frame)
    } catch (error) {
      this.#intake.release(frame)
      throw error
    }
    counters.requests++
    counters.requestsInFlight++
    this.#inFlight++
    const handle = this.shared.handlers[request.operation]
    if (handle === undefined) {
      request.fail(new UnsupportedOperationError(`there is no operation ${request.operation}`))
      return
    }
    try {
      handle(request, reader)
    } catch (error) {
      request.fail(error)
      // The tag is answered; the connection is not to be trusted any more.
      if (error instanceof ProtocolError) this.#refuse(error, true)
    }
  }

  /** What follows the preamble in the chunk; undefined while it is not complete, or is wrong. */
  #readPreamble(chunk: Uint8Array): Uint8Array | undefined {
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index] as number
      if (this.#preambleRead < magicLength) {
        if (byte !== native.magic[this.#preambleRead]) {
          this.#refuse(new ProtocolError('the connection does not begin with KSK'))
          return undefined
        }
        this.#preambleRead++
        continue
      }
      if (byte !== native.version) {
        this.#refuse(new UnsupportedVersionError(`it speaks version ${byte}`))
        return undefined
      }
      this.#preambleRead++
      return chunk.subarray(index + 1)
    }
    return undefined
  }

  /** Ends the connection for what it sent; tells it why, with the request's tag where there is one. */
  #refuse(error: unknown, isAnswered = false): void {
    if (this.#isDone) return
    const { counters, report } = this.shared
    counters.refused++
    const reason = error instanceof Error ? error.message : String(error)
    this.connection.refused(reason)
    if (error instanceof KaskaError) {
      report(`${this.#name}: closed: ${reason}`)
    } else {
      counters.internalErrors++
      report(`${this.#name}: closed by a mistake of ours: ${(error as Error).stack ?? reason}`)
    }
    if (error instanceof UnsupportedVersionError) {
      this.#send(native.encodeVersionRefusal([native.version]), undefined)
    } else if (!isAnswered) {
      this.#send(native.encodeFailure(this.#tagOfRest(), error), undefined)
    }
    this.#finish()
  }

  /** The tag of the request that the refused bytes seem to begin. */
  #tagOfRest(): number {
    try {
      return native.decodeRequestHead(new ChunkReader(this.#intake.rest())).tag
    } catch {
      return native.noticeTag
    }
  }

  /** Sends what is there to be sent, and ends. */
  #finish(): void {
    this.#flush()
    this.#isDone = true
    this.#intake.close()
    this.#resume()
    this.#transport.end()
    // What the peer still sends is read and dropped for a moment: closing at once could take what
    // we sent from it.
    const { clock, limits } = this.shared
    this.#closeTimer = clock.after(limits.closeMs, () => this.#transport.destroy())
  }

  #endWhenAnswered(): void {
    if (this.#inFlight === 0 && !this.#isDone) this.#finish()
  }

  #obey(verdict: Verdict): void {
    if (verdict.action === 'ping') {
      this.#send(native.encodeNotice(native.operation.ping), undefined)
      return
    }
    this.shared.counters.stalled++
    this.shared.report(`${this.#name}: closed: ${verdict.reason}`)
    if (verdict.action === 'destroy') {
      this.destroy(new ProtocolError(verdict.reason))
      return
    }
    // Nothing is wrong with the request: the broker cannot go on keeping memory for it, and the same
    // may be sent again. A network that stands still for a while must not make a send fail for good.
    const error = new OverloadedError(verdict.reason)
    this.#send(native.encodeFailure(this.#tagOfRest(), error), undefined)
    this.#finish()
  }

  /** Sends an answer: at the end of the frames being taken, else at once. */
  #send(chunks: Chunks, sent: (() => void) | undefined): void {
    if (this.#isTaking) {
      for (const chunk of chunks) this.#outbox.push(chunk)
      if (sent !== undefined) this.#outboxSent.push(sent)
      return
    }
    this.#write(chunks, sent)
  }

  #flush(): void {
    if (this.#outbox.length === 0) return
    const chunks = this.#outbox
    const allSent = this.#outboxSent
    this.#outbox = []
    this.#outboxSent = []
    const sent = allSent.length <= 1 ? allSent[0] : () => allSent.forEach((each) => void each())
    this.#write(chunks, sent)
  }

  #write(chunks: Chunks, sent: (() => void) | undefined): void {
    const length = chunksLength(chunks)
    this.#writtenBytes += length
    const isMuch = this.#transport.unsentBytes + length > this.shared.limits.unsentBytesMax
    if (!isMuch) {
      this.#transport.write(chunks, sent)
      return
    }
    this.#transport.write(chunks, () => {
      sent?.()
      if (this.#isHeldBack) this.#takeFrames()
    })
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
