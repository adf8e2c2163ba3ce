/** Long walks in slices: others have a turn after each, so that none holds the event loop. */
import type { Clock } from '@kaska/protocol'

/** How long a walk holds the event loop at most. */
const sliceMs = 4

export class Turns {
  readonly #clock: Clock
  #sliceStart: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sliceStart = clock.monotonic()
  }

  /** A slice begins now. */
  start(): void {
    this.#sliceStart = this.#clock.monotonic()
  }

  /** Lets others have a turn when this one has lasted long enough. To be called every now and then. */
  async give(): Promise<void> {
    if (this.#clock.monotonic() - this.#sliceStart < sliceMs) return
    await this.#clock.yield()
    this.start()
  }
}
