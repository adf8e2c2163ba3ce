/**
 * The sessions of a protocol: each is there until its connection has ended. One timer for all of them looks
 * now and then which still go on; closing lets them answer what is under way, for a little while.
 */
import type { Clock } from '@kaska/protocol'

/** A session, as those who keep it see it. */
export interface WatchedSession {
  /** Looks for progress and signs of life; called now and then, with the clock's monotonic time. */
  check(now: number): void
  /** Takes no more requests, and ends when those under way are answered. */
  end(): void
  /** Ends the connection at once. */
  destroy(): void
}

export interface SessionSetLimits {
  /** How long a session may make no progress. */
  readonly stallMs: number
  /** How long the answers under way have when all sessions are ended. */
  readonly closeMs: number
}

/** Sessions are looked at so often within `stallMs`. */
const checksPerStall = 4

export class SessionSet<Session extends WatchedSession> {
  readonly #clock: Clock
  readonly #limits: SessionSetLimits
  readonly #sessions = new Set<Session>()
  #isWatching = false
  #isClosed = false
  #allEnded: (() => void) | undefined

  constructor(clock: Clock, limits: SessionSetLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get count(): number {
    return this.#sessions.size
  }

  /** Keeps a new session; after `close` it is destroyed. */
  add(session: Session): void {
    this.#sessions.add(session)
    if (this.#isClosed) session.destroy()
    else this.#watchSoon()
  }

  /** The session's connection has ended. */
  remove(session: Session): void {
    this.#sessions.delete(session)
    if (this.#sessions.size === 0) this.#allEnded?.()
  }

  /** Ends all sessions, and destroys those that have not ended within `closeMs`. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#sessions.size === 0) return
    const allEnded = new Promise<void>((resolve) => {
      this.#allEnded = resolve
    })
    for (const session of this.#sessions) session.end()
    const timer = this.#clock.after(this.#limits.closeMs, () => {
      for (const session of this.#sessions) session.destroy()
    })
    await allEnded
    timer.cancel()
  }

  /** The timer runs while there are sessions. */
  #watchSoon(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.#clock.after(this.#limits.stallMs / checksPerStall, () => void this.#look())
  }

  async #look(): Promise<void> {
    // Where this process itself stood still, what its peers sent meanwhile is read first.
    await this.#clock.yield()
    this.#isWatching = false
    const now = this.#clock.monotonic()
    for (const session of this.#sessions) session.check(now)
    if (this.#sessions.size > 0 && !this.#isClosed) this.#watchSoon()
  }
}
