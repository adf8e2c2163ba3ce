/**
 * One timer for many deadlines: it rings at the earliest, or before, and is then set to the next.
 *
 * What has come by then is read first. Where the process is held up for as long as a session, timers run
 * before the sockets are read, and members would be given up whose heartbeats are there.
 */
import type { Clock, Timer } from '@kaska/protocol'

export class Alarm {
  readonly #clock: Clock
  readonly #ring: (now: number) => void
  #timer: Timer | undefined
  #at = Number.POSITIVE_INFINITY

  /** `ring` is given the monotonic time. */
  constructor(clock: Clock, ring: (now: number) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Sees to it that it rings by then, in monotonic time. Infinity: no need. */
  by(at: number): void {
    if (at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    const delayMs = Math.max(0, at - this.#clock.monotonic())
    this.#timer = this.#clock.after(delayMs, () => void this.#due(at))
  }

  /** It rings no more, whatever it is told. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#at = Number.NEGATIVE_INFINITY
  }

  async #due(at: number): Promise<void> {
    await this.#clock.yield()
    // It was stopped, or is to ring for an earlier deadline.
    if (this.#at !== at) return
    this.#timer = undefined
    this.#at = Number.POSITIVE_INFINITY
    this.#ring(this.#clock.monotonic())
  }
}
