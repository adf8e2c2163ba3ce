/**
 * The fetch sessions of a broker (KIP-227), bounded in number and in memory. When there is no room for
 * another one, it takes that of one that was not used for two minutes, else of the smallest one that is
 * that old, if it is smaller than itself; else there is none, and the client goes on without.
 *
 * A session belongs to the connection that it was made on, and ends with it: every client starts anew on
 * a new connection, and what asks for the session of another one is told that there is none.
 */
import { type Clock, kafka } from '@kaska/protocol'
import type { ByteBudget } from '../transport/byte-budget.ts'
import { bytesOf, type FetchPart, FetchSession } from './fetch-session.ts'

const { errorCode } = kafka

/** min.incremental.fetch.session.eviction.ms: Kafka's name for it, and its value, which is fixed. */
const evictionMs = 120_000
/** Of the broker's memory, sessions together have at most one part in so many. */
const memoryShare = 8
const idMax = 0x7fffffff

export interface FetchSessionsOptions {
  /** max.incremental.fetch.session.cache.slots */
  readonly slotsMax: number
  readonly clock: Clock
  readonly budget: Pick<ByteBudget, 'total' | 'tryReserve' | 'release'>
}

export class FetchSessions {
  readonly #options: FetchSessionsOptions
  readonly #bytesMax: number
  /** By their ids; the one that was used longest ago comes first. */
  readonly #sessions = new Map<number, FetchSession>()
  #bytes = 0
  #lastId = 0

  constructor(options: FetchSessionsOptions) {
    this.#options = options
    this.#bytesMax = options.budget.total / memoryShare
  }

  get count(): number {
    return this.#sessions.size
  }

  /** Makes a session of these parts; undefined where there is no room for it. */
  create(
    parts: readonly FetchPart[],
    { usesIds, owner }: { readonly usesIds: boolean; readonly owner: AbortSignal },
  ): FetchSession | undefined {
    const bytes = parts.reduce((sum, part) => sum + bytesOf(part), 0)
    if (owner.aborted || !this.#makeRoom(parts.length, bytes)) return undefined
    const now = this.#options.clock.monotonic()
    const session = new FetchSession(this.#nextId(), { usesIds, owner, now }, (ended) =>
      this.remove(ended),
    )
    this.#count(session, bytes)
    // Those that have just given messages come behind the others.
    for (const part of parts) if (!part.wasServed) session.add(part)
    for (const part of parts) if (part.wasServed) session.add(part)
    this.#sessions.set(session.id, session)
    owner.addEventListener('abort', session.ended)
    return session
  }

  /** The session for a request that continues one, or why there is none. */
  resume(
    asked: { readonly sessionId: number; readonly sessionEpoch: number },
    { usesIds, owner }: { readonly usesIds: boolean; readonly owner: AbortSignal },
  ): FetchSession | kafka.KafkaErrorCode {
    const session = this.#ownedBy(owner, asked.sessionId)
    if (session === undefined) return errorCode.FETCH_SESSION_ID_NOT_FOUND
    if (session.epoch !== asked.sessionEpoch) return errorCode.INVALID_FETCH_SESSION_EPOCH
    if (session.usesIds !== usesIds) return errorCode.FETCH_SESSION_TOPIC_ID_ERROR
    session.lastUsedAt = this.#options.clock.monotonic()
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
    return session
  }

  /** Makes room for one more part of a session; false where there is none. */
  tryGrow(session: FetchSession, part: FetchPart): boolean {
    const bytes = bytesOf(part)
    if (this.#bytes + bytes > this.#bytesMax || !this.#options.budget.tryReserve(bytes))
      return false
    this.#count(session, bytes)
    return true
  }

  shrink(session: FetchSession, part: FetchPart): void {
    const bytes = bytesOf(part)
    this.#count(session, -bytes)
    this.#options.budget.release(bytes)
  }

  /** Ends the session with this id, if it is of this connection. */
  end(id: number, owner: AbortSignal): void {
    const session = this.#ownedBy(owner, id)
    if (session !== undefined) this.remove(session)
  }

  remove(session: FetchSession): void {
    if (!this.#sessions.delete(session.id)) return
    session.owner.removeEventListener('abort', session.ended)
    session.close()
    this.#options.budget.release(session.bytes)
    this.#count(session, -session.bytes)
  }

  #ownedBy(owner: AbortSignal, id: number): FetchSession | undefined {
    const session = this.#sessions.get(id)
    return session?.owner === owner ? session : undefined
  }

  #count(session: FetchSession, bytes: number): void {
    session.bytes += bytes
    this.#bytes += bytes
  }

  #makeRoom(size: number, bytes: number): boolean {
    const { slotsMax, budget } = this.#options
    if (bytes > this.#bytesMax || slotsMax <= 0) return false
    for (;;) {
      const isFull = this.#sessions.size >= slotsMax || this.#bytes + bytes > this.#bytesMax
      if (!isFull && budget.tryReserve(bytes)) return true
      const loser = this.#evictable(size)
      if (loser === undefined) return false
      this.remove(loser)
    }
  }

  #evictable(size: number): FetchSession | undefined {
    const now = this.#options.clock.monotonic()
    const [oldest] = this.#sessions.values()
    if (oldest === undefined) return undefined
    if (now - oldest.lastUsedAt > evictionMs) return oldest
    let smallest: FetchSession | undefined
    for (const session of this.#sessions.values()) {
      if (now - session.createdAt <= evictionMs) continue
      if (smallest === undefined || session.size < smallest.size) smallest = session
    }
    return smallest !== undefined && smallest.size < size ? smallest : undefined
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === idMax ? 1 : this.#lastId + 1
    while (this.#sessions.has(this.#lastId))
    return this.#lastId
  }
}
