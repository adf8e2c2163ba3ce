/**
 * One request of a session, from its frame to its answer. A handler reads the fields, and then
 * answers exactly once: `answer`, `fail`, or `settle` for what an engine's promise brings. What it
 * throws before that is its answer too.
 */
import assert from 'node:assert/strict'
import {
  ChunkReader,
  type Chunks,
  ClosedError,
  type Engine,
  InvalidArgumentError,
  native,
  OverloadedError,
  type RequestContext,
} from '@kaska/protocol'
import type { Session } from './session.ts'

/** What an entry of a list costs as objects, while its request is under way. */
const entryBytes = 320
/** Lists up to this length are on the house. */
const entriesFree = 16

/** Reads the fields and sees to the answer. Throws KaskaErrors for what it does not take. */
export type Handler = (request: Request, reader: ChunkReader) => void

export class Request {
  readonly session: Session
  readonly operation: number
  readonly tag: number
  readonly #frame: Chunks
  /** Reserved in the byte budget until the answer has left. */
  #reserved = 0
  #isAnswered = false
  /** When it came, in monotonic time. */
  readonly #startedAt: number
  #failure: string | undefined = undefined

  constructor(session: Session, head: native.RequestHead, frame: Chunks) {
    this.session = session
    this.operation = head.operation
    this.tag = head.tag
    this.#frame = frame
    this.#startedAt = session.takenAt
  }

  get engine(): Engine {
    return this.session.shared.engine
  }

  /** Who asks; without a signal: what does not wait is not worth ending. */
  get context(): RequestContext {
    return this.session.context
  }

  /** Answers; `sent` is called once when the answer has left, or never will. */
  answer(chunks: Chunks, sent?: () => void): void {
    assert(!this.#isAnswered, 'a request was answered twice')
    this.#isAnswered = true
    this.session.count(this.operation, this.#startedAt, this.#failure)
    this.session.answered(this.#frame, chunks, this.#reserved === 0 ? sent : this.#release(sent))
  }

  /** Answers with no fields but the success. */
  succeed(): void {
    this.answer(native.encodeResponse(this.tag))
  }

  fail(error: unknown): void {
    this.note(error)
    // The broker is closing: its end is not an answer. The client finds the connection broken, and
    // asks again when there is a broker again; a refusal would be final.
    if (error instanceof ClosedError) this.session.destroy(error)
    this.session.failed(this, error)
    this.answer(native.encodeFailure(this.tag, error))
  }

  /** Counts the request as failed, for a part of it at least; the answer says so in its own way. */
  note(error: unknown): void {
    this.#failure ??= error instanceof Error ? error.message : String(error)
  }

  /** Answers with what the promise brings. */
  settle<T>(promise: Promise<T>, encode: (value: T) => Chunks): void {
    promise.then(
      (value) => {
        let chunks: Chunks
        try {
          chunks = encode(value)
        } catch (error) {
          this.fail(error)
          return
        }
        this.answer(chunks)
      },
      (error) => this.fail(error),
    )
  }

  /**
   * To be asked before a list of the request is read, which takes many times its bytes as objects.
   * Its count stands behind what `skip` skips of the fields and so many integers. Throws
   * InvalidArgumentError for a list that is too long, OverloadedError where there is no memory.
   */
  admitList(varintsBefore: number, skip: (reader: ChunkReader) => void = () => {}): void {
    const reader = new ChunkReader(this.#frame)
    native.decodeRequestHead(reader)
    skip(reader)
    for (let index = 0; index < varintsBefore; index++) reader.varint()
    const count = reader.varint()
    if (count <= entriesFree) return
    const { partsMax } = this.session.shared.limits
    // A count that cannot be true is the reader's to refuse.
    if (count > partsMax && count <= reader.remaining) {
      throw new InvalidArgumentError(
        `a request has at most ${partsMax} entries, this one has ${count}: send several`,
      )
    }
    this.reserve(Math.min(count, reader.remaining) * entryBytes)
  }

  /** Takes bytes of the budget until the answer has left. Throws OverloadedError. */
  reserve(bytes: number): void {
    if (!this.session.shared.budget.tryReserve(bytes)) {
      throw new OverloadedError('the broker has no memory free for this request now')
    }
    this.#reserved += bytes
  }

  #release(sent: (() => void) | undefined): () => void {
    return () => {
      this.session.shared.budget.release(this.#reserved)
      sent?.()
    }
  }
}
